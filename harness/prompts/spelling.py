"""The nearest valid spelling of a name that a person got wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The remedy for an unknown ``name``: the nearest of ``names``, else the first few of them.

    Returns:
        ``did you mean 'x'?``, or ``valid: 'a', 'b'``, or an empty string where there are no names.
    """
    known = list(names)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not near:
        # Two spellings that differ only in case are far apart for difflib when they are short.
        near = [other for other in known if other.casefold() == name.casefold()]
    if near:
        return f"did you mean {near[0]!r}?"
    if not known:
        return ""
    return "valid: " + ", ".join(repr(other) for other in known[:12]) + (", ..." if len(known) > 12 else "")

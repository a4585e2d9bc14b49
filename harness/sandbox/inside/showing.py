"""Values as a person reads them, shortened."""

from __future__ import annotations

import reprlib
from typing import Any, Final

_MOST: Final = 1000
_REPR: Final = reprlib.Repr()
_REPR.maxlist = _REPR.maxtuple = _REPR.maxset = _REPR.maxfrozenset = _REPR.maxdict = 60
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 600
_REPR.maxlevel = 8


def shown(value: Any) -> str:
    """A value as a person reads it, shortened."""
    try:
        text = _REPR.repr(value)
    except Exception as error:
        text = f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    return text if len(text) <= _MOST else text[:_MOST] + " ..."

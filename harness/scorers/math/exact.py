"""The recommended grader's exact path: it accepts and rejects on its own wherever the structure of both decides."""

from __future__ import annotations

import re
from typing import Final

from harness.scorers.math.algebra import rational
from harness.scorers.math.compare import compare
from harness.scorers.math.forms import Expression
from harness.scorers.math.latex import tokens
from harness.scorers.math.limits import LONGEST, TooLargeError, UnreadableError
from harness.scorers.math.reading import read
from harness.scorers.math.verdict import Verdict

_SPACES: Final = re.compile(r"(?<![0-9])\s+|\s+(?![0-9])")
"""Spaces that separate nothing: ``1 1/2`` is not ``11/2``."""


def decide(answer: str, gold: str) -> Verdict:
    """Compare an answer with the gold one; ``equal`` is None where neither is proved here."""
    if _SPACES.sub("", answer.strip()) == _SPACES.sub("", gold.strip()):
        return Verdict(bool(answer.strip()), "same text")
    try:
        verdict = compare(read(gold), read(answer))
        return verdict if verdict.equal is not None else verdict._replace(asked=(answer, gold))
    except TooLargeError:
        return Verdict(False, "too long or too deep, and written differently")
    except RecursionError:
        return Verdict(False, "too deep, and written differently")


def normalise(answer: str) -> str:
    r"""An answer in one spelling: a number as a fraction in lowest terms, anything else without LaTeX's variants.

    Equal answers may still be spelled differently (``x+1`` and ``1+x``).
    """
    try:
        form = read(answer)
        value = rational(form.node) if isinstance(form, Expression) and not form.grouped else None
        return str(value) if value is not None else " ".join(token.text for token in tokens(answer))
    except (UnreadableError, RecursionError):
        return answer[:LONGEST]

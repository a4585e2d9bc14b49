"""The graders by name. Each is a rule about two texts; those that are not decided by it alone are asked of sympy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from harness.errors import UsageError
from harness.scorers.math import exact, hendrycks, minerva, wizardmath
from harness.scorers.math.limits import LONGEST
from harness.scorers.math.verdict import Verdict
from harness.spelling import suggestion


class Grader(NamedTuple):
    """One way to compare an answer with the gold one.

    Attributes:
        name: As in `GRADERS`.
        version: Raised whenever a verdict can change; part of a scoring's identity.
        title: One line for people.
        decide: ``(answer, gold)`` to a verdict, in microseconds; not decided where sympy is to be asked.
        normalise: An answer in the spelling that is compared, or one for people and for votes between attempts.
        symbolic: Function of `harness.scorers.math.symbolic` for what is not decided; empty: nothing is asked.
        seconds: Processor time of one such question; spent, the answer is not equal. 5 s is lm-eval's and
            Math-Verify's own limit, WizardMath's script has none.
    """

    name: str
    version: int
    title: str
    decide: Callable[[str, str], Verdict]
    normalise: Callable[[str], str]
    symbolic: str = ""
    seconds: float = 5.0


def _ask(answer: str, gold: str) -> Verdict:
    """Everything is asked."""
    if len(answer) > LONGEST:
        return Verdict(False, "too long")
    return Verdict(None, "math-verify", (answer, gold))


GRADERS: Final[Mapping[str, Grader]] = {
    grader.name: grader
    for grader in (
        Grader(
            "harness",
            2,
            "ours: exact structure and values, math-verify for what is left",
            exact.decide,
            exact.normalise,
            "math_verify",
            0.8,
        ),
        Grader("hendrycks", 1, "MATH's own: normalised texts are the same", hendrycks.decide, hendrycks.spelled),
        Grader(
            "minerva",
            1,
            "Minerva and lm-eval: normalised, and the difference is zero in sympy",
            minerva.decide,
            minerva.normalise,
            "minerva",
        ),
        Grader(
            "wizardmath",
            1,
            "WizardMath's script on MATH, quirks included",
            wizardmath.decide,
            hendrycks.spelled,
            "wizardmath",
        ),
        Grader("math-verify", 1, "Math-Verify", _ask, exact.normalise, "math_verify"),
    )
}


def grader(name: str) -> Grader:
    """The grader of that name.

    Raises:
        UsageError: There is none.
    """
    if name not in GRADERS:
        raise UsageError(f"unknown grader {name!r}", suggestion(name, GRADERS))
    return GRADERS[name]

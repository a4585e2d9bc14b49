"""The public functions: whether answers are equivalent, safely, for any text."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable

from harness.sandbox import Calculator
from harness.scorers.math import asking
from harness.scorers.math.graders import grader as find_grader
from harness.scorers.math.verdict import Verdict

_BATCH = 64


def math_equivalent(answer: str, gold: str, *, grader: str = "harness") -> bool:
    r"""Whether an answer is equivalent to the gold one.

    Safe on any text: nothing is evaluated, and what needs computer algebra runs in a process with limits on time and
    memory, where spending one means "not equal".

    Args:
        answer: The answer, already taken from the reply (``\frac{1}{2}``, ``0.5``, ``x = 3``).
        gold: The right one.
        grader: ``harness``, ``hendrycks``, ``minerva``, ``wizardmath`` or ``math-verify``.

    Raises:
        UsageError: No grader has that name.
        HarnessError: The extra ``math`` is needed for this pair and not installed.
        SandboxError: The processes cannot be started or broke; nothing is known.
    """
    return bool(math_verdicts([(answer, gold)], grader=grader)[0].equal)


def math_equivalents(pairs: Iterable[tuple[str, str]], *, grader: str = "harness") -> list[bool]:
    """The same for many pairs of answer and gold; what needs computer algebra is computed together."""
    return [bool(verdict.equal) for verdict in math_verdicts(pairs, grader=grader)]


def math_verdicts(pairs: Iterable[tuple[str, str]], *, grader: str = "harness") -> list[Verdict]:
    """The verdict on each pair of answer and gold, with the rule that decided it.

    Raises:
        UsageError: No grader has that name.
        HarnessError: As `math_equivalent`.
    """
    rule = find_grader(grader)
    verdicts = [rule.decide(answer, gold) for answer, gold in pairs]
    left = [place for place, verdict in enumerate(verdicts) if verdict.equal is None]
    if left:
        asking.require(rule)
    for start in range(0, len(left), _BATCH):
        places = left[start : start + _BATCH]
        computed = _calculator(os.getpid()).compute(asking.computation(rule, [verdicts[place] for place in places]))
        for place, result in zip(places, computed.results, strict=True):
            verdicts[place] = asking.concluded(verdicts[place], result)
    return verdicts


@functools.cache
def _calculator(process: int) -> Calculator:
    """One for each process, for a fork cannot use its parent's: it starts with the first question and ends with it."""
    return Calculator(packages=asking.PACKAGES, preload=asking.PRELOAD)

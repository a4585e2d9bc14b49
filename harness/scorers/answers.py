"""Scorers that compare a reply's answer with the record's. Pure: nothing is executed."""

from __future__ import annotations

import abc
import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar, Self

import msgspec

from harness.errors import HarnessError, InstrumentError, SpecError
from harness.prompts import reference_text, render
from harness.scorers.declared import options, slices
from harness.scorers.extraction import extract
from harness.types import Completion, Reason, Sample, Score, Spec, Task

_SELF_TESTED = 3
"""Reference answers that the self-test grades."""

_SHOWN = 200
"""Characters of an unreadable answer that a score keeps; the completion has all of it."""


class Judgement(msgspec.Struct, frozen=True):
    """How one answer compares: the reason, the answer as it was read, and what a reader should know besides."""

    reason: Reason
    extracted: str | None
    detail: Mapping[str, Any] = {}


class AnswerScorer(abc.ABC):
    """What scorers of answers share: the last turn is graded, the task's extraction applies, right is 1 and wrong 0.

    The extraction applies whatever a replayed file calls its texts: the answer to a question is always inside what
    the model said. A reply without an answer in the required form scores 0 with reason ``no_answer``.

    Args:
        task: The task to grade for; its options and metric are checked here.
        workers: Not used; nothing is executed.
        unsafe_exec: Not used; nothing is executed.

    Raises:
        SpecError: The task's options are wrong, or it asks for likelihoods.
    """

    version: ClassVar[int] = 1

    def __init__(self, task: Task, *, workers: int | None = None, unsafe_exec: bool = False) -> None:
        if task.kind != "generate":
            raise SpecError(
                f"{task.name}: scorer {task.scorer.name!r} grades replies, and the task asks for likelihoods",
                "use the scorer 'multiple-choice', or kind = \"generate\"",
            )
        self.task = task
        self.sandbox: str | None = None

    @abc.abstractmethod
    def expected(self, sample: Sample) -> str:
        """The right answer of a sample."""

    @abc.abstractmethod
    def judge(self, answer: str, sample: Sample) -> Judgement:
        """Compare an extracted answer, which is not empty, with the sample's."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def score(self, sample: Sample, completions: Sequence[Completion]) -> list[Score]:
        """Grade the last turn of one attempt."""
        if not completions:
            raise HarnessError(f"{self.task.name}: sample {sample.id!r} has no completion to grade")
        last = max(completions, key=lambda completion: completion.turn)
        judgement = self._grade(last.text, sample)
        return [
            Score(
                sample=sample.id,
                attempt=last.attempt,
                turn=last.turn,
                metric=self.task.metric,
                value=1.0 if judgement.reason == "ok" else 0.0,
                reason=judgement.reason,
                extracted=judgement.extracted,
                expected=self.expected(sample),
                slices=slices(self.task, sample),
                detail=judgement.detail,
            )
        ]

    async def self_test(self, samples: Sequence[Sample]) -> None:
        """Grade a few reference answers, which must be right, and wrong answers to the same, which must be wrong.

        A wrong answer is the right one of a sample that expects another, and an empty reply. Where the task declares
        no reference, the expected answers themselves are compared.
        """
        known = [sample for sample in samples if sample.id not in self.task.known_reference_failures]
        for sample in known[:_SELF_TESTED]:
            right = self._verdict(sample, of=sample)
            if right.reason != "ok":
                raise InstrumentError(
                    f"{self.task.name}: the reference answer of sample {sample.id!r} is graded {right.reason!r} "
                    f"(read {right.extracted!r}, expected {self.expected(sample)!r})",
                    "correct the task's reference, extraction or scorer options",
                )
            if self._grade("", sample).reason == "ok":
                raise InstrumentError(f"{self.task.name}: an empty reply to sample {sample.id!r} is graded right")
            other = next((other for other in known if self._differs(other, sample)), None)
            if other is not None and self._verdict(other, of=sample).reason == "ok":
                raise InstrumentError(
                    f"{self.task.name}: the answer of sample {other.id!r} is graded right for sample {sample.id!r}, "
                    f"which expects {self.expected(sample)!r}",
                    "correct the task's reference or extraction",
                )

    def _grade(self, text: str, sample: Sample) -> Judgement:
        answer = extract(text, self.task.extraction)
        if answer is None or not answer.strip():
            return Judgement("no_answer", None)
        return self.judge(answer, sample)

    def _verdict(self, answering: Sample, *, of: Sample) -> Judgement:
        """How the right answer of one sample is graded for another (or the same)."""
        if self.task.reference is None:
            return self.judge(self.expected(answering), of)
        return self._grade(reference_text(self.task, answering), of)

    def _differs(self, other: Sample, sample: Sample) -> bool:
        """Whether the scorer's own comparison, without any extraction, tells the two expected answers apart."""
        return self.judge(self.expected(other), sample).reason == "wrong"


class ExactMatchOptions(Spec, frozen=True, kw_only=True):
    """Options of `ExactMatch`.

    Attributes:
        gold: Template of the expected answer, with placeholders as in a prompt (``{answer}``).
        gold_after: Keep of it what follows the last such literal, without surrounding white space.
        ignore_case: Compare without regard to case.
    """

    gold: str
    gold_after: str | None = None
    ignore_case: bool = False


class ExactMatch(AnswerScorer):
    """Registry name ``exact-match``: right where the extracted answer and the expected one are the same text.

    Nothing is normalised but what the task declares: its extraction for the answer, its options for the gold.
    """

    def __init__(self, task: Task, *, workers: int | None = None, unsafe_exec: bool = False) -> None:
        super().__init__(task, workers=workers, unsafe_exec=unsafe_exec)
        self.options = options(task, ExactMatchOptions)

    def expected(self, sample: Sample) -> str:
        """The gold option, rendered from the record."""
        where = f"{self.task.name}: scorer.options.gold, sample {sample.id!r}"
        gold = render(self.options.gold, sample.record, where=where)
        marker = self.options.gold_after
        if marker is None:
            return gold
        _, found, rest = gold.rpartition(marker)
        if not found:
            raise SpecError(
                f"{self.task.name}: scorer.options.gold_after: {marker!r} is not in the gold of sample {sample.id!r}",
                "correct the literal, or leave gold_after out",
            )
        return rest.strip()

    def judge(self, answer: str, sample: Sample) -> Judgement:
        """Compare the two texts."""
        gold = self.expected(sample)
        same = answer.casefold() == gold.casefold() if self.options.ignore_case else answer == gold
        return Judgement("ok" if same else "wrong", answer)


class WizardMathOptions(Spec, frozen=True, kw_only=True):
    """Options of `WizardMathGsm8k`: ``gold`` is the template of the expected number; its commas are removed."""

    gold: str


_NUMBER = re.compile(r"[-+]?\d*[.,/]?\d+")
_TOLERANCE = 1e-4


def wizardmath_number(text: str) -> int | None:
    """The number that WizardMath's GSM8K script reads from an answer; None where it reads none.

    The first run of an optional sign, digits, at most one of ``.`` ``,`` ``/``, and digits. A comma is a thousands
    separator, a fraction is divided (by 0: its numerator), and the value is rounded to an integer, half to even. So
    ``1,234,567`` reads 1234, ``1 000`` reads 1 and ``2.5`` reads 2.

    Source: nlpxucan/WizardLM@cd4b4cc WizardMath/inference/gsm8k_inference.py. Numbers on which the script itself
    stops with an exception (``1/00``, thousands of digits) are None here.
    """
    match = _NUMBER.search(text)
    if match is None:
        return None
    numerator, slash, denominator = match[0].replace(",", "").partition("/")
    try:
        if slash and denominator != "0":
            # Reduced exactly and divided once, as the script does: 0.5 must round as 0.5, not as 0.49999.
            quotient = Fraction(int(numerator), int(denominator))
            return round(quotient.numerator / quotient.denominator)
        return round(float(numerator))
    except (ValueError, OverflowError, ZeroDivisionError):
        return None


def wizardmath_equal(answer: int, gold: int) -> str | None:
    """How an answer counts as right: ``gold``, or as a percentage ``gold/100`` or ``gold*100``; None where wrong.

    Each within a relative tolerance of 1e-4 of the larger of the two numbers.

    Source: nlpxucan/WizardLM@cd4b4cc WizardMath/inference/grader.py, ``math_equal`` on numbers.
    """
    for accepted, name in ((gold, "gold"), (gold / 100, "gold/100"), (gold * 100, "gold*100")):
        if math.isclose(answer, accepted, rel_tol=_TOLERANCE):
            return name
    return None


class WizardMathGsm8k(AnswerScorer):
    """Registry name ``wizardmath-gsm8k``: the rule behind WizardMath's published GSM8K numbers, quirks included.

    An answer that is not the gold number itself but counts (rounded, within 1e-4, or a hundred times off) is right,
    and ``detail.counts_as`` says so.
    """

    def __init__(self, task: Task, *, workers: int | None = None, unsafe_exec: bool = False) -> None:
        super().__init__(task, workers=workers, unsafe_exec=unsafe_exec)
        self.options = options(task, WizardMathOptions)

    def expected(self, sample: Sample) -> str:
        """The gold number, without commas."""
        return str(self._gold(sample))

    def judge(self, answer: str, sample: Sample) -> Judgement:
        """Read the answer's number and compare it."""
        number = wizardmath_number(answer)
        if number is None:
            return Judgement("no_answer", answer[:_SHOWN])
        gold = self._gold(sample)
        counts_as = wizardmath_equal(number, gold)
        if counts_as is None:
            return Judgement("wrong", str(number))
        return Judgement("ok", str(number), {} if number == gold else {"counts_as": counts_as})

    def _gold(self, sample: Sample) -> int:
        where = f"{self.task.name}: scorer.options.gold, sample {sample.id!r}"
        text = render(self.options.gold, sample.record, where=where).replace(",", "")
        try:
            return int(text)
        except ValueError:
            raise SpecError(f"{where}: {text[:_SHOWN]!r} is no integer", "correct the option 'gold'") from None

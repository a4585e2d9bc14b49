"""Scorer of multiple-choice tasks: the choice that the model finds most likely is its answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from harness.errors import HarnessError, InstrumentError, SpecError
from harness.prompts import lookup
from harness.scorers.declared import options, slices
from harness.types import Completion, LogProbs, Sample, Score, Spec, Task

METRICS = ("acc", "acc_norm")


class MultipleChoiceOptions(Spec, frozen=True, kw_only=True):
    """Options of `MultipleChoice`.

    Attributes:
        gold: Record field with the right choice: its number from 0, its letter (``A`` is the first), or, with
            ``labels``, its label.
        labels: Record field with the list of the choices' labels (ARC mixes ``A`` to ``D`` and ``1`` to ``4``).
        length: What ``acc_norm`` divides by. lm-evaluation-harness's ``acc_norm`` counts characters, its
            ``acc_bytes`` UTF-8 bytes; the two differ where choices are not ASCII.
    """

    gold: str
    labels: str | None = None
    length: Literal["characters", "bytes"] = "characters"


class MultipleChoice:
    """Registry name ``multiple-choice``: metrics ``acc`` and ``acc_norm`` from the choices' log-likelihoods.

    ``acc``: the choice with the largest total is right. ``acc_norm``: so is the one with the largest total per
    length of its text. The first of several largest counts, as numpy's argmax has it. A single space at the start of
    a continuation is not counted in its length: it separates the choice from the prompt, and lm-evaluation-harness
    measures the choice without it.

    Args:
        task: A task with ``kind = "loglikelihood"``.
        workers: Not used; nothing is executed.
        unsafe_exec: Not used; nothing is executed.

    Raises:
        SpecError: The task's options, metric or kind are wrong.
    """

    version: ClassVar[int] = 1

    def __init__(self, task: Task, *, workers: int | None = None, unsafe_exec: bool = False) -> None:
        if task.kind != "loglikelihood":
            raise SpecError(
                f"{task.name}: scorer 'multiple-choice' compares likelihoods, and the task asks for replies",
                'set kind = "loglikelihood" and prompt.choices, or use another scorer',
            )
        if task.metric not in METRICS:
            raise SpecError(
                f"{task.name}: metric: scorer 'multiple-choice' has no {task.metric!r}", "use acc, acc_norm"
            )
        self.task = task
        self.sandbox: str | None = None
        self.options = options(task, MultipleChoiceOptions)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def score(self, sample: Sample, completions: Sequence[Completion]) -> list[Score]:
        """Grade one attempt: ``completions`` are its choices.

        Raises:
            HarnessError: A choice or its log-likelihood is missing: the instrument's fault.
            SpecError: The record does not say which choice is right.
        """
        choices = sorted(completions, key=lambda completion: completion.turn)
        totals = self._totals(sample, choices)
        gold = self._gold(sample, len(choices))
        lengths = [self._length(choice.text) for choice in choices]
        per_length = [total / length for total, length in zip(totals, lengths, strict=True)]
        common = slices(self.task, sample)
        scores = []
        for metric, values in zip(METRICS, (totals, per_length), strict=True):
            chosen = values.index(max(values))
            scores.append(
                Score(
                    sample=sample.id,
                    attempt=choices[0].attempt,
                    turn=0,
                    metric=metric,
                    value=1.0 if chosen == gold else 0.0,
                    reason="ok" if chosen == gold else "wrong",
                    extracted=choices[chosen].text,
                    expected=choices[gold].text,
                    slices=common,
                    detail={"chosen": chosen, "gold": gold},
                )
            )
        return scores

    async def self_test(self, samples: Sequence[Sample]) -> None:
        """Grade made-up likelihoods that favour the right choice, which must be right, and the next, wrong."""
        for sample in samples[:3]:
            texts = self._choices(sample)
            gold = self._gold(sample, len(texts))
            for favourite, value in ((gold, 1.0), ((gold + 1) % len(texts), 0.0)):
                if len(texts) == 1 and value == 0.0:
                    continue  # with one choice there is no wrong one
                made_up = [_likelihood(sample, number, text, number == favourite) for number, text in enumerate(texts)]
                if any(score.value != value for score in await self.score(sample, made_up)):
                    raise InstrumentError(
                        f"{self.task.name}: a certain choice of {texts[favourite]!r} for sample {sample.id!r} is not "
                        f"graded {value:g}",
                        "correct the scorer's options",
                    )

    def _totals(self, sample: Sample, choices: Sequence[Completion]) -> list[float]:
        where = f"{self.task.name}: sample {sample.id!r}"
        expected = len(self._choices(sample))
        if [choice.turn for choice in choices] != list(range(expected)):
            raise HarnessError(f"{where}: {len(choices)} of {expected} choices were asked", "run the task again")
        totals = []
        for choice in choices:
            if choice.logprobs is None or math.isnan(choice.logprobs.total):
                raise HarnessError(
                    f"{where}: choice {choice.turn} has no log-likelihood",
                    "use an engine that returns log-probabilities of the prompt",
                )
            totals.append(choice.logprobs.total)
        return totals

    def _choices(self, sample: Sample) -> list[str]:
        where = f"{self.task.name}: prompt.choices, sample {sample.id!r}"
        if self.task.prompt.choices is None:
            raise SpecError(f"{where}: a loglikelihood task names the field with its choices")
        choices = lookup(sample.record, self.task.prompt.choices, where=where)
        if not isinstance(choices, list | tuple) or not choices:
            raise SpecError(f"{where}: field {self.task.prompt.choices!r} is no list of choices")
        return [str(choice) for choice in choices]

    def _length(self, continuation: str) -> int:
        text = continuation.removeprefix(" ") or continuation
        return max(1, len(text) if self.options.length == "characters" else len(text.encode("utf-8", "surrogatepass")))

    def _gold(self, sample: Sample, count: int) -> int:
        where = f"{self.task.name}: scorer.options.gold, sample {sample.id!r}"
        value = lookup(sample.record, self.options.gold, where=where)
        index = self._by_label(sample, value) if self.options.labels is not None else _by_number(value)
        if index is None or not 0 <= index < count:
            raise SpecError(
                f"{where}: {value!r} names none of the {count} choices",
                "gold is a number from 0 or a letter; for other labels name their field with the option 'labels'",
            )
        return index

    def _by_label(self, sample: Sample, value: Any) -> int | None:
        assert self.options.labels is not None
        where = f"{self.task.name}: scorer.options.labels, sample {sample.id!r}"
        labels = lookup(sample.record, self.options.labels, where=where)
        if not isinstance(labels, list | tuple):
            raise SpecError(f"{where}: field {self.options.labels!r} is no list")
        return labels.index(value) if value in labels else None


def _by_number(value: Any) -> int | None:
    """A number from 0, or a letter.

    A digit in a string is neither: some data sets count such labels from 1, and guessing would shift every answer.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) == 1 and "A" <= value.upper() <= "Z":
        return ord(value.upper()) - ord("A")
    return None


def _likelihood(sample: Sample, number: int, text: str, favourite: bool) -> Completion:
    # The favourite wins whatever the lengths: certain against as unlikely as anything.
    total = 0.0 if favourite else -1e9
    return Completion(
        sample=sample.id,
        attempt=0,
        turn=number,
        kind="loglikelihood",
        prompt_sha256="",
        text=text,
        logprobs=LogProbs(total=total, tokens=1, greedy=favourite),
    )

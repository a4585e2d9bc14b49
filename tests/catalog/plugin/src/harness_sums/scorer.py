"""A scorer: a reply is right if it is the sum, as a whole number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from harness.errors import InstrumentError
from harness.types import Completion, Reason, Sample, Score, Task


class WholeNumber:
    """Compares a reply with the record's ``sum``."""

    version: ClassVar[int] = 1

    def __init__(self, task: Task, **options: Any) -> None:
        self.sandbox: str | None = None
        self._metric = task.metric

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def self_test(self, samples: Sequence[Sample]) -> None:
        """A right and a wrong answer to the first sample must come out as such."""
        for sample in samples[:1]:
            right = int(sample.record["sum"])
            if self._grade(sample, str(right))[0] != 1.0 or self._grade(sample, str(right + 1))[0] != 0.0:
                raise InstrumentError(f"sums: sample {sample.id} is graded wrongly")

    async def score(self, sample: Sample, completions: Sequence[Completion]) -> list[Score]:
        """Grade the last reply."""
        last = completions[-1]
        value, reason = self._grade(sample, last.text)
        return [
            Score(
                sample=sample.id,
                attempt=last.attempt,
                turn=last.turn,
                metric=self._metric,
                value=value,
                reason=reason,
                extracted=last.text.strip(),
                expected=str(sample.record["sum"]),
            )
        ]

    def _grade(self, sample: Sample, text: str) -> tuple[float, Reason]:
        try:
            number = int(text)
        except ValueError:
            return 0.0, "no_answer"
        return (1.0, "ok") if number == sample.record["sum"] else (0.0, "wrong")

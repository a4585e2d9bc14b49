"""Grading one attempt: scores are journaled, and whatever fails is recorded as the instrument's fault."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness import prompts
from harness.clock import now
from harness.errors import HarnessError, InstrumentError, JudgeError, SandboxError, StoppedError, StoreError
from harness.redaction import redact
from harness.runner.job import Rule
from harness.runner.plan import Progress
from harness.scorers import UNIT, Scorer, scales
from harness.store import Cell, RecordError, Scoring
from harness.types import Completion, ErrorRecord, Sample, Score, Task, Where

_LONGEST_MESSAGE = 2000


class Grader:
    """Grades the attempts of one cell by one rule.

    Args:
        cell: Takes the errors.
        scoring: Takes the scores.
        rule: Its scorer grades.
        progress: Who is told.
    """

    def __init__(self, cell: Cell, scoring: Scoring, rule: Rule, progress: Progress) -> None:
        self.cell = cell
        self._scoring = scoring
        self._rule = rule
        self._progress = progress

    async def grade(self, sample: Sample, attempt: int, completions: Sequence[Completion]) -> None:
        """Score one attempt; a failure of the scorer makes it unscored and ends nothing else.

        Raises:
            StoreError: The run folder cannot be written.
            InstrumentError: The scorer must not grade.
            StoppedError: The run is ending, and a judge was not asked.
        """
        try:
            scores = await self._rule.scorer.score(sample, completions)
            _check(self._rule.task.scorer.name, self._rule.scorer, scores, (sample.id, attempt))
            self._scoring.append(*scores)
        except (InstrumentError, StoppedError):
            raise
        except RecordError as error:
            self._unscored(sample, attempt, "scorer", error.code, str(error))
        except StoreError:
            raise
        except HarnessError as error:
            where: Where = "sandbox" if isinstance(error, SandboxError) else "scorer"
            where = "judge" if isinstance(error, JudgeError) else where
            self._unscored(sample, attempt, where, error.code, str(error))
        except Exception as error:
            self._unscored(sample, attempt, "scorer", "bug", f"{type(error).__name__}: {error}")
        else:
            for score in scores:
                if score.value is None:  # a judge scores each turn apart: one may be missing
                    cause = str(score.detail.get("cause", "unscored"))
                    message = str(score.detail.get("message", "no readable verdict"))
                    self.fail(sample, attempt, score.turn, "judge", cause, f"{score.metric}: {message}")
                self._progress.scored(score)

    def fail(
        self, sample: Sample, attempt: int, turn: int, where: Where, code: str, message: str, tries: int = 1
    ) -> None:
        """Record why an attempt has no score (so far).

        Raises:
            StoreError: The run folder cannot be written.
        """
        record = ErrorRecord(
            sample=sample.id,
            attempt=attempt,
            turn=turn,
            where=where,
            code=code,
            message=redact(message)[:_LONGEST_MESSAGE],
            tries=tries,
            at=now(),
        )
        self.cell.error(record)
        self._progress.failed(record)

    def _unscored(self, sample: Sample, attempt: int, where: Where, code: str, message: str) -> None:
        self.fail(sample, attempt, 0, where, code, message)
        score = Score(
            sample=sample.id,
            attempt=attempt,
            turn=0,
            metric=self._rule.task.metric,
            value=None,
            reason="unscored",
            slices=slices(self._rule.task, sample),
            detail={"cause": code},
        )
        self._scoring.append(score)


def _check(name: str, scorer: Scorer, scores: Sequence[Score], key: tuple[str, int]) -> None:
    """Refuse at its item what no scoring can hold: nothing, another item's scores, a value off its scale.

    Raises:
        TypeError: There is none, or one is of another sample or attempt.
        HarnessError: A value lies outside its metric's scale.
    """
    if not scores:
        raise TypeError(f"scorer {name} gave no score")
    for score in scores:
        if (score.sample, score.attempt) != key:
            raise TypeError(f"scorer {name} scored {score.sample}/{score.attempt} when given {key[0]}/{key[1]}")
        low, high = scales(scorer).get(score.metric, UNIT)
        if isinstance(score.value, int | float) and not (math.isnan(score.value) or low <= score.value <= high):
            raise HarnessError(
                f"scorer {name}: {score.metric} {score.value:g} is outside its scale, {low:g} to {high:g}",
                "declare `scales` in the scorer, or repair the score",
                code="scale",
            )


def slices(task: Task, sample: Sample) -> dict[str, str]:
    """The slices a sample belongs to; fields the record lacks are left out."""
    found = {}
    for name in task.slices:
        try:
            found[name] = str(prompts.lookup(sample.record, name, where=task.name))
        except HarnessError:
            continue
    return found

"""Scorers: a sample and its completions go in, scores come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol, Self

from harness.types import Completion, Sample, Score, Task


class Scorer(Protocol):
    """Grades the completions of one sample and attempt. Use as an async context; bound to one task.

    A scorer whose metrics are not all between 0 and 1 also has ``scales``: metric -> lowest and highest value.
    """

    version: ClassVar[int]
    """Raised whenever a verdict can change; part of the ``score_id``."""
    sandbox: str | None
    """Level of the sandbox in use once entered (``landlock``, ``unsafe``), None where nothing is executed."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def self_test(self, samples: Sequence[Sample]) -> None:
        """Grade known-right and known-wrong answers first; raises `InstrumentError` when one comes out wrong."""
        ...

    async def score(self, sample: Sample, completions: Sequence[Completion]) -> list[Score]:
        """Grade one attempt.

        Args:
            sample: The record.
            completions: The attempt's turns in order (for likelihoods: the choices).

        Returns:
            One score per metric, with values within its scale. The model's fault is value 0 with its reason; raising
            `SandboxError` (or any other `HarnessError`) means the instrument's fault, and the runner records it as
            unscored.
        """
        ...


def scales(scorer: Scorer) -> Mapping[str, tuple[float, float]]:
    """What a scorer declares of its metrics' scales; a metric that is not in it is between 0 and 1."""
    declared: Mapping[str, tuple[float, float]] = getattr(scorer, "scales", {})
    return declared


UNIT = (0.0, 1.0)
"""Scale of a metric that declares none."""

__all__ = ["UNIT", "Completion", "Sample", "Score", "Scorer", "Task", "scales"]

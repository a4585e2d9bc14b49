"""A run in a process of its own, to be killed: real runner, store and endpoint engine; toy task and scorer.

Usage: python resumable.py URL RUNS SAMPLES
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from harness.engines import EngineOptions
from harness.runner import RunPlan, preflight, run
from harness.types import Completion, DatasetPin, Prompt, Sample, Sampling, Score, ScorerSpec, Task

TASK = Task(
    name="toy/turns",
    version=1,
    title="Toy",
    dataset=DatasetPin(name="toy", source="file:toy.jsonl", sha256="0" * 64),
    prompt=Prompt(turns=("Say {q}", "And then?"), format="vicuna_v1.1"),
    sampling=Sampling(temperature=0.0, max_new_tokens=16),
    scorer=ScorerSpec(name="toy"),
    metric="correct",
)


class Catalog:
    def task(self, name: str) -> Task:
        return TASK

    def known_model(self, name: str) -> None:
        return None

    def published(self) -> tuple[()]:
        return ()


class Data:
    def samples(self, task: Task) -> list[Sample]:
        return [Sample(id=str(n), record={"q": f"word-{n}"}) for n in range(int(sys.argv[3]))]

    def texts(self, task: Task) -> dict[str, str]:
        return {}


class Scorer:
    version = 1
    sandbox = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    async def self_test(self, samples: Sequence[Sample]) -> None: ...

    async def score(self, sample: Sample, completions: Sequence[Completion]) -> list[Score]:
        await asyncio.sleep(0.001)
        value = float(int(sample.id) % 3 == 0)
        text = "|".join(completion.text for completion in completions)
        key: dict[str, Any] = {"sample": sample.id, "attempt": completions[0].attempt, "turn": 0}
        return [Score(metric="correct", value=value, reason="ok" if value else "wrong", extracted=text, **key)]


class Told:
    def note(self, text: str) -> None:
        print(text, flush=True)

    def __getattr__(self, name: str) -> Any:
        return lambda *args: None


async def main() -> int:
    preflight.open_scorer = lambda task, **options: Scorer()  # type: ignore[assignment]
    preflight.scorer_version = lambda task: (1, None)
    plan = RunPlan(
        models=(sys.argv[1],),
        tasks=(TASK.name,),
        runs=Path(sys.argv[2]),
        engine=EngineOptions(concurrency=4, timeout=20, tries=2),
    )
    outcome = await run(plan, catalog=Catalog(), data=Data(), progress=Told())  # type: ignore[arg-type]
    return 130 if outcome.interrupted else 0 if outcome.cells[0].unscored == 0 else 3


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

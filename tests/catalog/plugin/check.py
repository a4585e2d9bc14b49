"""Uses the installed plug-in as the harness does and prints what it saw (one JSON document).

The two annotated assignments are also a static check: `mypy` on this file proves that the plug-in's classes satisfy
the protocols.
"""

import asyncio
import json

import harness_sums
from harness_sums.engine import Adder
from harness_sums.scorer import WholeNumber

from harness.catalog import Catalog, ask_id, registry, score_id
from harness.engines import Engine, EngineOptions
from harness.engines.registry import open_engine
from harness.prompts import requests
from harness.scorers import Scorer
from harness.scorers.registry import open_scorer, scorer_version
from harness.types import Completion, Sample, Task


def static(task: Task) -> tuple[Engine, Scorer]:
    return Adder("0", EngineOptions()), WholeNumber(task)


async def run(task: Task, model: str) -> list[float | None]:
    lines = (harness_sums.CATALOG / "tasks" / "sums" / "sums.jsonl").read_text().splitlines()
    samples = [Sample(id=record["id"], record=record) for record in map(json.loads, lines)]
    values: list[float | None] = []
    async with open_engine(model, EngineOptions()) as engine, open_scorer(task) as scorer:
        await engine.prepare(task, samples, "raw")
        await scorer.self_test(samples)
        for sample in samples:
            asked = requests(
                task,
                sample,
                attempt=0,
                turn=0,
                history=(),
                chat_format="raw",
                sampling=task.sampling,
                seed=0,
                texts={},
            )
            answers: list[Completion] = [await engine.ask(request) for request in asked]
            values += [score.value for score in await scorer.score(sample, answers)]
    return values


def main() -> None:
    catalog = Catalog.load()
    task = catalog.task("sums/plain")
    version, distribution = scorer_version(task)
    ask = ask_id(task, sampling=task.sampling, chat_format="raw", seed=0, model={"name": "adder"}, settings={})
    document = {
        "file": harness_sums.__file__,
        "tasks": catalog.tasks(),
        "reports": catalog.reports(),
        "problems": [str(problem) for problem in catalog.problems()],
        "prompt": task.prompt.turns,
        "source": task.dataset.source,
        "scorer": [version, distribution],
        "engines": registry("harness.engines", {}).names(),
        "ask_id": ask,
        "score_ids": [
            score_id(task, scorer_version=version, distribution=distribution),
            score_id(task, scorer_version=version),
        ],
        "right": asyncio.run(run(task, "adder:0")),
        "wrong": asyncio.run(run(task, "adder:1")),
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main()

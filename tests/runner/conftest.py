"""A small laboratory: a catalog, data, an engine and a scorer of our own, wired into the runner."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from harness import runner
from harness.engines import EngineOptions, Prepared
from harness.errors import UsageError
from harness.runner import RunPlan, preflight
from harness.store import Cell, CellView
from harness.types import (
    CellResult,
    Completion,
    DatasetPin,
    EngineFacts,
    ErrorRecord,
    Generate,
    KnownModel,
    ModelFacts,
    Prompt,
    PublishedNumber,
    Reference,
    Request,
    Sample,
    Sampling,
    Score,
    ScorerSpec,
    Task,
)

Reply = Callable[[Request], Awaitable[str]]


def make_task(name: str = "toy/plain", **fields: Any) -> Task:
    given: dict[str, Any] = {
        "version": 1,
        "title": "Toy",
        "dataset": DatasetPin(name="toy", source="file:toy.jsonl", sha256="0" * 64, id="id"),
        "prompt": Prompt(turns=("Say {q}",), format="raw"),
        "sampling": Sampling(temperature=0.0, max_new_tokens=16),
        "scorer": ScorerSpec(name="toy"),
        "metric": "correct",
        **fields,
    }
    return Task(name=name, **given)


class FakeCatalog:
    def __init__(self, *tasks: Task) -> None:
        self.known = {task.name: task for task in tasks}
        self.numbers: tuple[PublishedNumber, ...] = ()
        self.checkpoints: dict[str, KnownModel] = {}

    def task(self, name: str) -> Task:
        if name not in self.known:
            raise UsageError(f"no task {name!r}")
        return self.known[name]

    def known_model(self, name: str) -> KnownModel | None:
        return self.checkpoints.get(name)

    def published(self) -> tuple[PublishedNumber, ...]:
        return self.numbers


class FakeData:
    def __init__(self, count: int) -> None:
        self.count = count
        self.fails: Exception | None = None

    def samples(self, task: Task) -> list[Sample]:
        if self.fails is not None:
            raise self.fails
        return [Sample(id=str(n), record={"q": f"w{n}", "level": str(n % 2)}) for n in range(self.count)]

    def texts(self, task: Task) -> dict[str, str]:
        return {}


async def echo(request: Request) -> str:
    await asyncio.sleep(0)
    return f"{request.sample}/{request.attempt}/{request.turn}"


class FakeEngine:
    def __init__(self, name: str = "toy-model", reply: Reply = echo, concurrency: int = 4, **prepared: Any) -> None:
        self.concurrency = concurrency
        self.facts = EngineFacts(name="fake")
        self.model = ModelFacts(name=name, identity="declared")
        self.reply = reply
        self.asked: list[tuple[str, int, int]] = []
        self.requests: list[Request] = []
        self.in_flight = 0
        self.most = 0
        self.open = False
        self.finish_reason = "stop"
        self.prepared = Prepared(**prepared)

    async def __aenter__(self) -> Self:
        self.open = True
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.open = False

    def settings(self) -> Mapping[str, Any]:
        return {}

    async def prepare(self, task: Task, samples: Sequence[Sample], chat_format: str) -> Prepared:
        return self.prepared

    async def ask(self, request: Request) -> Completion:
        self.asked.append((request.sample, request.attempt, request.turn))
        self.requests.append(request)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            text = await self.reply(request)
        finally:
            self.in_flight -= 1
        return Completion(
            sample=request.sample,
            attempt=request.attempt,
            turn=request.turn,
            kind="generate" if isinstance(request, Generate) else "loglikelihood",
            prompt=request.prompt,
            prompt_sha256="ab" * 32,
            text=text,
            finish_reason=self.finish_reason,
        )


class FakeScorer:
    version = 1

    def __init__(self, task: Task) -> None:
        self.task = task
        self.sandbox: str | None = None
        self.open = False
        self.graded: list[tuple[str, int]] = []
        self.rule: Callable[[Sample, Sequence[Completion]], float] = lambda sample, completions: 1.0
        self.delay = 0.0
        self.in_work = 0
        self.most = 0
        self.test_fails: Exception | None = None
        self.more: tuple[str, ...] = ()
        self.scales: dict[str, tuple[float, float]] = {}

    async def __aenter__(self) -> Self:
        self.open = True
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.open = False

    async def self_test(self, samples: Sequence[Sample]) -> None:
        if self.test_fails is not None:
            raise self.test_fails

    async def score(self, sample: Sample, completions: Sequence[Completion]) -> list[Score]:
        self.in_work += 1
        self.most = max(self.most, self.in_work)
        await asyncio.sleep(self.delay)
        self.in_work -= 1
        value = self.rule(sample, completions)
        self.graded.append((sample.id, completions[0].attempt))
        return [
            Score(
                sample=sample.id,
                attempt=completions[0].attempt,
                turn=0,
                metric=metric,
                value=value,
                reason="ok" if value else "wrong",
                extracted=completions[-1].text,
                slices={field: str(sample.record[field]) for field in self.task.slices},
            )
            for metric in (self.task.metric, *self.more)
        ]


class Told:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.begun: list[tuple[str, str, int, int]] = []
        self.completions: list[Completion] = []
        self.scores: list[Score] = []
        self.errors: list[ErrorRecord] = []
        self.results: list[CellResult] = []
        self.on_asked: Callable[[Completion], None] = lambda completion: None

    def note(self, text: str) -> None:
        self.notes.append(text)

    def started(self, model: str, task: str, expected: int, done: int) -> None:
        self.begun.append((model, task, expected, done))

    def asked(self, completion: Completion) -> None:
        self.completions.append(completion)
        self.on_asked(completion)

    def scored(self, score: Score) -> None:
        self.scores.append(score)

    def failed(self, error: ErrorRecord) -> None:
        self.errors.append(error)

    def finished(self, result: CellResult) -> None:
        self.results.append(result)


class Lab:
    """Everything a run needs, and what came of it."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self.catalog = FakeCatalog(make_task())
        self.data = FakeData(6)
        self.engines = {"toy": FakeEngine()}
        self.scorers: dict[str, FakeScorer] = {}
        self.setup: Callable[[FakeScorer], None] = lambda scorer: None
        self.scorer_version = 1
        self.told = Told()

    @property
    def engine(self) -> FakeEngine:
        return self.engines["toy"]

    def open_engine(self, model: str, options: EngineOptions) -> FakeEngine:
        return self.engines[model]

    def open_scorer(self, task: Task, *, workers: int | None = None, unsafe_exec: bool = False) -> FakeScorer:
        scorer = FakeScorer(task)
        self.setup(scorer)
        self.scorers[task.name] = scorer
        return scorer

    def version(self, task: Task) -> tuple[int, str | None]:
        return self.scorer_version, None

    def plan(self, **fields: Any) -> RunPlan:
        given = {"models": tuple(self.engines), "tasks": tuple(self.catalog.known), "runs": self.runs, **fields}
        return RunPlan(**given)

    async def run(self, **fields: Any) -> runner.RunOutcome:
        self.told = self._fresh_told()
        return await runner.run(self.plan(**fields), catalog=self.catalog, data=self.data, progress=self.told)  # type: ignore[arg-type]

    async def score(self, path: str | Path, **fields: Any) -> CellResult:
        return await runner.score(
            Path(path),
            catalog=self.catalog,  # type: ignore[arg-type]
            data=self.data,  # type: ignore[arg-type]
            progress=self.told,
            **fields,
        )

    def view(self, result: CellResult) -> CellView:
        return Cell.read(Path(result.path))

    def _fresh_told(self) -> Told:
        fresh = Told()
        fresh.on_asked = self.told.on_asked
        return fresh


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    made = Lab(tmp_path / "runs")
    monkeypatch.setattr(preflight, "open_engine", made.open_engine)
    monkeypatch.setattr(preflight, "open_scorer", made.open_scorer)
    monkeypatch.setattr(preflight, "scorer_version", made.version)
    monkeypatch.setattr("harness.runner.references.open_engine", made.open_engine)
    return made


@pytest.fixture
def task() -> Callable[..., Task]:
    return make_task


@pytest.fixture
def engine() -> type[FakeEngine]:
    return FakeEngine


@pytest.fixture
def reference() -> Reference:
    return Reference(text="{q}", stage="reply")

"""A small judged benchmark of our own, and a judge over HTTP that misbehaves as it is told."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from harness import runner
from harness.catalog import Catalog
from harness.datasets import DataStore
from harness.engines import EngineOptions
from harness.judging.panel import JudgeOptions
from harness.reporting import compare
from harness.runner import RunOutcome, RunPlan
from harness.store import Cell, CellView
from harness.types import CellResult, Completion, ErrorRecord, Score

TASK = """\
version = 1
title = "Toy questions"
metric = "{metric}"
slices = ["kind"]
[dataset]
name = "toy"
source = "file:{data}"
sha256 = "{sha}"
id = "id"
[prompt]
turns = {turns}
[sampling]
temperature = 0.0
max_new_tokens = 64
[scorer]
name = "judge"
options = {{ judge = "{judge}" }}
"""

JUDGE = """\
version = 1
title = "Toy judge"
model = "openai:toy-judge"
kind = "single"
aggregation = "rating"
slices = ["kind"]
scale = [1, 10]
tokens = 20
[sampling]
temperature = 0.0
max_new_tokens = 128
[reading]
reader = "rating"
patterns = ['\\[\\[(\\d+\\.?\\d*)\\]\\]']
[texts.prompts]
name = "toy-prompts"
source = "file:{prompts}"
sha256 = "{sha}"
[[prompts]]
text = "prompts"
where = {{ name = "one" }}
turn = 0
[[prompts]]
text = "prompts"
where = {{ name = "two" }}
"""

PAIR = """\
version = 1
title = "Toy judge of pairs"
model = "openai:toy-judge"
kind = "pair"
position = "both-orders"
aggregation = "pairwise"
tokens = 20
[sampling]
temperature = 0.0
max_new_tokens = 128
[reading]
reader = "label"
labels = {{ "[[A]]" = "first", "[[B]]" = "second", "[[C]]" = "tie" }}
[texts.prompts]
name = "toy-prompts"
source = "file:{prompts}"
sha256 = "{sha}"
[[prompts]]
text = "prompts"
where = {{ name = "pair" }}
"""

PROMPTS = [
    {"name": "one", "system_prompt": "Grade.", "prompt_template": "Q: {question}\n<answer>{answer}</answer>"},
    {
        "name": "two",
        "system_prompt": "Grade the second.",
        "prompt_template": "{question_1}|{answer_1}|{question_2}|<answer>{answer_2}</answer>",
    },
    {
        "name": "pair",
        "system_prompt": "Compare.",
        "prompt_template": "Q: {question}\nA: <answer>{answer_a}</answer>\nB: <answer>{answer_b}</answer>",
    },
]

Handler = Callable[[dict[str, Any], int], Awaitable[web.StreamResponse]]


def write_lines(path: Path, rows: Sequence[Any]) -> str:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def answer(text: str | None, *, finish: str = "stop", reasoning: str | None = None, **usage: Any) -> web.Response:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if reasoning is not None:
        message["reasoning_content"] = reasoning
    return web.json_response(
        {
            "model": "toy-judge",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10} | usage,
        }
    )


class MockJudge:
    """A judge over HTTP. ``reply`` decides what every call gets; calls that were answered in full are counted."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.paid = 0
        self.in_flight = 0
        self.most = 0
        self.url = ""

        async def good(body: dict[str, Any], number: int) -> web.StreamResponse:
            return answer("Fine. Rating: [[7]]")

        self.reply: Handler = good

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "toy-judge", "object": "model"}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            response = await self.reply(body, len(self.asked) - 1)
        finally:
            self.in_flight -= 1
        if response.status == 200:
            self.paid += 1
        return response

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        started = web.AppRunner(app)
        await started.setup()
        site = web.TCPSite(started, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{started.addresses[0][1]}/v1#toy-judge"
        return started


@pytest.fixture
async def judge() -> AsyncIterator[MockJudge]:
    made = MockJudge()
    started = await made.start()
    yield made
    await started.cleanup()


class Told:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.errors: list[ErrorRecord] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def started(self, model: str, task: str, expected: int, done: int) -> None: ...

    def asked(self, completion: Completion) -> None: ...

    def scored(self, score: Score) -> None: ...

    def failed(self, error: ErrorRecord) -> None:
        self.errors.append(error)

    def finished(self, result: CellResult) -> None: ...


class Bench:
    """The toy benchmark in a folder: catalog, data, answers to replay, runs."""

    def __init__(self, folder: Path, count: int = 6, turns: int = 2) -> None:
        self.folder = folder
        self.runs = folder / "runs"
        self.turns = turns
        self.told = Told()
        self.count = count
        rows = [{"id": f"q{n}", "kind": f"k{n % 2}", "asks": [f"first {n}?", f"second {n}?"]} for n in range(count)]
        (folder / "catalog").mkdir()
        data = folder / "catalog" / "toy.jsonl"
        sha = write_lines(data, rows)
        prompts = folder / "catalog" / "prompts.jsonl"
        prompts_sha = write_lines(prompts, PROMPTS)
        said = json.dumps([f"{{asks.{turn}}}" for turn in range(turns)])
        for name, text, metric in (("single", JUDGE, "score"), ("pair", PAIR, "win")):
            for kind in ("tasks", "judges"):
                (folder / "catalog" / kind / "toy").mkdir(parents=True, exist_ok=True)
            judged = text.format(prompts=prompts, sha=prompts_sha)
            (folder / "catalog" / "judges" / "toy" / f"{name}.toml").write_text(judged)
            task = TASK.format(metric=metric, data=data, sha=sha, turns=said, judge=f"toy/{name}")
            (folder / "catalog" / "tasks" / "toy" / f"{name}.toml").write_text(task)
        self.catalog = Catalog.load([folder / "catalog"])
        self.data = DataStore([], folder / "cache", offline=True)

    def answers(self, name: str, text: Callable[[int, int], str]) -> Path:
        path = self.folder / f"{name}.jsonl"
        rows = [
            {"sample": f"q{n}", "turn": turn, "text": text(n, turn), "stage": "reply"}
            for n in range(self.count)
            for turn in range(self.turns)
        ]
        write_lines(path, rows)
        return path

    async def run(self, answers: Path, judge: str, *, task: str = "toy/single", **options: Any) -> RunOutcome:
        self.told = Told()
        engine = EngineOptions(concurrency=options.pop("concurrency", 4), tries=options.pop("tries", 3), timeout=20)
        plan = RunPlan(
            models=(f"replay:{answers}",),
            tasks=(task,),
            runs=self.runs,
            judge=JudgeOptions(model=judge, engine=engine, **options),
        )
        return await runner.run(plan, catalog=self.catalog, data=self.data, progress=self.told)

    async def score(self, cell: str, by: str | None, **options: Any) -> CellResult | None:
        self.told = Told()
        given = {key: options.pop(key) for key in ("judge", "dry_run") if key in options}
        engine = EngineOptions(concurrency=4, tries=3, timeout=20)
        return await runner.score(
            Path(cell),
            catalog=self.catalog,
            data=self.data,
            progress=self.told,
            judging=JudgeOptions(model=by, engine=engine, **options),
            **given,
        )

    def view(self, result: CellResult) -> CellView:
        return Cell.read(Path(result.path))

    def noted(self, result: CellResult) -> str:
        """What the run's report says beside its numbers."""
        return "\n".join(compare([self.view(result)], (), ()).notes)

    def scores(self, result: CellResult) -> list[Score]:
        assert result.score_id is not None
        return list(self.view(result).scores(result.score_id))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait milliseconds, so that a storm of refusals is over in a second."""
    from harness.engines import retry

    async def nap(seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))

    original = retry.Retry.__init__

    def made(self: retry.Retry, *args: Any, **fields: Any) -> None:
        original(self, *args, **{"sleep": nap, **fields})

    monkeypatch.setattr(retry.Retry, "__init__", made)

"""Runs that are killed, against an endpoint that logs what it is asked."""

from __future__ import annotations

import asyncio
import hashlib
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from harness.store import CellView, find_cells
from harness.types import Completion

SCRIPT = Path(__file__).parent / "resumable.py"
CONCURRENCY = 4


class Endpoint:
    """An OpenAI-compatible server whose reply follows from the prompt alone; it logs every prompt."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.seconds = 0.02
        self.url = ""
        self._changed = asyncio.Event()

    async def models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "mock", "object": "model"}]})

    async def complete(self, request: web.Request) -> web.Response:
        body = await request.json()
        prompt = body["prompt"]
        self.log.append(prompt)
        self._changed.set()
        await asyncio.sleep(self.seconds * random.uniform(0.5, 1.5))
        text = " reply-" + hashlib.sha256(prompt.encode()).hexdigest()[:8]
        choice = {"index": 0, "text": text, "finish_reason": "stop"}
        usage = {"prompt_tokens": 5, "completion_tokens": 2}
        return web.json_response({"id": "x", "model": "mock", "choices": [choice], "usage": usage})

    async def asked(self, more: int) -> None:
        """Wait until ``more`` further requests came."""
        goal = len(self.log) + more
        while len(self.log) < goal:
            self._changed.clear()
            await self._changed.wait()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    made = Endpoint()
    app = web.Application()
    app.router.add_get("/v1/models", made.models)
    app.router.add_post("/v1/completions", made.complete)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1#mock"
    yield made
    await runner.cleanup()


async def start(endpoint: Endpoint, runs: Path, samples: int) -> asyncio.subprocess.Process:
    command = [sys.executable, str(SCRIPT), endpoint.url, str(runs), str(samples)]
    return await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )


async def finish(endpoint: Endpoint, runs: Path, samples: int) -> CellView:
    process = await start(endpoint, runs, samples)
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    (view,) = find_cells(runs)
    assert view.manifest.state == "complete"
    return view


def content(view: CellView) -> tuple[dict[tuple[str, int, int], tuple[str | None, str]], dict[str, object], object]:
    """What must not depend on how often a run was killed: completions, scores and estimates."""
    rows: list[Completion] = list(view.completions())
    completions = {(row.sample, row.attempt, row.turn): (row.prompt, row.text) for row in rows}
    assert len(completions) == len(rows)  # no line doubled
    (score_id,) = view.scorings()
    scored = list(view.scores(score_id))
    scores = {f"{row.sample}/{row.attempt}/{row.metric}": (row.value, row.extracted) for row in scored}
    assert len(scores) == len(scored)
    return completions, scores, view.estimates(score_id)


@pytest.mark.slow
async def test_kill_9_at_twenty_random_moments(endpoint: Endpoint, tmp_path: Path) -> None:
    samples = 150
    endpoint.seconds = 0.005
    plain = content(await finish(endpoint, tmp_path / "plain", samples))
    assert sorted(Counter(endpoint.log).values()) == [1] * (2 * samples)
    endpoint.log.clear()
    endpoint.seconds = 0.02
    moments = random.Random(15)  # the moments differ with the machine's load all the same
    runs = tmp_path / "killed"
    for number in range(20):
        process = await start(endpoint, runs, samples)
        if number % 4 == 3:  # anywhere, starting up included
            await asyncio.sleep(moments.uniform(0.05, 0.6))
        else:
            await asyncio.wait_for(endpoint.asked(moments.randint(1, 6)), 30)
            await asyncio.sleep(moments.uniform(0, 0.03))
        process.kill()
        await process.communicate()
    endpoint.seconds = 0.005
    view = await finish(endpoint, runs, samples)
    assert content(view) == plain
    asked = Counter(endpoint.log)
    assert len(asked) == 2 * samples
    assert sum(asked.values()) - len(asked) <= 20 * CONCURRENCY  # at most what was in flight at each kill
    assert 16 <= len(view.manifest.invocations) <= 21


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_cleanly_and_the_same_command_resumes(
    endpoint: Endpoint, tmp_path: Path, number: signal.Signals
) -> None:
    samples = 40
    endpoint.seconds = 0.1
    process = await start(endpoint, tmp_path, samples)
    await asyncio.wait_for(endpoint.asked(10), 30)
    process.send_signal(number)
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 130, out.decode()
    (view,) = find_cells(tmp_path)
    assert view.manifest.state == "partial"
    call = view.manifest.invocations[-1]
    assert call.exit == 130
    assert call.ended is not None
    journaled = len(list(view.completions()))
    assert journaled == len(endpoint.log)  # requests in flight were let finish
    (score_id,) = view.scorings()
    (estimate,) = view.estimates(score_id)
    assert estimate.unscored["not-asked"] >= 30
    endpoint.seconds = 0.002
    view = await finish(endpoint, tmp_path, samples)
    assert set(Counter(endpoint.log).values()) == {1}  # nothing was asked twice
    assert len(view.manifest.invocations) == 2


async def test_a_second_signal_ends_at_once(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.seconds = 60
    process = await start(endpoint, tmp_path, 40)
    await asyncio.wait_for(endpoint.asked(4), 30)
    process.send_signal(signal.SIGINT)
    await asyncio.sleep(0.3)
    assert process.returncode is None  # it waits for what is in flight
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.communicate(), 5)
    assert process.returncode == 130
    (view,) = find_cells(tmp_path)
    assert view.manifest.state == "partial"


async def test_the_journal_shows_that_a_stalled_sample_holds_nobody_back(endpoint: Endpoint, tmp_path: Path) -> None:
    samples = 60
    stalled = "word-7 "
    quick = endpoint.complete

    async def stalls(request: web.Request) -> web.Response:
        if stalled in (await request.json())["prompt"]:
            await asyncio.sleep(1.2)
        return await quick(request)

    app = web.Application()
    app.router.add_get("/v1/models", endpoint.models)
    app.router.add_post("/v1/completions", stalls)
    server = web.AppRunner(app, shutdown_timeout=1)
    await server.setup()
    await web.TCPSite(server, "127.0.0.1", 0).start()
    endpoint.url = f"http://127.0.0.1:{server.addresses[0][1]}/v1#mock"
    endpoint.seconds = 0.002
    try:
        view = await finish(endpoint, tmp_path, samples)
    finally:
        await server.cleanup()
    order = [row.sample for row in view.completions()]
    assert order[-1] == "7"
    assert order.index("7") > 100  # all others were answered, both turns, before its first
    (score_id,) = view.scorings()
    assert [row.sample for row in view.scores(score_id)][-1] == "7"

import asyncio
import json
from typing import Any

import pytest

from harness.engines import EngineOptions, wire
from harness.engines.endpoint import Endpoint
from harness.errors import RequestError
from tests.engines.mock_server import (
    Server,
    cut,
    drip,
    flood,
    generate,
    hang_up,
    never,
    prepared,
    raw,
    status,
)

# --- faults ---------------------------------------------------------------------------------------------------------

PASSING = [
    pytest.param(status(429), "http-429", id="429"),
    pytest.param(status(429, headers={"Retry-After": "0"}), "http-429", id="429-retry-after"),
    pytest.param(status(408), "http-408", id="408"),
    pytest.param(status(409), "http-409", id="409"),
    pytest.param(status(425), "http-425", id="425"),
    pytest.param(status(500), "http-500", id="500"),
    pytest.param(status(503), "http-503", id="503"),
    pytest.param(hang_up, "connection", id="hang-up"),
    pytest.param(cut, "cut", id="cut"),
    pytest.param(raw(b'{"choices": [{"te'), "bad-json", id="half-json"),
    pytest.param(raw(b""), "bad-json", id="nothing"),
    pytest.param(raw(b"<html>busy</html>", "text/html"), "bad-json", id="html"),
    pytest.param(raw(b"[]"), "bad-json", id="list"),
    pytest.param(raw(b"[" * 100_000), "bad-json", id="deep"),
    pytest.param(raw(b'{"choices": [{"text": "\xff\xfe", "finish_reason": "stop"}]}'), "encoding", id="not-utf8"),
    pytest.param(raw(b'{"choices": []}'), "empty-choices", id="no-choices"),
    pytest.param(raw(b'{"error": {"message": "busy"}}'), "empty-choices", id="error-as-200"),
    pytest.param(raw(b'{"choices": [{"text": null}]}'), "empty-choices", id="empty-choice"),
]


@pytest.mark.parametrize(("fault", "code"), PASSING)
async def test_a_fault_that_passes(server: Server, engine: Endpoint, fault: Any, code: str) -> None:
    server.script.extend([fault, fault])
    answer = await engine.ask(generate())
    assert (answer.text, answer.tries) == ("An answer.", 3)


@pytest.mark.parametrize(("fault", "code"), PASSING)
async def test_a_fault_that_stays(server: Server, engine: Endpoint, fault: Any, code: str) -> None:
    server.script.extend([fault] * 3)
    with pytest.raises(RequestError) as caught:
        await engine.ask(generate())
    assert (caught.value.code, caught.value.tries) == (code, 3)
    assert not server.script


@pytest.mark.parametrize("code", [400, 402, 403, 404, 422])
async def test_a_refusal_is_not_repeated(server: Server, engine: Endpoint, code: int) -> None:
    server.script.append(status(code, "never \x1b[31mso\x00 " + "x" * 1000))
    with pytest.raises(RequestError) as caught:
        await engine.ask(generate())
    assert (caught.value.code, caught.value.tries) == (f"http-{code}", 1)
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 500


async def test_redirects_are_not_followed(server: Server, engine: Endpoint) -> None:
    server.script.append(status(307, headers={"Location": "http://elsewhere.invalid/"}))
    with pytest.raises(RequestError, match="final URL"):
        await engine.ask(generate())


async def test_retry_after_is_obeyed(server: Server, engine: Endpoint) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    object.__setattr__(engine._retry, "sleep", sleep)
    server.script.extend([status(429, headers={"Retry-After": "7"}), status(503, headers={"Retry-After": "9999"})])
    await engine.ask(generate())
    assert [round(pause) for pause in pauses] == [7, 120]


@pytest.mark.parametrize("fault", [never, drip])
async def test_a_try_has_a_total_time(server: Server, fault: Any) -> None:
    server.script.append(fault)
    async with prepared(server.url, options=EngineOptions(timeout=0.1, tries=1)) as engine:
        with pytest.raises(RequestError, match=r"0\.1 s") as caught:
            await engine.ask(generate())
    assert caught.value.code == "timeout"


async def test_a_flood_is_not_read(server: Server, engine: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_BODY", 1024 * 1024)
    server.script.append(flood)
    with pytest.raises(RequestError, match="longer than 1 MiB") as caught:
        await engine.ask(generate())
    assert (caught.value.code, caught.value.tries) == ("too-large", 1)


async def test_an_answer_without_usage(server: Server, engine: Endpoint) -> None:
    server.usage = False
    answer = await engine.ask(generate())
    assert (answer.text, answer.prompt_tokens, answer.completion_tokens) == ("An answer.", None, None)


@pytest.mark.parametrize("reported", ["other", "wizard-2", "somebody/else"])
async def test_another_models_answer_is_refused(server: Server, engine: Endpoint, reported: str) -> None:
    server.reported = reported
    with pytest.raises(RequestError, match=f"'wizard', but '{reported}'") as caught:
        await engine.ask(generate())
    assert (caught.value.code, caught.value.tries) == ("wrong-model", 1)


@pytest.mark.parametrize(
    "reported", ["wizard", "Wizard", "/m/wizard", "org/wizard", "wizard-2026-01-02", "wizard:latest"]
)
async def test_the_same_model_by_another_name(server: Server, engine: Endpoint, reported: str) -> None:
    server.reported = reported
    assert (await engine.ask(generate())).text == "An answer."


async def test_an_empty_answer_is_an_answer(server: Server, engine: Endpoint, chat: Endpoint) -> None:
    server.script.append({"text": None, "finish_reason": "stop"})
    assert (await engine.ask(generate())).text == ""
    server.script.append({"message": {"content": None}, "finish_reason": "length"})
    assert (await chat.ask(generate(None))).text == ""


async def test_lone_surrogates_do_not_reach_the_journal(server: Server, engine: Endpoint) -> None:
    server.script.append(raw(json.dumps({"choices": [{"text": "a\ud800b\U0001f600"}]}).encode()))
    assert (await engine.ask(generate())).text == "a\ufffdb\U0001f600"
    with pytest.raises(RequestError) as caught:
        await engine.ask(generate("a\ud800"))
    assert (caught.value.code, caught.value.tries) == ("encoding", 1)


async def test_cancelling_frees_the_slot(server: Server) -> None:
    server.script.append(never)
    async with prepared(server.url, options=EngineOptions(concurrency=1)) as engine:
        stalled = asyncio.create_task(engine.ask(generate()))
        await asyncio.sleep(0.02)
        stalled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stalled
        assert (await engine.ask(generate())).text == "An answer."

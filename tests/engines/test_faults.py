"""What a server can do wrong, each fault against both engines and both interfaces."""

import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from harness.engines import EngineOptions, openai, wire
from harness.engines.endpoint import Endpoint
from harness.engines.openai import OpenAI
from harness.errors import RequestError
from harness.types import Completion
from tests.engines.mock_server import (
    Server,
    both,
    choice,
    cut,
    drip,
    flood,
    generate,
    hang_up,
    make_samples,
    make_task,
    never,
    packed,
    raw,
    status,
)

TRIES = 3


class Asker:
    """An engine with the request that its interface takes."""

    def __init__(self, engine: Endpoint | OpenAI, *, chat: bool) -> None:
        self.engine = engine
        self.chat = chat
        self.pauses: list[float] = []
        object.__setattr__(engine._retry, "sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def ask(self, prompt: str = "Say it.") -> Completion:
        return await self.engine.ask(generate(None if self.chat else prompt))

    async def fails(self) -> RequestError:
        with pytest.raises(RequestError) as caught:
            await self.ask()
        return caught.value


@pytest.fixture(params=["endpoint-completions", "endpoint-chat", "openai-completions", "openai-chat"])
async def asker(
    request: pytest.FixtureRequest, server: Server, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Asker]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    name, _, interface = request.param.partition("-")
    chat = interface == "chat"
    options = EngineOptions(timeout=5.0, tries=TRIES)
    engine = Endpoint(server.url, options) if name == "endpoint" else OpenAI("wizard", options)
    async with engine:
        await engine.prepare(make_task(), make_samples(), "tokenizer" if chat else "raw")
        server.seen.clear()
        yield Asker(engine, chat=chat)


def later(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


PASSING = {
    "408": (status(408), "http-408"),
    "409": (status(409), "http-409"),
    "425": (status(425), "http-425"),
    "429": (status(429), "http-429"),
    "429-seconds": (status(429, headers={"Retry-After": "0"}), "http-429"),
    "429-date": (status(429, headers={"Retry-After": later(-3)}), "http-429"),
    "429-absurd": (status(429, headers={"Retry-After": "a while"}), "http-429"),
    "500": (status(500), "http-500"),
    "502": (status(502), "http-502"),
    "503": (status(503), "http-503"),
    "504": (status(504), "http-504"),
    "599": (status(599), "http-599"),
    "hang-up": (hang_up, "connection"),
    "cut": (cut, "cut"),
    "nothing": (raw(b""), "bad-json"),
    "half-json": (raw(b'{"choices": [{"te'), "bad-json"),
    "html": (raw(b"<html>busy</html>", "text/html"), "bad-json"),
    "stream": (raw(b'data: {"choices": [{"text": "A"}]}\n\ndata: [DONE]\n\n', "text/event-stream"), "bad-json"),
    "number": (raw(b"3"), "bad-json"),
    "list": (raw(b"[]"), "bad-json"),
    "deep": (raw(b"[" * 100_000), "bad-json"),
    "long-integer": (raw(b'{"usage": {"prompt_tokens": ' + b"9" * 5000 + b"}}"), "bad-json"),
    "not-utf8": (raw(b'{"choices": [{"text": "\xff\xfe", "finish_reason": "stop"}]}'), "encoding"),
    "utf-16": (raw('{"choices": []}'.encode("utf-16")), "encoding"),
    "gzip-garbage": (packed(b"\x1f\x8b garbage"), "cut"),
    "gzip-cut": (packed(gzip.compress(b'{"choices": []}' * 100)[:-20]), None),
    "error-as-200": (raw(b'{"error": {"message": "busy"}}'), "empty-choices"),
    "choices-absent": (raw(b"{}"), "empty-choices"),
    "choices-empty": (choice([]), "empty-choices"),
    "choices-null": (choice(None), "empty-choices"),
    "choices-object": (choice({"0": {"text": "A"}}), "empty-choices"),
    "choices-text": (choice("A"), "empty-choices"),
    "choice-null": (choice([None]), "empty-choices"),
    "choice-text": (choice(["A"]), "empty-choices"),
    "choice-empty": (choice([{}]), "empty-choices"),
    "message-null": (choice([{"message": None, "finish_reason": "stop"}]), "empty-choices"),
    "delta": (choice([{"delta": {"content": "A"}, "finish_reason": "stop"}]), "empty-choices"),
    "content-absent": (both(), "empty-choices"),
    "content-null": (both(finish=None, content=None), "empty-choices"),
    "content-number": (both(content=42), "empty-choices"),
    "content-object": (both(content={"text": "A"}), "empty-choices"),
    "content-junk": (both(content=[1, {"type": "image"}, None]), "empty-choices"),
    "aborted": (both(finish="abort", content="The answer is"), "aborted"),
    "error-finish": (both(finish="error", content="The answer is"), "aborted"),
}

FINAL = {
    "400": (status(400), "http-400"),
    "401": (status(401), "http-401"),
    "402": (status(402), "http-402"),
    "403": (status(403), "http-403"),
    "404-model": (status(404, "The model `wizard` does not exist."), "http-404"),
    "422": (status(422), "http-422"),
    "301": (status(301, headers={"Location": "http://127.0.0.1:1/"}), "http-301"),
    "307": (status(307, headers={"Location": "http://127.0.0.1:1/"}), "http-307"),
    "308-loop": (status(308, headers={"Location": "/v1/completions"}), "http-308"),
    "context": (status(400, "This model's maximum context length is 9 tokens"), "context"),
    "flood": (flood, "too-large"),
    "bomb": (packed(gzip.compress(b" " * 8 * 2**20)), "too-large"),
    "other-model": (raw(b'{"model": "gpt-9", "choices": [{"text": "A"}]}'), "wrong-model"),
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long body need not be 64 MiB here."""
    for module in (openai, wire):
        monkeypatch.setattr(module, "MAX_BODY", 2**20)


@pytest.mark.parametrize("name", PASSING)
async def test_a_fault_that_passes_is_tried_again(server: Server, asker: Asker, name: str) -> None:
    server.script.extend([PASSING[name][0]] * (TRIES - 1))
    answer = await asker.ask()
    assert (answer.text, answer.tries, len(asker.pauses)) == ("An answer.", TRIES, TRIES - 1)


@pytest.mark.parametrize("name", PASSING)
async def test_a_fault_that_stays_is_no_answer(server: Server, asker: Asker, name: str) -> None:
    fault, code = PASSING[name]
    server.script.extend([fault] * TRIES)
    error = await asker.fails()
    assert error.tries == TRIES
    assert error.code in ({code} if code else {"cut", "bad-json"})
    assert len(server.seen) == TRIES


@pytest.mark.parametrize("name", FINAL)
async def test_a_fault_that_no_repetition_mends_is_not_repeated(server: Server, asker: Asker, name: str) -> None:
    fault, code = FINAL[name]
    server.script.append(fault)
    error = await asker.fails()
    assert (error.code, error.tries, asker.pauses) == (code, 1, [])
    assert len(server.seen) == 1  # a redirect is not followed either
    assert len(error.message) < 500
    assert "sk-very-secret" not in error.message


@pytest.mark.parametrize("fault", [never, drip])
async def test_a_try_ends_in_time_however_slowly_the_server_drips(server: Server, asker: Asker, fault: Any) -> None:
    asker.engine._options = EngineOptions(timeout=0.2, tries=TRIES)
    if isinstance(asker.engine, Endpoint):
        asker.engine._wire._timeout = 0.2
    server.script.append(fault)
    answer = await asker.ask()
    assert (answer.text, answer.tries) == ("An answer.", 2)
    server.script.extend([fault] * TRIES)
    error = await asker.fails()
    assert (error.code, error.tries) == ("timeout", TRIES)
    assert "0.2 s" in error.message


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 8),
        ("9999999999", 120, 121),
        ("1e999", 120, 121),
        ("-5", 0, 1),
        ("nan", 0, 1),
        ("soon", 0, 1),
        ("", 0, 1),
        # Whatever collects the tests must find the same names at any time.
        pytest.param(later(3600), 120, 121, id="in an hour"),
        pytest.param(later(-3600), 0, 1, id="an hour ago"),
    ],
)
async def test_retry_after(server: Server, asker: Asker, header: str, least: float, most: float) -> None:
    server.script.append(status(429, headers={"Retry-After": header}))
    assert (await asker.ask()).tries == 2
    assert least <= asker.pauses[0] <= most


async def test_answers_without_usage_or_with_another_kind(server: Server, asker: Asker) -> None:
    for usage in (None, [], "7", {"prompt_tokens": "3", "completion_tokens": -1}, {"prompt_tokens": 10**300}):
        server.script.append(odd_usage(usage))
        answer = await asker.ask()
        assert (answer.text, answer.prompt_tokens, answer.completion_tokens) == ("An answer.", None, None)


def odd_usage(usage: Any) -> Any:
    async def answer(request: Any, body: Any) -> Any:
        from aiohttp import web

        regular = Server().regular(request.path, body, {})
        return web.json_response(regular | {"usage": usage})

    return answer


async def test_reasoning_beside_empty_content(server: Server, asker: Asker) -> None:
    if not asker.chat:
        pytest.skip("the completions interface has no field for it")
    for empty in ({"content": ""}, {"content": None}, {}):
        server.script.append({"message": {"role": "assistant", "reasoning_content": "Hm.", **empty}})
        answer = await asker.ask()
        assert (answer.text, answer.reasoning, answer.tries) == ("", "Hm.", 1)


async def test_an_empty_answer_is_the_models(server: Server, asker: Asker) -> None:
    for content in ("", None, []):
        server.script.append(both(content=content))
        answer = await asker.ask()
        assert (answer.text, answer.tries) == ("", 1)


async def test_a_reply_is_kept_as_it_was_spelled(server: Server, asker: Asker) -> None:
    text = "a\ud800b\0\U0001f600\u2028"
    server.script.append(both(content=text))
    assert (await asker.ask()).text == text


async def test_a_prompt_that_utf8_cannot_carry_is_an_error_of_its_item(asker: Asker) -> None:
    if asker.chat:
        pytest.skip("the test's messages are fixed")
    with pytest.raises(RequestError) as caught:
        await asker.ask("a\ud800")
    assert (caught.value.code, caught.value.tries) == ("encoding", 1)


async def test_a_server_that_restarts_in_the_middle(server: Server, asker: Asker) -> None:
    server.script.extend([cut, hang_up])
    assert (await asker.ask()).tries == 3
    assert (await asker.ask()).tries == 1

"""A scriptable OpenAI-like server that logs what it is asked, and helpers to ask it."""

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from harness.engines import EngineOptions
from harness.engines.endpoint import Endpoint
from harness.types import (
    DatasetPin,
    Generate,
    LogLikelihood,
    Message,
    Prompt,
    Reference,
    Sample,
    Sampling,
    ScorerSpec,
    Task,
)

PIN = DatasetPin(name="own", source="file:own.jsonl", sha256="0" * 64)
GREEDY = Sampling(temperature=0.0, max_new_tokens=16)


def make_task(name: str = "own/plain", **changes: Any) -> Task:
    """A small task of our own."""
    fields: dict[str, Any] = {
        "name": name,
        "version": 1,
        "title": "Own",
        "dataset": PIN,
        "prompt": Prompt(turns=("{question}",)),
        "sampling": GREEDY,
        "scorer": ScorerSpec(name="exact"),
        "metric": "correct",
        "reference": Reference(text="{answer}"),
    }
    return Task(**(fields | changes))


def make_samples(count: int = 3) -> list[Sample]:
    """Records with a question and an answer."""
    return [Sample(id=f"own/{n}", record={"question": f"What is {n}?", "answer": f"It is {n}."}) for n in range(count)]


def generate(prompt: str | None = "Say it.", **changes: Any) -> Generate:
    """A request of the task `make_task` makes."""
    fields: dict[str, Any] = {
        "task": "own/plain",
        "sample": "own/0",
        "attempt": 0,
        "turn": 0,
        "sampling": GREEDY,
        "seed": 7,
        "prompt": prompt,
    }
    if prompt is None:
        fields["messages"] = (Message(role="user", content="Say it."),)
    return Generate(**(fields | changes))


def likelihood(prompt: str, continuation: str) -> LogLikelihood:
    """A likelihood request of the task `make_task` makes."""
    return LogLikelihood(task="own/plain", sample="own/0", attempt=0, turn=1, prompt=prompt, continuation=continuation)


@dataclass
class Seen:
    """One request as the server got it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


Answer = Callable[[web.Request, Any], Any]


@dataclass
class Server:
    """The server's state; tests script it.

    ``script`` holds what answers the next requests for completions: a handler, or a dictionary that overrides the
    regular answer's choice. An empty script means the regular answer.
    """

    url: str = ""
    models: list[dict[str, Any]] = field(default_factory=list)
    script: deque[Any] = field(default_factory=deque)
    seen: list[Seen] = field(default_factory=list)
    reported: str | None = None
    tokenizer: bool = True
    echo: bool = True
    bos: str = ""
    usage: bool = True
    version: str | None = "0.32.0"
    listed: bool = True
    rendered: str | None = "<|im_start|>assistant\n"
    delay: float = 0.0
    in_flight: int = 0
    most_in_flight: int = 0
    key: str | None = None

    def asked(self, path: str) -> list[Seen]:
        """Requests whose path ends so."""
        return [one for one in self.seen if one.path.endswith(path)]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Log and route one request."""
        raw = await request.read()
        body = json.loads(raw) if raw else None
        self.seen.append(Seen(request.method, request.path, request.query_string, dict(request.headers), body))
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.json_response(
                {"error": {"message": f"bad key {request.headers.get('Authorization')}"}}, status=401
            )
        path = request.path
        if path == "/v1/models" and self.listed:
            return web.json_response({"object": "list", "data": self.models})
        if path == "/version" and self.version is not None:
            return web.json_response({"version": self.version})
        if path == "/tokenize" and self.tokenizer:
            text = body["prompt"] if "prompt" in body else " ".join(one["content"] for one in body["messages"])
            tokens = self.split(text)
            return web.json_response({"count": len(tokens), "tokens": list(range(len(tokens)))})
        if path == "/detokenize" and self.rendered is None:
            return web.Response(status=503)
        if path == "/detokenize" and self.tokenizer:
            return web.json_response({"prompt": self.rendered})
        if path in ("/v1/completions", "/v1/chat/completions"):
            return await self.complete(request, body)
        return web.json_response({"detail": "Not Found"}, status=404)

    async def complete(self, request: web.Request, body: Any) -> web.StreamResponse:
        """Answer a request for a completion by the script, else regularly."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.delay:
                await asyncio.sleep(self.delay)
            step = self.script.popleft() if self.script else {}
            if callable(step):
                return await step(request, body)  # type: ignore[no-any-return]
            return web.json_response(self.regular(request.path, body, step))
        finally:
            self.in_flight -= 1

    def regular(self, path: str, body: Any, changes: dict[str, Any]) -> dict[str, Any]:
        """The answer of a healthy server."""
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
        if path.endswith("chat/completions"):
            choice["message"] = {"role": "assistant", "content": "An answer."}
        else:
            choice["text"] = "An answer."
        if body.get("echo") and self.echo:
            choice = self.echoed(body)
        answer = {"id": "x", "model": self.reported or body["model"], "choices": [choice | changes]}
        if self.usage:
            prompt = body.get("prompt") or " ".join(one["content"] for one in body.get("messages", []))
            said = body.get("max_tokens", 16) if (choice | changes)["finish_reason"] == "length" else 1
            answer["usage"] = {"prompt_tokens": len(self.split(prompt)), "completion_tokens": said}
        return answer

    def split(self, text: str) -> list[str]:
        """Tokens: words with the white space before them, after the beginning-of-sequence token if there is one."""
        return ([self.bos] if self.bos else []) + re.findall(r"\s*\S+", text)

    def echoed(self, body: Any) -> dict[str, Any]:
        """As vLLM echoes: the n-th token has log-probability -n/4; odd ones are not the most likely."""
        tokens = [*self.split(body["prompt"]), " more"]
        offsets = [sum(map(len, tokens[:n])) for n in range(len(tokens))]
        values = [None] + [-n / 4 for n in range(1, len(tokens))]
        tops = [None] + [{tokens[n]: -n / 4} | ({"other": -0.01} if n % 2 else {}) for n in range(1, len(tokens))]
        columns = {"tokens": tokens, "token_logprobs": values, "text_offset": offsets, "top_logprobs": tops}
        return {"text": body["prompt"] + " more", "finish_reason": "length", "logprobs": columns}


# --- faults ---------------------------------------------------------------------------------------------------------


def status(code: int, message: str = "no", headers: dict[str, str] | None = None) -> Answer:
    """An error document."""

    async def answer(request: web.Request, body: Any) -> web.StreamResponse:
        return web.json_response({"error": {"message": message, "code": code}}, status=code, headers=headers)

    return answer


def raw(content: bytes, kind: str = "application/json") -> Answer:
    """A complete response with these bytes."""

    async def answer(request: web.Request, body: Any) -> web.StreamResponse:
        return web.Response(body=content, content_type=kind)

    return answer


def choice(value: Any) -> Answer:
    """A complete response whose list of choices is this."""
    return raw(json.dumps({"model": "wizard", "choices": value}).encode())


def both(finish: str | None = "stop", **content: Any) -> Answer:
    """A choice with this ``content``, in the form of the interface that is asked; nothing given: without any."""

    async def answer(request: web.Request, body: Any) -> web.StreamResponse:
        if "messages" in body:
            one: dict[str, Any] = {"message": {"role": "assistant", **content}}
        else:
            one = {"text": content["content"]} if "content" in content else {}
        return web.json_response({"model": body["model"], "choices": [one | {"finish_reason": finish}]})

    return answer


def packed(content: bytes) -> Answer:
    """A response that calls itself gzipped."""

    async def answer(request: web.Request, body: Any) -> web.StreamResponse:
        return web.Response(body=content, content_type="application/json", headers={"Content-Encoding": "gzip"})

    return answer


async def cut(request: web.Request, body: Any) -> web.StreamResponse:
    """Promise a thousand bytes, send twenty, hang up."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"choices": [{"text"')
    assert request.transport is not None
    request.transport.close()
    return response


async def hang_up(request: web.Request, body: Any) -> web.StreamResponse:
    """Close the connection without a byte."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def drip(request: web.Request, body: Any) -> web.StreamResponse:
    """Send a byte now and then, without an end."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)
    except ConnectionError:
        return response


async def never(request: web.Request, body: Any) -> web.StreamResponse:
    """Send nothing for longer than any test waits."""
    await asyncio.sleep(60)
    return web.Response()


async def flood(request: web.Request, body: Any) -> web.StreamResponse:
    """Send more than any answer needs."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        for _ in range(64):
            await response.write(b" " * 65536)
    except ConnectionError:
        pass
    return response


# --- engines ------------------------------------------------------------------------------------------------------

OPTIONS = EngineOptions(timeout=5.0, tries=3)


@asynccontextmanager
async def prepared(
    url: str, *, chat: bool = False, options: EngineOptions = OPTIONS, **task: Any
) -> AsyncIterator[Endpoint]:
    """An entered engine with the task of our own prepared."""
    async with Endpoint(url, options) as engine:
        await engine.prepare(make_task(**task), make_samples(), "tokenizer" if chat else "raw")
        yield engine

"""What an endpoint serves: its model entry, and which of vLLM's additions to the protocol it has."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from harness.engines.address import Address, key_remedy
from harness.engines.payload import whole
from harness.engines.reasoning import OPEN
from harness.engines.retry import Retry, TryError
from harness.engines.wire import TLS, Wire
from harness.errors import EngineError, RequestError
from harness.plain import one_line
from harness.spelling import suggestion
from harness.types import Message

PROBE_SECONDS = 30.0
"""Time limit of one preflight exchange with a server of somebody else, which may be gone."""
_STABLE = ("id", "root", "parent", "owned_by", "max_model_len")
"""Fields of a model entry that stay the same across restarts (``created`` and ``permission`` do not)."""


_PASSING = frozenset({"timeout", "connection", "cut", "http-429", "http-503"})
"""Failures that say nothing of what a server can do."""


class Served:
    """One model of an endpoint, once `discover` has found it.

    Attributes:
        name: As sent in requests.
        entry: The stable part of the model entry; empty where the server has no list of models.
        aliases: Other names of the same weights.
        version: vLLM's version; empty where unknown.
        counts: Whether the server can count a prompt's tokens; known after `probe`.
    """

    def __init__(self, wire: Wire, address: Address, timeout: float, context: int | None = None) -> None:
        self._wire = wire
        self._address = address
        self._timeout = timeout
        self._context = context
        self._probed = False
        self._opens: bool | None = None
        self._lock = asyncio.Lock()
        self.name = ""
        self.entry: Mapping[str, Any] = {}
        self.aliases: tuple[str, ...] = ()
        self.version = ""
        self.counts = False

    @property
    def vllm(self) -> bool:
        """Whether the server says that it is vLLM."""
        return self.entry.get("owned_by") == "vllm"

    @property
    def max_model_len(self) -> int | None:
        """The context in tokens, where the server declares it or we know it."""
        return whole(self.entry.get("max_model_len")) or self._context

    async def discover(self) -> None:
        """Find the model that the address means.

        Raises:
            EngineError: Nothing answers, the key is refused, or no model or not this one is served.
        """
        base = self._address.base
        try:
            body = await self._wire.get(self._address.api("models"), seconds=self._timeout)
        except TryError as failure:
            if failure.code not in {"http-404", "http-405", "http-501"}:
                raise unreachable(self._address, failure.code, str(failure)) from failure
            if self._address.served is None:
                raise EngineError(
                    f"{base}: no list of models there", "check the URL (it mostly ends in /v1), or add #SERVED-NAME"
                ) from failure
            self.name = self._address.served
        else:
            self._choose(_entries(body, base))
        self.version = await self._version()

    def _choose(self, entries: Sequence[Mapping[str, Any]]) -> None:
        names = [entry["id"] for entry in entries]
        wanted = self._address.served
        if wanted is None:
            if len(names) != 1:
                shown = ", ".join(one_line(name, 100) for name in names[:20])
                raise EngineError(
                    f"{self._address.base}: serves {len(names)} models: {shown}",
                    f"choose one: {self._address.base}#NAME",
                )
            wanted = names[0]
        if wanted not in names:
            shown = one_line(suggestion(wanted, names))
            raise EngineError(
                f"{self._address.base}: serves no model '{one_line(wanted)}'", f"{shown} (the name goes after '#')"
            )
        entry = entries[names.index(wanted)]
        self.name = wanted
        self.entry = {key: entry[key] for key in _STABLE if isinstance(entry.get(key), str | int)}
        root = entry.get("root")
        if isinstance(root, str):
            same = [other["id"] for other in entries if other.get("root") == root]
            self.aliases = tuple(dict.fromkeys([*same, root]))

    async def _version(self) -> str:
        try:
            body = await self._wire.get(self._address.server("version"), seconds=self._timeout if self.vllm else 5.0)
        except TryError:
            return ""  # only vLLM has it, and nothing depends on it
        version = body.get("version") if isinstance(body, dict) else None
        return one_line(version, 60) if isinstance(version, str) else ""

    async def probe(self, retry: Retry) -> None:
        """Learn once whether the server can count tokens (vLLM's ``/tokenize``); sets `counts`.

        Raises:
            EngineError: The server has gone.
        """
        async with self._lock:
            if self._probed:
                return
            try:
                await retry.canary().run(lambda: self.count("a"))
            except RequestError as error:
                if error.code in {"connection", "timeout"}:
                    raise unreachable(self._address, error.code, error.message) from error
            else:
                self.counts = True
            self._probed = True

    async def count(self, asked: str | Sequence[Message]) -> int:
        """Number of tokens of a prompt, or of messages in the server's own template.

        Raises:
            TryError: As every exchange; ``bad-json`` where the response holds no count.
        """
        body = await self._tokenize(asked)
        count = whole(body.get("count")) if isinstance(body, dict) else None
        if count is None:
            raise TryError("bad-json", "the response of /tokenize holds no count")
        return count

    async def template_opens_reasoning(self) -> bool:
        """Whether the server's chat template ends with ``<think>``, so that replies begin inside reasoning.

        Asked by rendering one message and reading it back; False where the server has no way to say.

        Raises:
            EngineError: The server does not answer: guessed wrong, reasoning would be graded as the answer.
        """
        async with self._lock:
            if self._opens is None:
                self._opens = await self._rendered_end()
        return self._opens

    async def _rendered_end(self) -> bool:
        try:
            body = await self._tokenize((Message(role="user", content="Hello"),))
            tokens = body.get("tokens") if isinstance(body, dict) else None
            if not isinstance(tokens, list):
                return False
            url = self._address.server("detokenize")
            text = await self._wire.post(url, {"model": self.name, "tokens": tokens}, seconds=self._timeout)
        except TryError as failure:
            if failure.code in _PASSING:
                raise unreachable(self._address, failure.code, str(failure)) from failure
            return False
        rendered = text.get("prompt") if isinstance(text, dict) else None
        return isinstance(rendered, str) and rendered.rstrip().endswith(OPEN)

    async def _tokenize(self, asked: str | Sequence[Message]) -> Any:
        fields: dict[str, Any] = {"model": self.name}
        if isinstance(asked, str):
            fields["prompt"] = asked
        else:
            fields["messages"] = asked
            fields["add_generation_prompt"] = True
        return await self._wire.post(self._address.server("tokenize"), fields, seconds=self._timeout)


def unreachable(address: Address, code: str, message: str) -> EngineError:
    """The error for a server that cannot be used at all, with the remedy for its cause."""
    if code == "connection" and message.startswith(TLS):
        plain = address.base.replace("https://", "http://", 1)
        remedy = f"write {plain} if the server speaks plain http; SSL_CERT_FILE names a certificate of your own"
        return EngineError(f"{address.base}: cannot be spoken to over https ({message})", remedy)
    if code == "connection":
        return EngineError(
            f"{address.base}: nothing answers there ({message})",
            "start the server (for example: vllm serve MODEL --port 8000) or correct the URL",
        )
    if code in {"http-401", "http-403"}:
        return EngineError(f"{address.base}: refuses the request ({code})", key_remedy(address))
    if code == "timeout":
        return EngineError(f"{address.base}: {message}", "wait until the server is up, or correct the URL")
    return EngineError(
        f"{address.base}: does not answer as an OpenAI-compatible server: {code}: {message}",
        "check the URL (it mostly ends in /v1) and the server's log",
    )


def _entries(body: Any, base: str) -> Sequence[Mapping[str, Any]]:
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list):
        raise EngineError(
            f"{base}: its list of models has another form than OpenAI's", "check that the URL ends in /v1"
        )
    entries = [entry for entry in data if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
    if not entries:
        raise EngineError(f"{base}: serves no model", "load one into the server first")
    return entries

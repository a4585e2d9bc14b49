"""Any OpenAI-compatible URL, over aiohttp: ``http(s)://host[:port]/v1#served-name``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec

from harness.engines import EngineOptions, Prepared, stops
from harness.engines.address import parse_address
from harness.engines.likelihood import likelihood_fields, read_likelihood
from harness.engines.payload import Reply, check_model, logprob_fields, read_reply, sampling_fields
from harness.engines.reasoning import OPEN, split_reasoning
from harness.engines.record import Clock, completion, concurrency
from harness.engines.retry import Retry, TryError
from harness.engines.served import PROBE_SECONDS, Served
from harness.engines.wire import Wire
from harness.errors import EngineError, RequestError, UsageError
from harness.types import (
    Completion,
    EngineFacts,
    Generate,
    LogLikelihood,
    LogProbs,
    ModelFacts,
    Request,
    Sample,
    Stage,
    Task,
)

DEFAULT_CONCURRENCY = 64
_SPECIAL_TOKENS = 16
"""More special tokens than any tokenizer adds to a plain prompt."""


class _Asked(msgspec.Struct, frozen=True):
    """What a request's own fields do not say of its task."""

    stage: Stage
    opened: bool
    """Whether the server's chat template opens reasoning."""


class Endpoint:
    """Asks a server that somebody else runs.

    Rendered prompts go to ``/v1/completions``, messages to ``/v1/chat/completions``. Its identity is what it
    declares. The key is taken from ``HARNESS_ENDPOINT_KEY``; else ``OPENAI_API_KEY`` is sent, but only over https or
    to this machine.

    Args:
        target: The URL. A user and password or a query in it are sent, but appear in no record and no message.
        options: What the command line says; ``api`` is ``auto``, ``completions`` or ``chat``.
        key: Of a server that we started; None: as above.
        retry: How a request is tried again; None: as ``options`` say.
        context: In tokens, where the server may not declare it (vLLM does not for LoRA adapters).
        most_stops: Stop strings that the server takes; replies are cut at further ones here. None: any number.
        patience: Seconds that one exchange before the first request may take.

    Raises:
        UsageError: The URL or an option is malformed.
    """

    def __init__(
        self,
        target: str,
        options: EngineOptions,
        *,
        key: str | None = None,
        retry: Retry | None = None,
        context: int | None = None,
        most_stops: int | None = stops.MOST,
        patience: float = PROBE_SECONDS,
    ) -> None:
        if options.api not in ("auto", "completions", "chat"):
            raise UsageError(f"--api {options.api}: unknown interface", "choose auto, completions or chat")
        self.concurrency = concurrency(options, DEFAULT_CONCURRENCY)
        self.facts = EngineFacts(name="endpoint")
        self._address = parse_address(target)
        self._options = options
        self._wire = Wire(self._address, options.timeout, key=key)
        self._served = Served(self._wire, self._address, min(options.timeout, patience), context)
        self._retry = retry or Retry(options.tries)
        self._slots = asyncio.Semaphore(self.concurrency)
        self._asked: dict[str, _Asked] = {}
        self._most_stops = most_stops
        self._echoes = False
        self._tried: set[str] = set()
        self.model = ModelFacts(name=self._address.served or self._address.host, identity="declared")

    async def __aenter__(self) -> Self:
        """Connect and find the model.

        Raises:
            EngineError: Nothing answers there, the key is refused or the model is not served.
        """
        await self._wire.open()
        try:
            await self._served.discover()
        except BaseException:
            await self._wire.close()
            raise
        declared: dict[str, Any] = {"url": self._address.base, "served": self._served.name}
        if self._served.entry:
            declared["model"] = dict(self._served.entry)
        self.model = ModelFacts(
            name=self._served.name, identity="declared", weights=self._options.weights_id, declared=declared
        )
        self.facts = EngineFacts(name="endpoint", version=self._served.version)
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close all connections."""
        await self._wire.close()

    def settings(self) -> Mapping[str, Any]:
        """Nothing: how the server was started is not ours, and what it declares is in the model's identity."""
        return {}

    async def prepare(self, task: Task, samples: Sequence[Sample], chat_format: str) -> Prepared:
        """Check that the server can answer ``task``, by canary requests where only those can tell.

        Raises:
            EngineError: It cannot; with the remedy.
        """
        chat = task.kind == "generate" and task.prompt.template is None and chat_format == "tokenizer"
        self._check_interface(task, chat_format, chat=chat)
        await self._served.probe(self._retry)
        if task.kind == "loglikelihood":
            await self._check_echo()
        elif task.sampling.max_total_tokens is not None and not self._served.counts:
            raise EngineError(
                f"{self._address.base}: cannot count a prompt's tokens, which max_total_tokens of {task.name} needs",
                "serve the model with vLLM (its /tokenize counts), or override with --max-new-tokens",
            )
        notes = [*stops.check(task, self._most_stops)]
        if not self._served.entry:
            if task.kind == "generate":
                await self._check_unlisted(chat=chat)
            notes.append(f"{self._address.base} lists no models: that it serves '{self._served.name}' is unverified")
        opened = chat and await self._served.template_opens_reasoning()
        window, wanted = self._served.max_model_len, task.sampling.max_new_tokens
        if task.kind == "generate" and window is not None and wanted is not None and wanted >= window:
            notes.append(f"{task.name}: replies of {wanted} tokens are clamped to the context of {window} tokens")
        self._asked[task.name] = _Asked(task.stage, opened)
        return Prepared(notes=tuple(notes))

    def _check_interface(self, task: Task, chat_format: str, *, chat: bool) -> None:
        api = self._options.api
        if chat and api == "completions":
            raise UsageError(
                f"{task.name}: format 'tokenizer' is rendered by the server's chat interface, but --api completions "
                "is asked",
                "leave out --api, or choose the model's own format with --format",
            )
        if not chat and api == "chat":
            what = (
                "log-likelihoods need" if task.kind == "loglikelihood" else f"the rendered format '{chat_format}' needs"
            )
            raise UsageError(f"{task.name}: {what} /v1/completions, but --api chat is asked", "leave out --api")

    async def _check_echo(self) -> None:
        if self._echoes:
            return
        try:
            await self._likelihood("1 2 3", " 4 5", self._retry.canary())
        except RequestError as error:
            raise EngineError(
                f"{self._address.base}: gives no log-probabilities of a given text: {error.code}: {error.message}",
                "serve the model with vLLM, whose /v1/completions has echo with logprobs",
            ) from error
        self._echoes = True

    async def _check_unlisted(self, *, chat: bool) -> None:
        """Ask for one token: nothing else can tell whether a server without a list has this model."""
        path = "chat/completions" if chat else "completions"
        if path in self._tried:
            return
        asked: dict[str, Any] = {"messages": [{"role": "user", "content": "1"}]} if chat else {"prompt": "1"}
        try:
            await self._post(path, asked | {"max_tokens": 1}, self._retry.canary())
        except RequestError as error:
            raise EngineError(
                f"{self._address.base}: '{self._served.name}' does not answer: {error.code}: {error.message}",
                "check the URL (it mostly ends in /v1) and the served name after '#'",
            ) from error
        self._tried.add(path)

    async def ask(self, request: Request) -> Completion:
        """Answer one request.

        Raises:
            RequestError: It failed for good, with the cause as code: ``context`` where the prompt does not fit,
                ``http-<status>``, ``timeout``, ``connection``, ``cut``, ``bad-json``, ``encoding``,
                ``empty-choices``, ``aborted``, ``too-large``, ``wrong-model``, ``capped`` (vLLM ended the reply below
                the bound that was sent); for likelihoods ``no-logprobs`` and ``alignment``.
        """
        asked = self._asked.get(request.task)
        if asked is None:
            raise EngineError(f"{request.task}: asked before it was prepared", "call prepare() first")
        async with self._slots:
            clock = Clock()
            if isinstance(request, LogLikelihood):
                logprobs, tries = await self._likelihood(request.prompt, request.continuation, self._retry)
                return completion(
                    request,
                    clock,
                    text=request.continuation,
                    stage=asked.stage,
                    logprobs=logprobs,
                    completion_tokens=logprobs.tokens,
                    tries=tries,
                )
            return await self._generate(request, asked, clock)

    async def _generate(self, request: Generate, asked: _Asked, clock: Clock) -> Completion:
        limit = await self._limit(request)
        fields = sampling_fields(request.sampling, request.seed, limit, neutral=self._served.vllm)
        opened = asked.opened
        if request.prompt is not None:
            path, fields = "completions", {"prompt": request.prompt} | fields
            opened = request.prompt.rstrip().endswith(OPEN)
        else:
            path, fields = "chat/completions", {"messages": request.messages or ()} | fields
        fields |= logprob_fields(request.top_logprobs, chat=request.prompt is None)
        stop = request.sampling.stop
        if stop:
            fields["stop"] = stops.sent(stop, self._most_stops)
        reply, tries = await self._post(path, fields, self._retry)
        reply = stops.cut(reply, stops.kept(stop, self._most_stops))
        if self._served.vllm and limit is not None:
            _check_length(reply, limit, tries)
        text, reasoning = split_reasoning(reply.text, reply.reasoning, opened=opened, lone_close=asked.stage == "reply")
        return completion(
            request,
            clock,
            text=text,
            reasoning=reasoning,
            stage=asked.stage,
            finish_reason=reply.finish_reason,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            max_tokens=limit,
            top_logprobs=reply.top_logprobs if request.top_logprobs else None,
            tries=tries,
        )

    async def _post(self, path: str, fields: Mapping[str, Any], retry: Retry) -> tuple[Reply, int]:
        url, body = self._address.api(path), {"model": self._served.name, **fields}

        async def attempt() -> Reply:
            reply = read_reply(await self._wire.post(url, body))
            check_model(reply.model, self._served.name, self._served.aliases)
            return reply

        return await retry.run(attempt)

    async def _limit(self, request: Generate) -> int | None:
        """Bound on the reply in tokens: what the task allows, clamped to what the context leaves.

        Raises:
            RequestError: ``context`` where the prompt leaves no room.
        """
        total, wanted = request.sampling.max_total_tokens, request.sampling.max_new_tokens
        window = self._served.max_model_len
        bounds = [bound for bound in (total, window) if bound is not None]
        if not bounds or (total is None and _surely_fits(request, min(bounds))):
            return wanted
        if not self._served.counts:
            if total is not None:
                raise RequestError("context", "max_total_tokens needs a token count, which the server does not give")
            return wanted  # the server itself refuses what does not fit
        asked = request.prompt if request.prompt is not None else request.messages or ()
        count, _ = await self._retry.run(lambda: self._served.count(asked))
        room = min(bounds) - count
        if room < 1:
            raise RequestError("context", f"the prompt has {count} tokens, which leaves no room of {min(bounds)}")
        return room if wanted is None else min(wanted, room)

    async def _likelihood(self, prompt: str, continuation: str, retry: Retry) -> tuple[LogProbs, int]:
        url = self._address.api("completions")
        fields = {"model": self._served.name, **likelihood_fields(prompt + continuation)}

        async def attempt() -> LogProbs:
            body = await self._wire.post(url, fields)
            reported = body.get("model") if isinstance(body, dict) else None
            check_model(reported if isinstance(reported, str) else None, self._served.name, self._served.aliases)
            try:
                return read_likelihood(body, prompt, continuation)
            except TryError as failure:
                if failure.code != "alignment" or not self._served.counts:
                    raise
                return read_likelihood(body, prompt, continuation, await self._served.count(prompt))

        return await retry.run(attempt)


def _check_length(reply: Reply, limit: int, tries: int) -> None:
    """Refuse a reply that vLLM cut at a bound of its own: ``max_new_tokens`` of the checkpoint's generation config.

    Raises:
        RequestError: ``capped``; graded, it would score the server's settings.
    """
    if reply.finish_reason == "length" and reply.completion_tokens is not None and reply.completion_tokens < limit:
        raise RequestError(
            "capped",
            f"the server ended the reply after {reply.completion_tokens} of {limit} tokens: start vLLM with "
            "--generation-config vllm, so that the checkpoint's own limit does not apply",
            tries,
        )


def _surely_fits(request: Generate, bound: int) -> bool:
    """Whether prompt and reply fit whatever the tokenizer: a token of a plain prompt covers at least one byte.

    Spares a counting request for each short prompt. Messages are wrapped in a template whose length is not known here.
    """
    if request.prompt is None or request.sampling.max_new_tokens is None:
        return False
    return (
        len(request.prompt.encode("utf-8", "surrogatepass")) + _SPECIAL_TOKENS + request.sampling.max_new_tokens
        <= bound
    )

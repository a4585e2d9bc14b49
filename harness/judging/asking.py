"""Asking a judge: one question until it has a readable verdict, every reply journaled at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from harness import prompts
from harness.clock import now
from harness.engines import Engine
from harness.errors import JudgeError, RequestError
from harness.judging import reading
from harness.judging.build import Call, Case
from harness.judging.limiter import BUSY, Limiter
from harness.judging.spending import Spending, tokens_of
from harness.prompts.formats import chat_format as find_format
from harness.redaction import redact
from harness.store import Verdicts
from harness.types import Completion, Generate, Judge, Message, Sampling, Task, Verdict

TRIES = 3
"""Calls that one question may take until its reply is readable."""
MORE_ROOM = 4
"""A reply that ended at its limit without a verdict is asked for again with so many times the tokens."""
MOST_TOKENS = 32_768
DEAD_AFTER = 20
"""Failures in a row, without a success between, after which the judge counts as gone."""

_TOP_LOGPROBS = 5


class Key(msgspec.Struct, frozen=True):
    """Whose answer is judged."""

    sample: str
    attempt: int


class Source(Protocol):
    """Where verdicts come from: a model, or a file of verdicts that exist."""

    async def verdict(self, key: Key, call: Call, journal: Verdicts, case: Case) -> Verdict:
        """The verdict on one question, readable or not; each reply is in the journal before this returns.

        Raises:
            JudgeError: There is none; the code says why.
            StoppedError: The run is ending, and nothing was asked.
        """
        ...


class Model:
    """Verdicts of a model that is asked now.

    Args:
        judge: The declaration.
        engine: Who answers; entered.
        task: The task under whose name the engine was prepared.
        chat_format: ``tokenizer``, or a format that is rendered here.
        spending: Money, shared by all tasks of a command.
        limiter: Calls in flight, shared likewise.
        tries: Calls that one question may take.
        start: Called before every question; starts the judge's own servers at the first.
    """

    def __init__(
        self,
        judge: Judge,
        engine: Engine,
        task: Task,
        chat_format: str,
        spending: Spending,
        limiter: Limiter,
        tries: int = TRIES,
        start: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._judge = judge
        self._engine = engine
        self._task = task
        self._format = chat_format
        self._spending = spending
        self._limiter = limiter
        self._tries = tries
        self._start = start
        self._failures = 0
        self._gone: JudgeError | None = None

    async def verdict(self, key: Key, call: Call, journal: Verdicts, case: Case) -> Verdict:
        """Take the readable verdict of an earlier call, else ask until there is one or the tries are spent."""
        earlier = journal.of(key.sample, key.attempt, call.turn, call.order, call.prompt_sha256)
        for known in earlier:
            if known.parsed is not None:
                return known
        room = _room(self._judge.sampling, earlier)
        last: Verdict | None = None
        for number in range(len(earlier), len(earlier) + self._tries):
            last = await self._ask(key, call, number, room, journal)
            if last.parsed is not None:
                break
            if last.code == "no-logprobs":  # it never will: nobody pays for the other items
                self._gone = JudgeError(
                    f"the judge {self._engine.model.name} gives no log-probabilities, which {self._judge.name} reads",
                    "judge by a model that gives them (logprobs, top_logprobs), or by another declaration",
                    code="no-logprobs",
                )
                break
            if last.finish_reason == "length" and self._judge.reading.reader != "token-logprobs":
                room = min(MOST_TOKENS, room * MORE_ROOM)
        assert last is not None
        return last

    async def _ask(self, key: Key, call: Call, number: int, room: int, journal: Verdicts) -> Verdict:
        async with self._limiter:
            if self._gone is not None:
                raise self._gone
            reserved = self._spending.check(call.messages, self._judge.tokens)
            if self._start is not None:
                await self._start()
            request = self._request(key, call, number, room)
            try:
                reply = await self._engine.ask(request)
            except RequestError as error:
                self._failed(error)
                raise JudgeError(redact(error.message), code=error.code) from error
            finally:
                self._spending.release(reserved)
            self._failures = 0
            if reply.tries > 1:
                self._limiter.busy()
            else:
                self._limiter.worked()
            verdict = self._read(key, call, number, reply)
            journal.append(verdict)
            return verdict

    def _request(self, key: Key, call: Call, number: int, room: int) -> Generate:
        prompt, messages = rendered(call.messages, self._format, self._judge.name)
        return Generate(
            task=self._task.name,
            sample=key.sample,
            attempt=key.attempt,
            turn=call.turn,
            sampling=msgspec.structs.replace(self._judge.sampling, max_new_tokens=room),
            seed=prompts.sample_seed(number, f"{key.sample}/{call.turn}/{call.order}", key.attempt),
            prompt=prompt,
            messages=messages,
            top_logprobs=_TOP_LOGPROBS if self._judge.reading.reader == "token-logprobs" else 0,
        )

    def _read(self, key: Key, call: Call, number: int, reply: Completion) -> Verdict:
        found = reading.read(self._judge.reading, reply.text, scale=self._judge.scale, top_logprobs=reply.top_logprobs)
        code = found.code
        if code == "no-verdict" and reply.finish_reason == "length":
            code = "reasoning-limit" if reply.reasoning and not reply.text.strip() else "cut-off"
        prompt_tokens = reply.prompt_tokens if reply.prompt_tokens is not None else tokens_of(call.messages)
        said = reply.text + (reply.reasoning or "")
        completion_tokens = reply.completion_tokens if reply.completion_tokens is not None else len(said) // 4 + 1
        return Verdict(
            sample=key.sample,
            attempt=key.attempt,
            turn=call.turn,
            judge=f"{self._judge.name} by {self._engine.model.name}",
            call=number,
            order=call.order,
            prompt_sha256=call.prompt_sha256,
            reply=reply.text,
            reasoning=reply.reasoning,
            parsed=found.parsed,
            code=code,
            finish_reason=reply.finish_reason,
            top_logprobs=reply.top_logprobs,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            usd=self._spending.add(prompt_tokens, completion_tokens),
            at=now(),
        )

    def _failed(self, error: RequestError) -> None:
        if error.code in BUSY or error.code.startswith("http-5"):
            self._limiter.busy()
        self._failures += 1
        refused = error.code in {"http-401", "http-402", "http-403", "http-404"}
        if self._failures >= DEAD_AFTER or (refused and self._failures >= 3):
            self._gone = JudgeError(
                f"the judge {self._engine.model.name} answers no more: {redact(error.message)}",
                "mend it and repeat the same command: it resumes, and pays for nothing twice",
                code="judge-gone",
            )


def rendered(
    messages: Sequence[Message], chat_format: str, where: str
) -> tuple[str | None, tuple[Message, ...] | None]:
    """A prompt or messages: judges are asked over chat unless their model's format is one that is rendered here."""
    form = find_format(chat_format, where=where)
    if form.render is None:
        return None, tuple(messages)
    system = "\n\n".join(one.content for one in messages if one.role == "system")
    said = [one.content for one in messages if one.role == "user"]
    if form.system is None and system:
        said[0] = f"{system}\n\n{said[0]}"
    return form.render(system or form.system or "", said[:1], ()), None


def _room(sampling: Sampling, earlier: Sequence[Verdict]) -> int:
    """Tokens for the next reply: the declared ones, more where an earlier run's reply needed more."""
    room = sampling.max_new_tokens or sampling.max_total_tokens or MOST_TOKENS
    for verdict in earlier:
        if verdict.finish_reason == "length" and room > 1:
            room = min(MOST_TOKENS, room * MORE_ROOM)
    return room

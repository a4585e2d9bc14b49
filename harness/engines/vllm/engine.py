"""The engine behind ``--model PATH`` and ``--model OWNER/NAME``."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import msgspec

from harness.datasets import default_cache
from harness.engines import EngineOptions, Prepared
from harness.engines.endpoint import Endpoint
from harness.engines.record import concurrency
from harness.engines.retry import Retry
from harness.engines.vllm import digests, gpus, tokens
from harness.engines.vllm.launch import Launch
from harness.engines.vllm.probe import FIRST_SECONDS, Probe
from harness.engines.vllm.replicas import Fleet, Limits, Replica
from harness.engines.vllm.resolve import check_options, resolve
from harness.engines.vllm.server import Server
from harness.errors import EngineError, RequestError
from harness.store import safe_name
from harness.types import Completion, EngineFacts, Generate, ModelFacts, Request, Sample, Task

Note = Callable[[str], None]


class Vllm:
    """Serves a checkpoint with vLLM and asks it.

    Entering reads and checks the checkpoint; servers are started by `start`, so that a complete cell costs none.

    Args:
        target: A checkpoint's folder, or ``OWNER/NAME`` of the hub, optionally ``@REVISION``.
        options: What the command line says.

    Raises:
        UsageError: An option is malformed.
    """

    def __init__(self, target: str, options: EngineOptions) -> None:
        max_num_seqs = check_options(options.vllm)
        self._target = target
        self._options = options
        self._own = options.vllm
        self.concurrency = concurrency(options, 2 * max_num_seqs * self._own.replicas)
        self.facts = EngineFacts(name="vllm")
        self.model = ModelFacts(name=target, identity="quick")
        self._launch: Launch | None = None
        self._tasks: dict[str, tuple[Task, str]] = {}
        self._announced = False
        self._fleet: Fleet | None = None
        self._key = ""
        self._clamped: Counter[str] = Counter()
        self._stamps: tuple[tuple[int, int], ...] = ()
        self._hashing: asyncio.Task[str] | None = None
        self._stop_hashing = threading.Event()

    async def __aenter__(self) -> Self:
        """Find vLLM's command and the checkpoint, and name its quick identity.

        Raises:
            EngineError: One of them is missing, unreadable or incomplete.
        """
        launch = await resolve(self._target, self._own)
        self._launch = launch
        self.facts = EngineFacts(name="vllm", command=launch.shown(), replicas=self._own.replicas)
        self.model = await asyncio.to_thread(_facts, launch)
        self._stamps = digests.stamps(launch.checkpoint.weights)
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stop what still runs."""
        await self.stop()
        if self._hashing is not None:
            self._stop_hashing.set()
            await asyncio.gather(self._hashing, return_exceptions=True)

    def settings(self) -> Mapping[str, Any]:
        """Everything about the servers that can change an answer."""
        return self._entered.settings()

    async def prepare(self, task: Task, samples: Sequence[Sample], chat_format: str) -> Prepared:
        """Check what can be checked without a server: the format and its template.

        Raises:
            EngineError: The format is the checkpoint's own template, and it has none.
            SpecError: That template is broken.
        """
        launch = self._entered
        tokens.golden(task, chat_format, launch.checkpoint)
        self._tasks[task.name] = task, chat_format
        notes = [] if self._announced else [_announcement(launch)]
        self._announced = True
        if chat_format == "tokenizer" and task.kind == "generate" and task.prompt.template is None:
            notes.append(f"{launch.checkpoint.name} on {task.name}: asked in the checkpoint's own chat template")
        wanted = task.sampling.max_new_tokens
        if task.kind == "generate" and wanted is not None and wanted >= launch.context:
            notes.append(
                f"{task.name}: replies of {wanted} tokens are clamped to the context of {launch.context} tokens"
            )
        return Prepared(notes=tuple(notes))

    async def start(self, note: Note) -> None:
        """Start the servers, and compare the token ids they use with the checkpoint's own tokenizer.

        Raises:
            EngineError: A server does not start, or it uses other token ids.
        """
        launch = self._entered
        self._key = secrets.token_urlsafe(24)
        limits = Limits(start=self._own.start_timeout, stall=self._own.stall_timeout, restarts=self._own.restarts)
        devices = gpus.split(self._own.replicas, gpus.per_server(launch))
        logs = self._logs()
        servers = []
        for number, log in enumerate(logs):
            name = f"vLLM of {self.model.name}" + (f", server {number + 1}" if len(logs) > 1 else "")
            server = Server(launch.command, launch.environment(self._key, devices[number]), log, name)
            servers.append(Replica(name, server, self._connect, limits, note))
        note(f"starting vLLM for {self.model.name}; log: {logs[0]}" + (" and others" if len(logs) > 1 else ""))
        self._fleet = Fleet(servers)
        await self._fleet.start()
        first = servers[0]
        self.facts = msgspec.structs.replace(self.facts, version=first.client.facts.version)
        goldens = {
            one.prompt: one for one in (tokens.golden(*pair, launch.checkpoint) for pair in self._tasks.values())
        }
        async with Probe(first.url, launch.served, self._key) as probe:
            said = await tokens.check(
                tuple(goldens.values()), launch.checkpoint, probe, tokens.interpreters(launch.program)
            )
        for line in said:
            note(line)
        note(f"vLLM {self.facts.version} serves {self.model.name}, token ids checked")
        if self.model.identity == "quick":
            self._hashing = asyncio.create_task(self._hash())

    async def stop(self) -> None:
        """Stop the servers; harmless when repeated."""
        fleet, self._fleet = self._fleet, None
        if fleet is not None:
            await fleet.stop()

    async def identify(self, note: Note) -> None:
        """Finish the sha256 of the weights, and put it in `model`; also says how many replies were clamped.

        Raises:
            EngineError: The files cannot be read, or changed since they were loaded.
        """
        for task, count in self._clamped.items():
            note(f"{self.model.name} on {task}: {count} replies were clamped to what the context left")
        self._clamped.clear()
        if self.model.identity != "quick":
            return
        if self._hashing is None:
            self._hashing = asyncio.create_task(self._hash())
        if not self._hashing.done():
            await asyncio.wait({self._hashing}, timeout=2.0)
        if not self._hashing.done():
            size = sum(path.stat().st_size for path in self._entered.checkpoint.weights)
            note(f"finishing the sha256 of {self.model.name} ({size / 1e9:.1f} GB); Ctrl-C leaves it for the next run")
        weights = await asyncio.shield(self._hashing)
        if await asyncio.to_thread(digests.stamps, self._entered.checkpoint.weights) != self._stamps:
            raise EngineError(
                f"{self._entered.checkpoint.folder}: the weights changed while they were served",
                "run again once nothing writes to the checkpoint; answers from now on belong to another cell",
                code="vllm-changed",
            )
        self.model = msgspec.structs.replace(self.model, identity="sha256", weights=weights)

    async def ask(self, request: Request) -> Completion:
        """Answer one request; a server that is lost meanwhile is started again and asked again.

        Raises:
            RequestError: It failed for good; ``prompt-too-long`` where the prompt leaves no room in the context.
            EngineError: A server was lost too often.
        """
        assert self._fleet is not None, "the engine is started before it is asked"
        try:
            completion = await self._fleet.ask(request)
        except RequestError as error:
            if error.code == "context":
                raise RequestError("prompt-too-long", error.message, error.tries) from error
            raise
        wanted = request.sampling.max_new_tokens if isinstance(request, Generate) else None
        if wanted is not None and completion.max_tokens is not None and completion.max_tokens < wanted:
            self._clamped[request.task] += 1
        return completion

    @property
    def _entered(self) -> Launch:
        assert self._launch is not None, "the engine is entered before it is used"
        return self._launch

    async def _connect(self, replica: Replica) -> Endpoint:
        """A client of a healthy server that knows all tasks."""
        client = Endpoint(
            f"{replica.url}/v1#{self._entered.served}",
            msgspec.structs.replace(self._options, concurrency=self.concurrency),
            key=self._key,
            retry=Retry(self._options.tries, sleep=replica.pauses()),
            context=self._entered.context,
            most_stops=None,
            patience=FIRST_SECONDS,
        )
        await client.__aenter__()
        try:
            for task, chat_format in self._tasks.values():
                await client.prepare(task, (), chat_format)
        except BaseException:
            await client.__aexit__(None, None, None)
            raise
        return client

    def _logs(self) -> list[Path]:
        folder = self._own.logs or default_cache() / "vllm-logs"
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        begin = folder.absolute() / safe_name(self.model.name)
        return [begin / f"vllm-{stamp}-{number}.log" for number in range(self._own.replicas)]

    async def _hash(self) -> str:
        return await asyncio.to_thread(
            digests.full, self._entered.checkpoint.weights, default_cache() / "checkpoints", self._stop_hashing
        )


def _facts(launch: Launch) -> ModelFacts:
    checkpoint = launch.checkpoint
    declared: dict[str, Any] = {"quick": digests.quick(checkpoint), "config": digests.config(checkpoint)}
    base = checkpoint.config.get("_name_or_path")
    if isinstance(base, str) and base:
        declared["trained_from"] = base
    name = checkpoint.name
    if launch.adapter is not None:
        declared["lora"] = launch.adapter.sha256
        name = f"{checkpoint.name}+{launch.adapter.name}"
    return ModelFacts(
        name=name,
        identity="quick" if checkpoint.revision is None else "revision",
        weights=checkpoint.revision,
        tokenizer=digests.tokenizer(checkpoint),
        template=None if checkpoint.template is None else digests.text(checkpoint.template),
        chat_format=None if checkpoint.template is None else "tokenizer",
        declared=declared,
    )


def _announcement(launch: Launch) -> str:
    said = f"{launch.checkpoint.name}: {launch.dtype}, context {launch.context} tokens"
    if launch.adapter is not None:
        said += f", LoRA {launch.adapter.name} (rank {launch.adapter.rank})"
    return f"{said}; {launch.shown()}"

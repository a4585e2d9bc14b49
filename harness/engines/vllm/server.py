"""One ``vllm serve``: started under a warden, waited for, looked after, stopped."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from harness.engines.vllm import warden
from harness.engines.vllm.causes import Cause, cause_of, cause_of_start, last_line, tail
from harness.errors import EngineError

GRACE_SECONDS = 4.0
"""Between SIGTERM and SIGKILL; with everything else well under the 10 seconds after which nothing may be left."""
NOTE_SECONDS = 10.0
_POLL_SECONDS = 0.5
_STOP_SECONDS = GRACE_SECONDS + 6.0

Note = Callable[[str], None]
Ready = Callable[[str], Awaitable[bool]]
"""From a server's URL to whether it is healthy."""


class StartError(EngineError):
    """A server did not become ready; ``cause`` says why in short."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message, cause.remedy, code=f"vllm-{cause.code}")
        self.cause = cause


class Server:
    """One server process and its log.

    Args:
        command: From a port to the whole command line.
        environment: Of the server, complete.
        log: Where its output is appended.
        name: For messages.
    """

    def __init__(
        self, command: Callable[[int], Sequence[str]], environment: Mapping[str, str], log: Path, name: str = "vLLM"
    ) -> None:
        self._command = command
        self._environment = environment
        self._log = log
        self._name = name
        self._pipe: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._exit: asyncio.Task[int] | None = None
        self._begin = 0
        self.port = 0

    @property
    def base(self) -> str:
        """URL of the server."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, ready: Ready, *, seconds: float, note: Note) -> None:
        """Start the process and wait until it is healthy.

        Args:
            ready: Asks whether it is healthy.
            seconds: Until it must be.
            note: Told of the progress now and then.

        Raises:
            StartError: It ended, or took too long; the message holds the cause and the log's path.
        """
        for again in (True, True, False):  # the free port may be taken before vLLM binds it
            try:
                return await self._start(ready, seconds, note)
            except StartError as error:
                if error.cause.code != "port" or not again:
                    raise
        return None

    async def _start(self, ready: Ready, seconds: float, note: Note) -> None:
        self.port = free_port()
        await self._spawn(self._command(self.port))
        began = time.monotonic()
        told = began
        try:
            while not await ready(self.base):
                now = time.monotonic()
                if self.status is not None:
                    raise self._failure(self.status)
                if now - began > seconds:
                    raise self._late(seconds)
                if now - told >= NOTE_SECONDS:
                    told = now
                    said = last_line(tail(self._log, self._begin))
                    note(f"{self._name} is starting, {now - began:.0f} s{said[:150] and ': ' + said[:150]}")
                await self.ended(_POLL_SECONDS)
        except BaseException:
            await self.stop()
            raise

    async def _spawn(self, command: Sequence[str]) -> None:
        reading, writing = os.pipe()  # neither end is inherited by any other child
        try:
            log = await asyncio.to_thread(self._open_log)
            with log:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-I",
                    warden.__file__,
                    str(GRACE_SECONDS),
                    "--",
                    *command,
                    stdin=reading,
                    stdout=log,
                    stderr=log,
                    env=dict(self._environment),
                    start_new_session=True,
                )
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        self._pipe = writing
        self._exit = asyncio.ensure_future(self._process.wait())

    def _open_log(self) -> IO[bytes]:
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            log = self._log.open("ab")
        except OSError as error:
            raise EngineError(
                f"{self._log}: the server's log cannot be written ({error.strerror})",
                "choose another folder with --runs",
            ) from error
        self._begin = log.tell()
        return log

    @property
    def status(self) -> int | None:
        """Exit status; None while it runs."""
        return self._exit.result() if self._exit is not None and self._exit.done() else None

    async def ended(self, seconds: float) -> bool:
        """Wait at most ``seconds`` for the server to end; whether it has."""
        assert self._exit is not None, "the server was started"
        await asyncio.wait({self._exit}, timeout=seconds)
        return self._exit.done()

    async def stop(self) -> None:
        """End the server and all that it started; harmless when repeated."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        process, waiting = self._process, self._exit
        if process is None or waiting is None:
            return
        done, _ = await asyncio.wait({waiting}, timeout=_STOP_SECONDS)
        if not done:  # the warden itself hangs; what it guards dies with it
            process.kill()
            await waiting

    def told(self) -> Cause:
        """Why the server ended, as its log says."""
        return cause_of(tail(self._log, self._begin), self.status)

    def _failure(self, status: int) -> StartError:
        cause = cause_of_start(tail(self._log, self._begin), status)
        return StartError(cause, f"{self._name} did not start: {cause.message}; log: {self._log}")

    def _late(self, seconds: float) -> StartError:
        said = last_line(tail(self._log, self._begin))[:200]
        cause = Cause("late", "it took too long", "wait longer with --vllm-start-timeout, or see the log")
        return StartError(
            cause,
            f"{self._name} was not ready after {seconds:.0f} s; it last said: {said or 'nothing'}; log: {self._log}",
        )


def free_port() -> int:
    """A port of this machine on which nothing listens now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])

"""Runs computations on a zygote: results stream out one by one, so that one bad item costs only itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Sequence
from typing import Any

from harness.errors import SandboxError
from harness.sandbox.clocks import Clocks
from harness.sandbox.computation import Computation, Result
from harness.sandbox.errand import Done
from harness.sandbox.inside import batch, protocol
from harness.sandbox.zygote import Zygote, sealed

_LONGEST_LINE = 2 * batch.MAX_VALUE + (1 << 16)


async def continue_batch(zygote: Zygote, computation: Computation, results: list[Result], spared: int) -> int:
    """Compute the items that have no result yet, until one of them ends its process.

    Where somebody else kills the process, the item at work gets no result yet, and is tried once more.

    Args:
        zygote: Forks the process.
        computation: What to compute.
        results: What came of the first items; is added to.
        spared: What this returned the last time, -1 the first time.

    Returns:
        The number of the item at which somebody else killed the process; -1: nobody did.

    Raises:
        ZygoteDiedError: The zygote ended; the results so far stand.
        SandboxError: The function cannot be loaded, or the machine gave no processor.
    """
    first = len(results)
    items = computation.items[first:]
    lines = _Lines(results, len(computation.items))

    def clocks(pids: Sequence[int], began: float) -> Clocks:
        made = Clocks(pids, cpu_seconds=computation.cpu_seconds, wall_seconds=computation.wall_seconds, began=began)
        if len(results) > first:
            made.restart()
        lines.arrived = made.restart
        return made

    payload = sealed({"function": computation.function, "items": items, "memory_bytes": computation.memory_bytes})
    read_end, write_end = os.pipe()
    lines.listen(read_end)
    try:
        done, errand = await zygote.carry_out(
            protocol.BATCH,
            [payload, write_end],
            clocks,
            cpu_seconds=computation.cpu_seconds * len(items),
            file_bytes=0,
            first_look=min(computation.cpu_seconds, computation.wall_seconds),
            look=lines.look,
        )
        lines.read()
    finally:
        lines.close()
        os.close(payload)
        os.close(write_end)
    if lines.broken is not None:
        raise SandboxError(
            f"{computation.function} cannot be loaded in the sandbox: {lines.broken}",
            "install the extra that it needs, and name every package that it imports",
            code="broken-function",
        )
    if len(results) < len(computation.items):
        # Where the item ended between the clock and the kill, the next one has spent nothing.
        limit = errand.limit if lines.seen == len(results) else None
        if done.fates[0].killed and not done.killed and spared != len(results):
            return len(results)
        _explain(done, results, first, limit, computation.cpu_seconds)
    return -1


def _explain(done: Done, results: list[Result], first: int, limit: str | None, allowed: float) -> None:
    """Add what became of the item that ended the process."""
    code = done.fates[0].exit
    if limit in ("cpu", "wall"):
        results.append(Result(status="timeout", kind=limit, cpu_seconds=allowed if limit == "cpu" else 0.0))
    elif limit is not None:
        results.append(Result(status="died", kind=limit))
    elif done.killed or (len(results) > first and results[-1].status == "memory"):
        return
    else:
        results.append(Result(status="died", kind=f"signal {-code}" if code < 0 else f"exit {code}"))


class _Lines:
    """Reads the results as they come.

    Args:
        results: Where they are added.
        most: How many there can be; a broken process may say more.
    """

    def __init__(self, results: list[Result], most: int) -> None:
        self.results = results
        self._most = most
        self.broken: str | None = None
        self.arrived: Callable[[], None] | None = None
        self.seen = len(results)
        """How many had come when the clocks were looked at last."""
        self._descriptor = -1
        self._buffer = b""
        self._loop = asyncio.get_running_loop()

    def listen(self, descriptor: int) -> None:
        """Read from a pipe from now on."""
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._loop.add_reader(descriptor, self.read)

    def close(self) -> None:
        """Read no more."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def look(self) -> None:
        """Take in what is there, before the clocks are looked at."""
        self.read()
        self.seen = len(self.results)

    def read(self) -> None:
        """Take in what is there."""
        before = len(self.results)
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._descriptor, 1 << 16):
                *lines, self._buffer = (self._buffer + chunk).split(b"\n")
                for line in lines:
                    self._take(line)
                if len(self._buffer) > _LONGEST_LINE:
                    self._buffer = b""
            self._loop.remove_reader(self._descriptor)
        if len(self.results) > before and self.arrived is not None:
            self.arrived()

    def _take(self, line: bytes) -> None:
        if len(self.results) >= self._most:
            return
        try:
            answer = json.loads(line)
            if "broken" in answer:
                self.broken = str(answer["broken"])[: batch.MAX_MESSAGE]
                return
            self.results.append(_result(answer))
        except (ValueError, TypeError, KeyError, RecursionError):
            self.results.append(Result(status="error", kind="ValueError", message="the result is not readable"))


def _result(answer: dict[str, Any]) -> Result:
    cpu = float(answer["cpu"])
    if "memory" in answer:
        return Result(status="memory", kind="MemoryError", cpu_seconds=cpu)
    if "raised" in answer:
        kind, message = answer["raised"]
        return Result(status="error", kind=str(kind), message=str(message)[: batch.MAX_MESSAGE], cpu_seconds=cpu)
    return Result(status="ok", value=answer["value"], cpu_seconds=cpu)

"""The pool: as many workers as asked for, each running one trial at a time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Self, TypeVar

from harness.errors import SandboxError, UsageError
from harness.sandbox import bwrap
from harness.sandbox.canary import CANARY
from harness.sandbox.computation import Computation, Computed, Result
from harness.sandbox.errand import ZygoteDiedError
from harness.sandbox.inside import jail
from harness.sandbox.scratch import remove_abandoned
from harness.sandbox.trial import Outcome, Trial
from harness.sandbox.turns import Turns
from harness.sandbox.worker import Worker

DEFAULT_MEMORY_BYTES = 4 << 30
LEVELS = ("bwrap", "landlock")
"""From the strongest."""
_LIVES = 2
_MOST_LIVES = 20
_T = TypeVar("_T")


class Sandbox:
    """Runs trials of untrusted code. Use as an async context; `run` may be called from many tasks at once.

    Args:
        workers: Trials at a time; None: one for each processor this process may use.
        unsafe: Run without walls where the kernel has none (``--unsafe-exec``).
        level: Use this level or none (``bwrap``, ``landlock``); None: ``HARNESS_SANDBOX`` where it is set, else the
            first one whose canary holds.
        memory_bytes: Address space of each process.
        packages: Installed packages that computations may import, beside the harness itself.
        preload: Modules that computations find imported.

    Raises:
        UsageError: More workers than any machine of this size can use.
        SandboxError: The kernel offers no jail.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        unsafe: bool = False,
        level: str | None = None,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        packages: Sequence[str] = (),
        preload: Sequence[str] = (),
    ) -> None:
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if workers is not None and workers > (most := max(64, 16 * processors)):
            raise UsageError(
                f"--workers {workers}: each is a process of its own, and this machine has {processors} processors",
                f"ask for {most} at most; one for each processor is the default",
            )
        self._memory_bytes = memory_bytes
        self._packages = packages
        self._preload = preload
        self.workers = workers or processors
        self._candidates = candidates(level or os.environ.get("HARNESS_SANDBOX") or None, unsafe=unsafe)
        self.level = self._candidates[0]
        self.refusals: list[str] = []
        """Why the levels before `level` are not used."""
        self._all: list[Worker] = []
        self._turns: Turns[Worker] = Turns([])

    async def __aenter__(self) -> Self:
        remove_abandoned()
        self.refusals = []
        for candidate in self._candidates:
            self.level = candidate
            try:
                await self._start()
                if candidate != "unsafe":
                    await self._try_canary()
            except SandboxError as error:
                self._stop()
                self.refusals.append(f"{candidate}: {error.message}")
            except BaseException:
                self._stop()
                raise
            else:
                return self
        raise SandboxError(
            f"no jail holds on this machine: {'; '.join(self.refusals)}",
            "use a kernel with Landlock and seccomp, or accept the risk with --unsafe-exec",
            code="canary",
        )

    async def _start(self) -> None:
        self._all = [self._worker() for _ in range(self.workers)]
        try:
            async with asyncio.TaskGroup() as group:
                for worker in self._all:
                    group.create_task(worker.start())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        self._turns = Turns(self._all)

    async def _try_canary(self) -> None:
        outcome = await self.run(CANARY)
        if outcome.kind == "SolutionGone":
            raise SandboxError(
                f"the process that tries an attack ended before it was done: {outcome.message}",
                "something kills it: see the kernel's log, and whether there is memory enough",
                code="canary",
            )
        if outcome.status != "passed":
            raise SandboxError(f"an attack that must fail: {outcome.kind} {outcome.message}", code="canary")

    async def __aexit__(self, *exc: object) -> None:
        self._stop()

    def _worker(self) -> Worker:
        return Worker(self.level, self._memory_bytes, self._packages, self._preload)

    def _stop(self) -> None:
        for worker in self._all:
            worker.stop()

    async def run(self, trial: Trial, *, seconds: float = 0.0) -> Outcome:
        """Run one trial when its turn comes.

        Args:
            trial: What to run.
            seconds: Processor time that it is expected to take; of all that wait, the longest comes first.

        Raises:
            SandboxError: The instrument broke; nothing is known of the program.
        """
        return await self._with_worker(lambda worker: worker.run(trial), seconds)

    async def compute(self, computation: Computation) -> Computed:
        """Call a trusted function on every item, when its turn comes.

        An item that hangs, swells or crashes costs only itself: the items before keep their results, and the rest go
        on in a fresh process.

        Raises:
            SandboxError: The instrument broke; nothing is known of any item.
        """
        results: list[Result] = []
        await self._with_worker(lambda worker: worker.compute(computation, results), 0.0)
        return Computed(tuple(results))

    async def _with_worker(self, work: Callable[[Worker], Awaitable[_T]], seconds: float) -> _T:
        async with self._turns.turn(seconds) as worker:
            return await _outlive(worker, work)


async def _outlive(worker: Worker, work: Callable[[Worker], Awaitable[_T]]) -> _T:
    """Do the work, also where the worker's zygote dies once of it or often for another cause."""
    deaths = 0
    for _ in range(_MOST_LIVES):
        try:
            return await work(worker)
        except ZygoteDiedError as death:
            # What only waited its turn is not the cause.
            deaths += death.began
            if deaths == _LIVES:
                break
    raise SandboxError("a sandbox worker died twice during a trial", "run again; if it repeats, report the sample")


def candidates(wanted: str | None, *, unsafe: bool) -> list[str]:
    """Return the levels that this machine may offer, the best first; the canary decides.

    Args:
        wanted: The only level to use; None: any.
        unsafe: Whether the user accepts to run without walls where nothing better works.

    Raises:
        UsageError: There is no such level.
        SandboxError: The kernel offers no jail.
    """
    if wanted not in (None, *LEVELS):
        raise UsageError(f"HARNESS_SANDBOX: there is no level {wanted!r}", f"use one of {', '.join(LEVELS)}")
    found = []
    if jail.architecture_known() and jail.landlock_abi() > 0:
        found = [level for level in LEVELS if wanted in (None, level) and (level != "bwrap" or bwrap.installed())]
    if unsafe:
        found.append("unsafe")
    if not found and wanted == "bwrap" and not bwrap.installed():
        raise SandboxError("bubblewrap is not installed", "install the package bubblewrap", code="no-jail")
    if not found:
        raise SandboxError(
            "this kernel offers no Landlock, so untrusted code cannot be confined",
            "use Linux 5.13 or newer with Landlock enabled (lsm=...), or accept the risk with --unsafe-exec",
            code="no-jail",
        )
    return found

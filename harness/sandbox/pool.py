"""The pool: as many workers as asked for, each running one trial at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Self

from harness.errors import SandboxError
from harness.sandbox.canary import CANARY
from harness.sandbox.inside import jail
from harness.sandbox.trial import Outcome, Trial
from harness.sandbox.worker import Worker, WorkerDiedError

_LIVES = 2


class Sandbox:
    """Runs trials of untrusted code. Use as an async context; `run` may be called from many tasks at once.

    Args:
        workers: Trials at a time; None: one for each processor this process may use.
        unsafe: Run without walls where the kernel has none (``--unsafe-exec``).
    """

    def __init__(self, *, workers: int | None = None, unsafe: bool = False) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self.level = level(unsafe=unsafe)
        self._all: list[Worker] = []
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._all = [Worker(self.level) for _ in range(self.workers)]
        try:
            async with asyncio.TaskGroup() as group:
                for worker in self._all:
                    group.create_task(worker.start())
        except BaseExceptionGroup as failures:
            self._stop()
            raise failures.exceptions[0] from None
        for worker in self._all:
            self._idle.put_nowait(worker)
        if self.level != "unsafe":
            outcome = await self.run(CANARY)
            if outcome.status != "passed":
                self._stop()
                raise SandboxError(
                    f"the jail does not hold on this machine: {outcome.kind} {outcome.message}",
                    "use a kernel with Landlock and seccomp, or accept the risk with --unsafe-exec",
                    code="canary",
                )
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._stop()

    def _stop(self) -> None:
        for worker in self._all:
            worker.stop()

    async def run(self, trial: Trial) -> Outcome:
        """Run one trial on the next idle worker.

        Raises:
            SandboxError: The instrument broke; nothing is known of the program.
        """
        worker = await self._idle.get()
        try:
            for _ in range(_LIVES):
                with contextlib.suppress(WorkerDiedError):
                    return await worker.run(trial)
                worker.stop()
                await worker.start()
        finally:
            self._idle.put_nowait(worker)
        raise SandboxError("a trial killed its sandbox worker twice", "run again; if it repeats, report the sample")


def level(*, unsafe: bool) -> str:
    """Choose the sandbox level of this machine.

    Returns:
        ``landlock``, or ``unsafe`` where nothing better works and the user accepts it.

    Raises:
        SandboxError: The kernel offers no jail.
    """
    if jail.architecture_known() and jail.landlock_abi() > 0:
        return "landlock"
    if unsafe:
        return "unsafe"
    raise SandboxError(
        "this kernel offers no Landlock, so untrusted code cannot be confined",
        "use Linux 5.13 or newer with Landlock enabled (lsm=...), or accept the risk with --unsafe-exec",
        code="no-jail",
    )

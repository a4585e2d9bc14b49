"""One worker: a lean zygote, one with numpy for programs that speak of numpy, one with libraries for computations."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

from harness.sandbox.batches import continue_batch
from harness.sandbox.computation import Computation, Result
from harness.sandbox.pair import run_trial
from harness.sandbox.trial import Outcome, Trial
from harness.sandbox.zygote import Zygote

_COMMON: Final = (
    *("math", "re", "collections", "itertools", "functools", "typing", "string", "heapq", "bisect", "operator"),
    *("copy", "json", "time"),
)


class Worker:
    """Carries out one trial or computation at a time; the next may be handed over while it works.

    numpy costs 0.1 s to import and a third of a fork to carry, so it is warm only where it is wanted.

    Args:
        level: ``landlock`` or ``unsafe``.
        memory_bytes: Address space of each process.
        packages: Installed packages for computations.
        preload: Modules that are warm for computations.
    """

    def __init__(self, level: str, memory_bytes: int, packages: Sequence[str], preload: Sequence[str]) -> None:
        self._lean = Zygote(level, _COMMON, memory_bytes)
        self._numpy = Zygote(level, ("numpy", *_COMMON), memory_bytes)
        # The harness's own modules need msgspec.
        self._library = Zygote(level, preload, memory_bytes, packages=(*packages, "msgspec"), ours=True)
        self._current: Zygote | None = None
        self._users = 0
        self._changed = asyncio.Event()
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Start the lean zygote; raises `SandboxError` where it does not start."""
        await self._lean.start()

    def stop(self) -> None:
        """End the zygotes and everything they forked."""
        self._lean.stop()
        self._numpy.stop()
        self._library.stop()

    async def run(self, trial: Trial) -> Outcome:
        """Run one trial.

        Raises:
            ZygoteDiedError: The zygote ended; try again.
            SandboxError: The instrument broke.
        """
        wanted = any("numpy" in text for text in (trial.program, trial.helpers, trial.test))
        zygote = self._numpy if wanted else self._lean
        async with self._turn(zygote):
            return await run_trial(zygote, trial)

    async def compute(self, computation: Computation, results: list[Result]) -> None:
        """Add a result for every item that has none.

        Raises:
            ZygoteDiedError: The zygote ended; the results so far stand.
            SandboxError: The instrument broke.
        """
        async with self._turn(self._library):
            spared = -1
            while len(results) < len(computation.items):
                if not self._library.running:
                    await self._library.start()
                spared = await continue_batch(self._library, computation, results, spared)

    @contextlib.asynccontextmanager
    async def _turn(self, zygote: Zygote) -> AsyncIterator[None]:
        """Wait until no other zygote of this worker works, and start this one where it does not run."""
        while self._users and self._current is not zygote:
            self._changed.clear()
            await self._changed.wait()
        self._current = zygote
        self._users += 1
        try:
            async with self._starting:
                if not zygote.running:
                    await zygote.start()
            yield
        finally:
            self._users -= 1
            self._changed.set()

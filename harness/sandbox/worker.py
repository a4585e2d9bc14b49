"""One worker: a lean zygote, and one with numpy that is started for the first program that speaks of numpy."""

from __future__ import annotations

from typing import Final

from harness.sandbox.trial import Outcome, Trial
from harness.sandbox.zygote import Zygote

_COMMON: Final = (
    *("math", "re", "collections", "itertools", "functools", "typing", "string", "heapq", "bisect", "operator"),
    *("copy", "json", "time"),
)


class Worker:
    """Runs one trial at a time.

    numpy costs 0.1 s to import and a third of a fork to carry, so it is warm only where it is wanted.

    Args:
        level: ``landlock`` or ``unsafe``.
        memory_bytes: Address space of each process.
    """

    def __init__(self, level: str, memory_bytes: int) -> None:
        self._lean = Zygote(level, _COMMON, memory_bytes)
        self._numpy = Zygote(level, ("numpy", *_COMMON), memory_bytes)

    async def start(self) -> None:
        """Start the lean zygote; raises `SandboxError` where it does not start."""
        await self._lean.start()

    def stop(self) -> None:
        """End the zygotes and everything they forked."""
        self._lean.stop()
        self._numpy.stop()

    async def run(self, trial: Trial) -> Outcome:
        """Run one trial.

        Raises:
            ZygoteDiedError: The zygote ended; try again.
            SandboxError: The instrument broke.
        """
        wanted = any("numpy" in text for text in (trial.program, trial.helpers, trial.test))
        zygote = self._numpy if wanted else self._lean
        if not zygote.running:
            await zygote.start()
        return await zygote.run(trial)

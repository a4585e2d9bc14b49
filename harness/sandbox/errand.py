"""An errand: one order to a zygote, from the moment it is sent to the end of its processes, with its limits watched."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.errors import SandboxError
from harness.sandbox.clocks import Clocks

PATROL_SECONDS = 0.1
"""How often clocks, threads and the scratch folder are looked at; most trials end before the first look."""


PATIENCE_SECONDS = 60.0
"""A zygote that does not answer for so long is lost."""


class ZygoteDiedError(Exception):
    """The zygote is gone; nothing is known of the errand.

    Attributes:
        began: Whether it had begun, so that it may be the cause.
    """

    def __init__(self, *, began: bool) -> None:
        self.began = began


class Fate(NamedTuple):
    """What became of a process: its exit code (negative: signal), processor time, and whether the zygote ended it."""

    exit: int
    cpu_seconds: float
    ended: bool

    @property
    def killed(self) -> bool:
        """Whether somebody else killed it: the operator, or the kernel for want of memory."""
        return self.exit == -signal.SIGKILL and not self.ended


class Done(NamedTuple):
    """The end of an errand: whether it was killed for its limit, whether the scratch folder is clean, its processes."""

    killed: bool
    clean: bool
    fates: tuple[Fate, ...]


class Errand:
    """One order on its way. Await `done`.

    Args:
        number: What it is called.
        clocks: Makes the clocks of its processes, which began at the given time of `time.monotonic`.
        overfull: Says whether the processes have overfilled the scratch folder.
        look: Is called before the clocks are looked at.
        lost: Is called when the zygote does not answer.
    """

    def __init__(
        self,
        number: int,
        clocks: Callable[[Sequence[int], float], Clocks],
        overfull: Callable[[Sequence[int]], bool],
        look: Callable[[], object] | None,
        lost: Callable[[], None],
    ) -> None:
        self.number = number
        self.limit: str | None = None
        """The limit that was spent: ``cpu``, ``wall``, ``disk`` or ``threads``."""
        self.failure: SandboxError | None = None
        self.clocks: Clocks | None = None
        self.began: float | None = None
        self.first_look = PATROL_SECONDS
        """Seconds in which no limit can be spent."""
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[Done] = self._loop.create_future()
        self._make_clocks = clocks
        self._overfull = overfull
        self._look = look
        self._lost = lost
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, ask: Callable[[], None]) -> None:
        """It is carried out from now on; `ask` asks the zygote for the processes, and `watch` gets the answer."""
        self.began = time.monotonic()
        self._timer = self._loop.call_later(min(PATROL_SECONDS, self.first_look), self._await_answer, ask)

    def _await_answer(self, say: Callable[[], None]) -> None:
        self._timer = self._loop.call_later(PATIENCE_SECONDS, self._lost)
        say()

    def watch(self, pids: Sequence[int], kill: Callable[[], None]) -> None:
        """Look after the processes until a limit is spent; then `kill` is called, once."""
        if self.began is None or self.done.done():
            return
        if self._timer is not None:
            self._timer.cancel()
        self._pids = pids
        self.clocks = self._make_clocks(pids, self.began)
        self._kill = kill
        self._patrol()

    def _patrol(self) -> None:
        clocks = self.clocks
        if clocks is None or self.done.done():
            return
        if self._look is not None:
            self._look()
        try:
            self.limit = clocks.spent() or ("disk" if self._overfull(self._pids) else None) or clocks.crowded()
        except SandboxError as error:
            self.failure = error
        if self.limit is not None or self.failure is not None:
            self._await_answer(self._kill)
        else:
            self._timer = self._loop.call_later(min(clocks.pause, PATROL_SECONDS), self._patrol)

    def end(self, outcome: Done | ZygoteDiedError) -> None:
        """It is over."""
        if self._timer is not None:
            self._timer.cancel()
        if self.done.done():
            return
        if isinstance(outcome, ZygoteDiedError):
            self.done.set_exception(outcome)
        else:
            self.done.set_result(outcome)

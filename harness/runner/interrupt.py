"""Ctrl-C and SIGTERM: the first ends a run cleanly, the second at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

GRACE_SECONDS = 10.0
"""How long requests in flight may take to finish after the first signal."""

_HURRY_SECONDS = 2.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class InterruptedRunError(Exception):
    """A signal came before the first request."""


class Interrupt:
    """Listens for SIGINT and SIGTERM while a run works.

    After the first signal ``first`` is set. The second sets ``second``: nothing is waited for any more, and a timer
    ends the process should closing down take long. A third ends the process on the spot. Nothing journaled is lost
    in any case. Outside the main thread nothing is listened for.
    """

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self._timer: threading.Timer | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals inside the context, and restore what was before."""
        loop = asyncio.get_running_loop()
        before = {}
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                before[number] = signal.getsignal(number)
                loop.add_signal_handler(number, self._received, number)
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _received(self, number: int) -> None:
        if not self.first.is_set():
            self.first.set()
        elif not self.second.is_set():
            self.second.set()
            self._timer = threading.Timer(_HURRY_SECONDS, _leave, [number])
            self._timer.daemon = True
            self._timer.start()
        else:
            _leave(number)

    async def guard(self, work: Coroutine[Any, Any, T]) -> T:
        """Do preparatory work that a first signal cancels.

        Raises:
            InterruptedRunError: A signal came first.
        """
        task = asyncio.ensure_future(work)
        signalled = asyncio.ensure_future(self.first.wait())
        try:
            await asyncio.wait({task, signalled}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
            if task.cancelled():
                raise InterruptedRunError
            return task.result()
        finally:
            signalled.cancel()
            task.cancel()


def _leave(number: int) -> None:
    """End the process on the spot, with one line; what it had buffered is not written."""
    with contextlib.suppress(OSError):
        _, ready, _ = select.select([], [2], [], 0)  # a full pipe that nobody reads would hold it for ever
        if ready:
            os.write(2, "error: interrupted — run the same command again to resume\n".encode())
    os._exit(128 + number)


@contextlib.contextmanager
def breakable() -> Iterator[None]:
    """Let Ctrl-C break synchronous work (a download), which the event loop's own handlers cannot.

    Raises:
        InterruptedRunError: A signal came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        for number in _SIGNALS:
            signal.signal(number, signal.default_int_handler)
        yield
    except KeyboardInterrupt as error:
        raise InterruptedRunError from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Trusted functions that may hang, swell or crash (symbolic mathematics), in processes that can be killed."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, Self, TypeVar

from harness.errors import SandboxError
from harness.sandbox.computation import Computation, Computed
from harness.sandbox.pool import Sandbox

_T = TypeVar("_T")


class Calculator:
    """Computes from synchronous code: a sandbox with an event loop of its own, in a thread of its own.

    It starts at the first `compute` and may be kept for ever; it ends with `close`, with the context, or with the
    interpreter. `compute` may be called from many threads.

    Args:
        packages: Installed packages that the functions need.
        preload: Modules to import before the first fork.
        workers: Computations at a time.
        unsafe: Compute without walls where the kernel has none.
    """

    def __init__(
        self, *, packages: Sequence[str], preload: Sequence[str] = (), workers: int = 1, unsafe: bool = False
    ) -> None:
        self._sandbox = Sandbox(workers=workers, unsafe=unsafe, packages=packages, preload=preload)
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None

    def compute(self, computation: Computation) -> Computed:
        """Compute all items.

        Raises:
            SandboxError: The instrument broke; nothing is known of any item.
        """
        with self._lock:
            if self._loop is None:
                self._start()
        return self._wait(self._sandbox.compute(computation))

    def close(self) -> None:
        """End the processes; the next `compute` starts them again. In a fork nothing: they are the parent's."""
        if self._process != os.getpid():
            return
        with self._lock:
            if self._loop is None:
                return
            self._wait(self._sandbox.__aexit__())
            self._end()

    def _start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_serve, args=(self._loop,), name="harness-calculator", daemon=True)
        self._thread.start()
        try:
            self._wait(self._sandbox.__aenter__())
        except BaseException:
            self._end()
            raise
        atexit.register(self.close)

    def _end(self) -> None:
        atexit.unregister(self.close)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None
            self._thread.join()

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        if self._loop is None:
            work.close()
            raise SandboxError(
                "the calculator was closed while it computed", "keep it open until its results are there"
            )
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()

"""How many calls are in flight: halved when the judge says it has too many, one more after a run of successes."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from harness.errors import StoppedError

BUSY = frozenset({"http-429", "http-500", "http-502", "http-503", "http-504", "http-529", "timeout"})
"""Causes that ask for fewer calls at once."""


class Limiter:
    """Bounds the calls in flight and adapts the bound. Use as a context around each call.

    Args:
        most: Upper end of the bound, and where it starts.

    Attributes:
        limit: The bound at present.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.limit = most
        self._in_flight = 0
        self._good = 0
        self._spared = 0
        self._stopped = False
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        """Wait for a place; raises `StoppedError` where no call begins any more."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._in_flight < self.limit)
            if self._stopped:
                raise StoppedError
            self._in_flight += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._changed:
            self._in_flight -= 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Let no further call begin; those in flight go on."""
        self._stopped = True

    def busy(self) -> None:
        """A call was turned away, or had to be repeated."""
        self._good = 0
        if self._spared > 0:  # those that were in flight together say the same thing once
            self._spared -= 1
            return
        self.limit = max(1, self.limit // 2)
        self._spared = self._in_flight

    def worked(self) -> None:
        """A call was answered at the first try."""
        self._spared = max(0, self._spared - 1)
        self._good += 1
        if self._good >= self.limit and self.limit < self._most:
            self._good = 0
            self.limit += 1

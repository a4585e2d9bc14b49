"""Who works next, and where: of all that waits the longest comes first, so that none is left alone at the end."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Final, Generic, TypeVar

_SHORT_SECONDS: Final = 0.1
_W = TypeVar("_W")


class Turns(Generic[_W]):
    """Hands out workers.

    A worker holds one errand, and behind a short one the next, so that it need not wait for the harness. Equal times
    are first come, first served; a plain queue would let who has just finished overtake all who wait.

    Args:
        workers: Whom to hand out.
    """

    def __init__(self, workers: Sequence[_W]) -> None:
        self._held: dict[_W, list[float]] = {worker: [] for worker in workers}
        self._waiting: list[tuple[float, int, asyncio.Future[_W]]] = []
        self._order = itertools.count()

    @contextlib.asynccontextmanager
    async def turn(self, seconds: float) -> AsyncIterator[_W]:
        """Wait for a worker, with the processor time that the errand is expected to take."""
        place: asyncio.Future[_W] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (-seconds, next(self._order), place))
        self._give()
        try:
            worker = await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._leave(place.result(), seconds)
            raise
        try:
            yield worker
        finally:
            self._leave(worker, seconds)

    def _leave(self, worker: _W, seconds: float) -> None:
        self._held[worker].remove(seconds)
        self._give()

    def _give(self) -> None:
        while self._waiting and (worker := self._free()) is not None:
            seconds, _, place = heapq.heappop(self._waiting)
            if not place.done():
                self._held[worker].append(-seconds)
                place.set_result(worker)

    def _free(self) -> _W | None:
        """The worker that is free the soonest, where one has room."""
        worker = min(self._held, key=lambda one: (len(self._held[one]), sum(self._held[one])))
        held = self._held[worker]
        return worker if not held or (len(held) == 1 and held[0] <= _SHORT_SECONDS) else None

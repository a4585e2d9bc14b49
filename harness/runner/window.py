"""The one loop: a bounded window of attempts over all cells of a model, with no barrier anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from harness.errors import EngineError, StoppedError
from harness.judging.panel import Panel
from harness.runner.attempt import Attempts, Line
from harness.runner.interrupt import GRACE_SECONDS, Interrupt
from harness.runner.job import Job
from harness.runner.plan import Progress
from harness.types import Sample

Unit = tuple[Job, Sample, int]

_SKIPS_AT_ONCE = 200


def width(window: int | None, concurrency: int, workers: int | None) -> int:
    """How many attempts are in work at once: enough to fill engine and sandbox twice, so neither waits."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return window or 2 * concurrency + 2 * (workers or cores)


async def drive(
    jobs: Sequence[Job], panel: Panel, *, concurrency: int, window: int, interrupt: Interrupt, progress: Progress
) -> EngineError | None:
    """Carry every unit of work of a model's jobs through.

    Units are made one by one as the window has room, so memory does not grow with the data set; a unit holds its
    place until it is scored, so slow scoring slows the asking down.

    Args:
        jobs: The model's cells; their samples are asked one cell after the other.
        panel: Their judges.
        concurrency: Requests in flight, at most.
        window: Units in work at once.
        interrupt: After a first signal no request starts, to the engine or a judge; a grace later all is cancelled.
        progress: Who is told.

    Returns:
        Why asking stopped early, where the engine is gone.

    Raises:
        StoreError: A run folder cannot be written.
        InstrumentError: A scorer must not grade.
    """
    line = Line(concurrency)
    attempts = Attempts(line, progress)
    units = _units(jobs)

    def stop() -> None:
        line.stopping = True
        panel.stop()

    async def worker() -> None:
        for skipped, unit in enumerate(units):
            if line.stopping:
                return
            if unit is None:
                if skipped % _SKIPS_AT_ONCE == 0:
                    await asyncio.sleep(0)  # a long resume must still notice signals
                continue
            try:
                await attempts.carry(*unit)
            except StoppedError:
                return
            except BaseException:
                line.stopping = True  # at once: the others must not ask what cannot be kept
                raise

    try:
        await pool(worker, window, interrupt, stop)
    except EngineError as error:
        return error
    return None


async def pool(
    worker: Callable[[], Coroutine[Any, Any, None]],
    size: int,
    interrupt: Interrupt | None = None,
    stop: Callable[[], None] = lambda: None,
) -> None:
    """Run ``size`` workers to their end; the first that fails ends the others, and its error is raised.

    Args:
        worker: Works until nothing is left, or until ``stop`` was called.
        size: How many of them work at once.
        interrupt: After a first signal ``stop`` is called; a grace later, or after a second one, all is cancelled.
            None: nobody listens.
        stop: Lets nothing new begin.
    """
    workers = [asyncio.create_task(worker()) for _ in range(size)]
    finished = asyncio.gather(*workers)
    try:
        await _until_done(finished, stop, interrupt or Interrupt())
    finally:
        for task in workers:
            task.cancel()
        await asyncio.wait(workers)
        finished.cancel()
        with contextlib.suppress(BaseException):
            finished.exception()


async def _until_done(finished: asyncio.Future[Any], stop: Callable[[], None], interrupt: Interrupt) -> None:
    """Wait for the workers; after a signal only for what is in flight, and not for long."""
    signals: list[asyncio.Future[Any]] = [
        asyncio.ensure_future(interrupt.first.wait()),
        asyncio.ensure_future(interrupt.second.wait()),
    ]
    try:
        await asyncio.wait({finished, signals[0]}, return_when=asyncio.FIRST_COMPLETED)
        if not finished.done():
            stop()
            await asyncio.wait({finished, signals[1]}, timeout=GRACE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if finished.done():
            finished.result()
    finally:
        for one in signals:
            one.cancel()


def _units(jobs: Sequence[Job]) -> Iterator[Unit | None]:
    for job in jobs:
        for left in job.work():
            yield None if left is None else (job, *left)

"""`run`: preparation, the window of each model, and a result for every cell, however the run ends."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import msgspec

from harness.catalog import Catalog
from harness.errors import HarnessError, StoreError
from harness.runner import plan as plans
from harness.runner import results
from harness.runner.interrupt import Interrupt, InterruptedRunError
from harness.runner.job import Job
from harness.runner.judges import closing_notes
from harness.runner.plan import Progress, RunOutcome, RunPlan
from harness.runner.preflight import Lane, prepare
from harness.runner.serving import ask, identified, identify
from harness.types import CellResult, State

if TYPE_CHECKING:
    from harness.datasets import DataStore


async def run(plan: RunPlan, *, catalog: Catalog, data: DataStore, progress: Progress) -> RunOutcome:
    """Ask, journal and score everything that a plan names and that is not there yet.

    Ctrl-C and SIGTERM end it cleanly: requests in flight may finish for some seconds, manifests and estimates are
    written, and the same plan resumes. What failed before is tried again; what is journaled is never asked again.

    Args:
        plan: What to run.
        catalog: Where tasks come from.
        data: Where samples come from.
        progress: Who is told.

    Returns:
        A result per cell. Its ``error`` says why a model was given up; its cells are then partial.

    Raises:
        HarnessError: Preparation failed and nothing was asked; or a run folder cannot be written, or a scorer proved
            unfit, midway: everything journaled is kept.
    """
    plans.check(plan)
    interrupt = Interrupt()
    with interrupt.listening(), _rare_collections():
        async with AsyncExitStack() as stack:
            try:
                lanes, refused = await interrupt.guard(prepare(plan, catalog, data, progress, stack))
            except InterruptedRunError:
                return RunOutcome(cells=(), interrupted=True)
            outcome = await _run(lanes, plan, catalog, progress, interrupt)
            return msgspec.structs.replace(outcome, error=refused or outcome.error)


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """Let the cycle collector run less often: a request leaves no cycles, and walking the data set again costs 5 %."""
    before = gc.get_threshold()
    gc.set_threshold(20 * before[0], *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


async def _run(
    lanes: list[Lane], plan: RunPlan, catalog: Catalog, progress: Progress, interrupt: Interrupt
) -> RunOutcome:
    cells: list[CellResult] = []
    first_error: HarnessError | None = None
    for lane in lanes:
        pending = [job for job in lane.jobs if _begin(job, progress)]
        error: HarnessError | None = None
        try:
            if pending and not interrupt.first.is_set():
                error = await ask(lane, pending, plan, interrupt, progress)
            if error is None:
                error = await identify(lane, interrupt, progress)
        except BaseException:
            for job in pending:  # the first error is the one to tell
                with contextlib.suppress(StoreError):
                    _finish(job, catalog, exit_code=1)
            raise
        if error is not None:
            progress.note(str(error))
            first_error = first_error or error
        for job in lane.jobs:
            code = 130 if interrupt.first.is_set() else 1 if error is not None else 0
            found = _finish(job, catalog, exit_code=code)
            for note in closing_notes(job.rule):
                progress.note(note)
            cells.append(found)
            progress.finished(found)
    return RunOutcome(cells=tuple(cells), interrupted=interrupt.first.is_set(), error=first_error)


def _begin(job: Job, progress: Progress) -> bool:
    """Announce a cell; True where something is left to do, and then the manifest says that it is being done."""
    scored = sum(job.scoring.has(sample.id, attempt) for sample, attempt in job.pairs())
    progress.started(job.model, job.task.name, job.expected, scored)
    left = any(unit is not None for unit in job.work())
    if not left:
        progress.note(f"{job.model} on {job.task.name} is complete: nothing to ask, nothing to score")
        return False
    manifest = job.cell.manifest
    job.cell.save(
        msgspec.structs.replace(
            manifest,
            state="running",
            expected=job.expected,
            attempts=job.attempts,
            limit=job.limit,
            invocations=(*manifest.invocations, job.invocation),
        )
    )
    return True


def _finish(job: Job, catalog: Catalog, *, exit_code: int) -> CellResult:
    """Write what is known at the end: estimates, then the manifest that vouches for them."""
    count = results.tally(job.cell, job.scoring, job.task, job.samples, job.attempts)
    estimates = results.estimate(
        job.cell, job.scoring, job.rule.task, job.samples, job.attempts, count, scorer=job.rule.scorer
    )
    job.scoring.finish(estimates)
    job.cell.sync()
    state: State = "complete" if count.done == count.expected else "partial"
    manifest = job.cell.manifest
    if manifest.invocations and manifest.invocations[-1].id == job.invocation.id:
        code = exit_code or (3 if count.causes else 0)
        manifest = results.close_manifest(manifest, state=state, expected=count.expected, exit_code=code)
    manifest = identified(msgspec.structs.replace(manifest, state=state, expected=count.expected), job.engine.model)
    if manifest != job.cell.manifest:
        job.cell.save(manifest)
    return results.result(job.cell, job.scoring, job.rule.task, count, estimates, catalog)

"""Asking a model whose servers are ours: started when something is to be asked, stopped before the next model."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.engines import OwnsServers
from harness.errors import EngineError
from harness.runner.interrupt import Interrupt, InterruptedRunError
from harness.runner.job import Job
from harness.runner.plan import Progress, RunPlan
from harness.runner.preflight import Lane
from harness.runner.window import drive, width
from harness.types import Manifest, ModelFacts


async def ask(
    lane: Lane, pending: Sequence[Job], plan: RunPlan, interrupt: Interrupt, progress: Progress
) -> EngineError | None:
    """Ask everything that is left of a model's cells, with its servers up.

    Returns:
        Why asking did not begin or stopped early, where the engine does not start or is gone.
    """
    engine = lane.engine
    owned = engine if isinstance(engine, OwnsServers) else None
    try:
        if owned is not None:
            await interrupt.guard(owned.start(progress.note))
            for job in pending:
                _tell(job)
        return await drive(
            pending,
            lane.panel,
            concurrency=engine.concurrency,
            window=width(plan.window, engine.concurrency + lane.panel.concurrency, plan.workers),
            interrupt=interrupt,
            progress=progress,
        )
    except InterruptedRunError:
        return None
    except EngineError as error:
        return error
    finally:
        if owned is not None:
            await owned.stop()


async def identify(lane: Lane, interrupt: Interrupt, progress: Progress) -> EngineError | None:
    """Complete a model's identity where a cell lacks it; a signal leaves it to the next run.

    Returns:
        Why it cannot be trusted, if so: the files changed, or a cell holds answers of other weights.
    """
    engine = lane.engine
    if not isinstance(engine, OwnsServers) or interrupt.first.is_set():
        return None
    if all(job.cell.manifest.model.identity != "quick" for job in lane.jobs) and engine.model.identity != "quick":
        return None
    try:
        await interrupt.guard(engine.identify(progress.note))
    except InterruptedRunError:
        return None
    except EngineError as error:
        return error
    for job in lane.jobs:
        before, now = job.cell.manifest.model, lane.engine.model
        if before.identity == now.identity == "sha256" and before.weights != now.weights:
            return EngineError(
                f"{job.cell.path}: holds answers of other weights ({(before.weights or '')[:12]}) under the same quick "
                f"identity as these ({(now.weights or '')[:12]})",
                "the last invocation's answers may not be used: remove the cell, or choose another folder with --runs",
                code="other-weights",
            )
    return None


def identified(manifest: Manifest, model: ModelFacts) -> Manifest:
    """The manifest with what was learnt of the model while it was asked; what is known already stays."""
    if manifest.model.identity != "quick" or model.identity == "quick":
        return manifest
    known = msgspec.structs.replace(manifest.model, identity=model.identity, weights=model.weights)
    return msgspec.structs.replace(manifest, model=known)


def _tell(job: Job) -> None:
    """Record which engine answers, now that its version is known."""
    job.invocation = msgspec.structs.replace(job.invocation, engine=job.engine.facts)
    manifest = job.cell.manifest
    told = [job.invocation if one.id == job.invocation.id else one for one in manifest.invocations]
    job.cell.save(msgspec.structs.replace(manifest, invocations=tuple(told)))

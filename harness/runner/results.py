"""From journals to a result: what is done, what is missing and why, the estimates, the published numbers."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness import stats
from harness.catalog import Catalog
from harness.clock import now
from harness.judging.outcome import Counted
from harness.judging.scorer import JudgeScorer
from harness.runner.grade import slices
from harness.runner.job import answered
from harness.scorers import UNIT, Scorer, scales
from harness.store import Cell, Scoring
from harness.types import CellResult, Estimate, Manifest, PublishedNumber, Sample, State, Task

NOT_ASKED = "not-asked"
"""Cause of an attempt that was never tried: the run ended before, or another command was to ask it."""

Pair = tuple[str, int]


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell's number rests on.

    Attributes:
        expected: Pairs of sample and attempt.
        done: Pairs with all their completions.
        causes: Pairs without a score, each with why.
        failed: How many of those have a recorded error.
    """

    expected: int
    done: int
    causes: dict[Pair, str]
    failed: int


def tally(cell: Cell, scoring: Scoring, asked: Task, samples: Sequence[Sample], attempts: int) -> Tally:
    """Count a cell's pairs, and find the last recorded cause of each that has no score."""
    causes: dict[Pair, str] = {}
    done = 0
    for sample in samples:
        for attempt in range(attempts):
            complete = answered(cell, asked, sample, attempt)
            done += complete
            if not scoring.has(sample.id, attempt):
                causes[sample.id, attempt] = "unscored" if complete else NOT_ASKED
    failed: set[Pair] = set()
    if causes:
        for error in cell.errors():
            pair = (error.sample, error.attempt)
            if pair in causes:
                causes[pair] = error.code
                failed.add(pair)
    return Tally(expected=len(samples) * attempts, done=done, causes=causes, failed=len(failed))


def estimate(
    cell: Cell,
    scoring: Scoring,
    task: Task,
    samples: Sequence[Sample],
    attempts: int,
    count: Tally,
    *,
    scorer: Scorer,
) -> tuple[Estimate, ...]:
    """Estimate the headline metric of ``task`` over these samples, then every other metric that its scorer gave.

    A judge has statistics of its own protocol, and makes all the estimates itself.
    """
    truncated = {
        (sample.id, attempt) for sample in samples for attempt in range(attempts) if cell.truncated(sample.id, attempt)
    }
    if isinstance(scorer, JudgeScorer):
        slices_of = {sample.id: scorer.slices(sample) for sample in samples}
        items = [sample.id for sample in samples]
        counted = Counted(items=items, attempts=attempts, causes=count.causes, truncated=truncated, slices_of=slices_of)
        return scorer.estimates(scoring.rows(), counted)
    scores = [stats.essential(score) for score in scoring.rows()]
    declared = scales(scorer)
    others = {score.metric for score in scores if score.value is not None} - {task.metric}
    return tuple(
        found
        for metric in (task.metric, *sorted(others))
        for found in stats.estimate(
            scores,
            metric=metric,
            k=task.k,
            attempts=attempts,
            expected_items=[sample.id for sample in samples],
            errors=count.causes,
            truncated=truncated,
            slices=task.slices,
            scale=declared.get(metric, UNIT),
            slices_of={sample.id: slices(task, sample) for sample in samples} if task.slices else None,
        )
    )


def result(
    cell: Cell, scoring: Scoring, task: Task, count: Tally, estimates: tuple[Estimate, ...], catalog: Catalog
) -> CellResult:
    """Put a cell's result together, with the numbers that others published for this model on this task."""
    manifest = cell.manifest
    return CellResult(
        path=str(cell.path),
        ask_id=manifest.ask_id,
        task=manifest.task.name,
        model=manifest.model.name,
        state=manifest.state,
        expected=count.expected,
        done=count.done,
        unscored=len(count.causes),
        errors=count.failed,
        score_id=scoring.score_id,
        estimates=estimates,
        published=published(catalog, manifest.model.name, task.name),
    )


def published(catalog: Catalog, model: str, task: str) -> tuple[PublishedNumber, ...]:
    """Find the published numbers of a model, by its name or any alias, on a task."""
    names = {model.casefold()}
    known = catalog.known_model(model)
    if known is not None:
        names.update(name.casefold() for name in (known.name, *known.aliases))
    return tuple(one for one in catalog.published() if one.task == task and one.model.casefold() in names)


def close_manifest(manifest: Manifest, *, state: State, expected: int, exit_code: int) -> Manifest:
    """Return the manifest of a cell whose invocation ends now."""
    *earlier, last = manifest.invocations
    ended = msgspec.structs.replace(last, ended=now(), exit=exit_code)
    return msgspec.structs.replace(manifest, state=state, expected=expected, invocations=(*earlier, ended))

"""`score`: scores of a cell from its journal, asking no model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.catalog import Catalog
from harness.clock import now
from harness.errors import HarnessError, StoppedError, UsageError
from harness.judging.panel import JudgeOptions, Panel, with_judge
from harness.runner import results
from harness.runner.grade import Grader
from harness.runner.interrupt import Interrupt, InterruptedRunError, breakable
from harness.runner.job import answered, completions_of, extent
from harness.runner.judges import bind, closing_notes, forecast
from harness.runner.plan import Progress, with_k
from harness.runner.preflight import make_rule, open_rule
from harness.runner.window import pool, width
from harness.store import Cell, Scoring
from harness.types import CellResult, Manifest, Sample, Task

if TYPE_CHECKING:
    from harness.datasets import DataStore

_WINDOW = 1024
"""Attempts in work at once, at least: the more are at hand, the better the sandbox can put the longest first."""


async def score(
    cell: Path,
    *,
    catalog: Catalog,
    data: DataStore,
    task: str | None = None,
    k: Sequence[int] = (),
    progress: Progress,
    workers: int | None = None,
    unsafe_exec: bool = False,
    rescore: bool = True,
    judge: str | None = None,
    judging: JudgeOptions | None = None,
    dry_run: bool = False,
) -> CellResult | None:
    """Derive the scores of a cell from its journaled completions.

    Args:
        cell: The cell's folder.
        catalog: Where tasks come from.
        data: Where samples come from.
        task: Score by this task's rules instead of the cell's own; it must be of the same data set.
        k: Which pass@k to estimate; empty: the task's own.
        progress: Who is told.
        workers: Sandbox workers; None: one per core.
        unsafe_exec: Whether code may run without a sandbox.
        rescore: Score everything anew, replacing the rule's earlier scores at the end; else only what lacks a score.
            Verdicts of a judge that are journaled are never asked for again.
        judge: Score by this judge instead of the task's own.
        judging: Who judges, and for how much money.
        dry_run: Only tell what judging would take; None is returned.

    Raises:
        UsageError: ``task`` is unknown or of other data.
        StoreError: The cell cannot be read or written, or another process writes it.
        InstrumentError: The scorer failed its self-test.
        InterruptedRunError: Ctrl-C or SIGTERM; a judge's calls in flight were waited for, and earlier scores stand.
    """
    manifest = Cell.read(cell).manifest
    rules = with_k(catalog.task(task or manifest.task.name), k)
    _check_task(rules, manifest, progress)
    asked = _asked_task(rules, manifest, catalog)
    if judge is not None:
        rules = with_judge(rules, catalog.judge(judge))
    with breakable():
        samples = data.samples(rules)
    options = msgspec.structs.replace(judging or JudgeOptions(), forecast_only=dry_run)
    async with AsyncExitStack() as stack:
        panel = await stack.enter_async_context(Panel(options, catalog, data))
        panel.note = progress.note
        rule = make_rule(rules, samples, panel, workers=workers, unsafe_exec=unsafe_exec)
        await open_rule(rule, samples, stack)
        for note in panel.notes:
            progress.note(note)
        held = stack.enter_context(Cell.resume(cell))
        rule = bind(rule, held, stack)
        rules = rule.task
        wanted, attempts = extent(held, samples)
        chosen = [sample for sample in samples if sample.id in wanted]
        by_id = {sample.id: sample for sample in chosen}

        def stands(sample: str, attempt: int) -> bool:
            return sample in by_id and answered(held, asked, by_id[sample], attempt)

        if dry_run:
            pairs = ((one, attempt) for one in chosen for attempt in range(attempts) if stands(one.id, attempt))
            progress.note(forecast(rule, panel, held, None, pairs) or f"{rules.name}: no model would be asked")
            return None
        scoring = stack.enter_context(held.scoring(rule.score_id, rule.spec(now()), fresh=rescore, keep=stands))
        said = forecast(rule, panel, held, None, _left(held, scoring, asked, chosen, attempts))
        if said is not None:
            progress.note(said)
        count = results.tally(held, scoring, asked, chosen, attempts)
        progress.started(manifest.model.name, rules.name, count.expected, count.expected - len(count.causes))
        grader = Grader(held, scoring, rule, progress)
        left = _left(held, scoring, asked, chosen, attempts)
        await _grade(grader, left, asked, max(_WINDOW, width(None, panel.concurrency, workers)), panel)
        count = results.tally(held, scoring, asked, chosen, attempts)
        estimates = results.estimate(held, scoring, rules, chosen, attempts, count, scorer=rule.scorer)
        for note in closing_notes(rule):
            progress.note(note)
        scoring.finish(estimates)
        held.sync()
        found = results.result(held, scoring, rules, count, estimates, catalog)
        found = msgspec.structs.replace(found, expected=max(found.expected, manifest.expected))
    progress.finished(found)
    return found


async def _grade(grader: Grader, units: Iterator[tuple[Sample, int]], asked: Task, window: int, panel: Panel) -> None:
    """Score with a bounded window, so that memory holds a few completions however many there are.

    Raises:
        InterruptedRunError: A signal came; what judges were answering is journaled.
    """
    interrupt = Interrupt()

    async def worker() -> None:
        for sample, attempt in units:
            if interrupt.first.is_set():
                return
            turns = range(completions_of(asked, sample))
            completions = [grader.cell.completion(sample.id, attempt, turn) for turn in turns]
            with contextlib.suppress(StoppedError):
                await grader.grade(sample, attempt, completions)

    with interrupt.listening():
        await pool(worker, window, interrupt, panel.stop)
    if interrupt.first.is_set():
        raise InterruptedRunError


def _left(
    cell: Cell, scoring: Scoring, asked: Task, samples: Sequence[Sample], attempts: int
) -> Iterator[tuple[Sample, int]]:
    for sample in samples:
        for attempt in range(attempts):
            if answered(cell, asked, sample, attempt) and not scoring.has(sample.id, attempt):
                yield sample, attempt


def _check_task(rules: Task, manifest: Manifest, progress: Progress) -> None:
    pins = {one.name: one.sha256 for one in manifest.datasets}
    if rules.dataset.sha256 not in pins.values():
        raise UsageError(
            f"{rules.name} is of the data {rules.dataset.sha256[:12]}, the run of {manifest.task.name} is not",
            "score by a task of the same data set, or run that task",
        )
    if rules.name == manifest.task.name and rules.version != manifest.task.version:
        progress.note(
            f"{rules.name} was version {manifest.task.version} when it was asked; version {rules.version} scores it"
        )


def _asked_task(rules: Task, manifest: Manifest, catalog: Catalog) -> Task:
    """The task whose turns the completions are; the scoring one where the catalog no longer has it."""
    if rules.name == manifest.task.name:
        return rules
    try:
        return catalog.task(manifest.task.name)
    except HarnessError:
        return rules

"""Everything that can be checked before the first request: catalog, data, engines, prompts, scorers, disk, cells."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness import prompts
from harness.catalog import Catalog, ask_id, score_id
from harness.clock import now
from harness.engines import Engine, open_engine
from harness.errors import EngineError, SpecError, StoreError, UsageError
from harness.judging.panel import Panel, judged
from harness.runner import invocation
from harness.runner.grade import slices
from harness.runner.interrupt import breakable
from harness.runner.job import Job, Rule, answered, extent
from harness.runner.judges import bind, forecast, identify, judge_rule
from harness.runner.plan import Progress, RunPlan, select, with_k, with_sampling
from harness.scorers.registry import open_scorer, scorer_version
from harness.spelling import suggestion
from harness.store import Cell, cell_path
from harness.types import DatasetFacts, Manifest, Sample, Task, TaskFacts

if TYPE_CHECKING:
    from harness.datasets import DataStore

_CHECKPOINTS = frozenset({"quick", "sha256", "revision"})
_LEAST_FREE = 50 * 2**20
_BYTES_AN_ATTEMPT = 8 * 2**10
_RENDERED = 1000
"""Samples whose prompts are rendered before the first request; the others' faults are errors of their items."""


@dataclass(kw_only=True)
class TaskInput:
    """A task ready to be asked: with the sampling in force, its data and its rule."""

    task: Task
    overrides: Mapping[str, Any]
    samples: Sequence[Sample]
    chosen: Sequence[Sample]
    texts: Mapping[str, str]
    rule: Rule


@dataclass(kw_only=True)
class Lane:
    """One model with its jobs, and the judges of all models."""

    engine: Engine
    jobs: list[Job]
    panel: Panel


async def prepare(
    plan: RunPlan, catalog: Catalog, data: DataStore, progress: Progress, stack: AsyncExitStack
) -> tuple[list[Lane], EngineError | None]:
    """Check and open everything that a plan needs.

    Cheap and common mistakes come first; cells are opened last, so that a failed preparation leaves no empty ones.

    Args:
        plan: What to run.
        catalog: Where tasks come from.
        data: Where samples come from.
        progress: Told of what the engines announce.
        stack: Closes engines, scorers and cells.

    Returns:
        The models to ask, and why the first of the others was given up: of several models, one that cannot be asked
        (a broken checkpoint, a server that is gone) does not keep the others from their turn.

    Raises:
        HarnessError: Whatever is wrong, with its remedy; nothing has been asked.
    """
    named = [with_k(catalog.task(name), plan.k) for name in dict.fromkeys(plan.tasks)]
    overridden = [with_sampling(task, plan.sampling) for task in named]
    panel = await stack.enter_async_context(Panel(plan.judge, catalog, data))
    panel.note = progress.note
    inputs = [load_task(task, changed, plan, data, panel) for task, changed in overridden]
    drafts: dict[Engine, list[_Draft]] = {}
    refused: list[EngineError] = []
    for name in dict.fromkeys(plan.models):
        try:
            engine = await stack.enter_async_context(open_engine(name, plan.engine))
            drafts[engine] = [await _draft(engine, one, plan, catalog, progress) for one in inputs]
        except EngineError as error:
            refused.append(error)
            if len(plan.models) > 1:
                progress.note(str(error))
    if refused and not drafts:
        raise refused[0]
    for one in inputs:
        await open_rule(one.rule, one.samples, stack)
    for note in panel.notes:
        progress.note(note)
    _check_disk(plan.runs, sum(len(one.chosen) for one in inputs) * len(drafts) * (plan.attempts or 1))
    git = await asyncio.to_thread(invocation.git_commit)
    lanes = [
        Lane(
            engine=engine,
            jobs=[await _open(draft, plan, git, stack, panel, progress) for draft in lane],
            panel=panel,
        )
        for engine, lane in drafts.items()
    ]
    return lanes, refused[0] if refused else None


def load_task(
    task: Task, overrides: Mapping[str, Any], plan: RunPlan, data: DataStore, panel: Panel | None = None
) -> TaskInput:
    """Fetch a task's data and make (not open) its scorer.

    Raises:
        DataError: The data are not there or not the pinned ones.
        UsageError: The plan names items that do not exist.
    """
    with breakable():
        samples = data.samples(task)
        texts = data.texts(task)
    return TaskInput(
        task=task,
        overrides=overrides,
        samples=samples,
        chosen=select(task, samples, plan),
        texts=texts,
        rule=make_rule(task, samples, panel, workers=plan.workers, unsafe_exec=plan.unsafe_exec),
    )


def make_rule(
    task: Task,
    samples: Sequence[Sample] = (),
    panel: Panel | None = None,
    *,
    workers: int | None,
    unsafe_exec: bool,
) -> Rule:
    """Make a task's scorer and the identity of its rule; judged tasks need their samples and a panel."""
    if judged(task) and panel is not None:
        return judge_rule(task, samples, panel)
    try:
        version, distribution = scorer_version(task)
    except UsageError as error:
        raise SpecError(f"{task.name}: scorer.name: {error.message}", error.remedy) from error
    return Rule(
        task=task,
        scorer=open_scorer(task, workers=workers, unsafe_exec=unsafe_exec),
        score_id=score_id(task, scorer_version=version, distribution=distribution),
        version=version,
        distribution=distribution,
    )


async def open_rule(rule: Rule, samples: Sequence[Sample], stack: AsyncExitStack) -> None:
    """Open a scorer and let it prove itself.

    Raises:
        SpecError: The task reports a field separately that no record has.
        InstrumentError: It graded a known answer wrongly.
        SandboxError: Code cannot be run safely here.
    """
    for field in rule.task.slices:
        if samples and not any(field in slices(rule.task, sample) for sample in samples):
            hint = suggestion(field, samples[0].record)
            raise SpecError(f"{rule.task.name}: slices: no record has the field '{field}'", hint)
    rule.scorer = await stack.enter_async_context(rule.scorer)
    await rule.scorer.self_test(samples)
    identify(rule)


def data_facts(task: Task, samples: Sequence[Sample]) -> tuple[DatasetFacts, ...]:
    """Which bytes are asked: the data set and the pinned texts."""
    facts = [DatasetFacts(name=task.dataset.name, sha256=task.dataset.sha256, records=len(samples))]
    for name, pin in sorted(task.texts.items()):
        facts.append(DatasetFacts(name=name, sha256=pin.sha256, records=pin.records or 1))
    return tuple(facts)


@dataclass(kw_only=True)
class _Draft:
    """A cell that can be opened: its manifest is known."""

    engine: Engine
    source: TaskInput
    attempts: int
    manifest: Manifest


async def _draft(engine: Engine, source: TaskInput, plan: RunPlan, catalog: Catalog, progress: Progress) -> _Draft:
    task = source.task
    model = engine.model
    chat_format = prompts.resolve_format(
        task, requested=plan.chat_format, known=_known_format(engine, catalog, task, progress), model=model.name
    )
    prepared = await engine.prepare(task, source.samples, chat_format)
    for note in prepared.notes:
        progress.note(note)
    for sample in source.chosen[:_RENDERED]:
        prompts.requests(
            task,
            sample,
            attempt=0,
            turn=0,
            history=(),
            chat_format=chat_format,
            sampling=prompts.sampling_of(task, sample),
            seed=plan.seed,
            texts=source.texts,
        )
    attempts = plan.attempts or prepared.attempts or task.attempts
    model = msgspec.structs.replace(model, chat_format=chat_format)
    identity = {**msgspec.to_builtins(msgspec.structs.replace(model, chat_format=None)), **_extra(prepared.identity)}
    manifest = Manifest(
        ask_id=ask_id(
            task,
            sampling=task.sampling,
            chat_format=chat_format,
            seed=plan.seed,
            model=identity,
            settings=engine.settings(),
        ),
        state="partial",
        task=TaskFacts(name=task.name, version=task.version, overrides=source.overrides),
        model=model,
        datasets=data_facts(task, source.samples),
        sampling=task.sampling,
        seed=plan.seed,
        expected=len(source.chosen) * attempts,
        attempts=attempts,
        limit=_first_only(plan),
    )
    return _Draft(engine=engine, source=source, attempts=attempts, manifest=manifest)


def _extra(identity: Mapping[str, Any]) -> dict[str, Any]:
    return {"answers": dict(identity)} if identity else {}


def _known_format(engine: Engine, catalog: Catalog, task: Task, progress: Progress) -> str | None:
    known = catalog.known_model(engine.model.name)
    if known is not None and known.format is not None and engine.model.identity in _CHECKPOINTS:
        return known.format  # as published, also where somebody has added a chat template since
    if engine.model.chat_format is not None:
        return engine.model.chat_format
    if known is not None and known.format is not None:
        return known.format
    base = engine.model.declared.get("trained_from")
    known = catalog.known_model(base) if isinstance(base, str) else None
    if known is not None and known.format is not None:
        progress.note(f"{engine.model.name}: config.json names {base}, so it is asked as {known.name}: {known.format}")
        return known.format
    # Answers that exist already were asked elsewhere: no model sees the prompt, so no format can be wrong for it.
    if engine.model.identity not in {"replay", "reference"}:
        return None
    return "raw" if len(task.prompt.turns) == 1 else "tokenizer"


async def _open(
    draft: _Draft, plan: RunPlan, git: str | None, stack: AsyncExitStack, panel: Panel, progress: Progress
) -> Job:
    source, engine, manifest = draft.source, draft.engine, draft.manifest
    path = cell_path(plan.runs, manifest.model.name, source.task.name, manifest.ask_id)
    cell = stack.enter_context(Cell.open(path, manifest))
    samples, attempts = _extent(cell, draft)
    by_id = {sample.id: sample for sample in source.samples}

    def stands(sample: str, attempt: int) -> bool:
        return sample in by_id and answered(cell, source.task, by_id[sample], attempt)

    scoring = stack.enter_context(cell.scoring(source.rule.score_id, source.rule.spec(now()), keep=stands))
    rule = bind(source.rule, cell, stack)
    job = Job(
        model=manifest.model.name,
        task=source.task,
        rule=rule,
        engine=engine,
        chat_format=manifest.model.chat_format or "",
        seed=plan.seed,
        texts=source.texts,
        cell=cell,
        scoring=scoring,
        invocation=msgspec.structs.replace(
            invocation.new_invocation(engine.facts, git=git), sandbox=source.rule.scorer.sandbox
        ),
        limit=_wider(cell.manifest.limit, _first_only(plan)),
        samples=samples,
        attempts=attempts,
        asked=frozenset(sample.id for sample in source.chosen),
        asked_attempts=draft.attempts,
    )
    said = forecast(rule, panel, cell, scoring, job.pairs())
    if said is not None:
        progress.note(said)
    return job


def _extent(cell: Cell, draft: _Draft) -> tuple[list[Sample], int]:
    """Say which samples and attempts the cell's number is over, with those that this plan adds."""
    wanted, attempts = (set[str](), 1) if cell.created else extent(cell, draft.source.samples)
    wanted.update(sample.id for sample in draft.source.chosen)
    return [sample for sample in draft.source.samples if sample.id in wanted], max(attempts, draft.attempts)


def _first_only(plan: RunPlan) -> int | None:
    """The manifest's ``limit``: it means the data set's first samples, which ``--items`` does not."""
    return plan.limit if plan.items is None else None


def _wider(before: int | None, now: int | None) -> int | None:
    return None if before is None or now is None else max(before, now)


def _check_disk(runs: Path, attempts: int) -> None:
    folder = runs.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    needed = _LEAST_FREE + attempts * _BYTES_AN_ATTEMPT
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreError(
            f"{runs}: {free >> 20} MiB are free, this run may need {needed >> 20}",
            "free some space or choose another folder with --runs",
            code="disk-full",
        )

"""What one command wants: the plan, what comes out of it, and who is told meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from harness.catalog.checks import check_sampling
from harness.engines import EngineOptions
from harness.errors import DataError, HarnessError, UsageError
from harness.judging.panel import JudgeOptions
from harness.spelling import suggestion
from harness.types import CellResult, Completion, ErrorRecord, Sample, Sampling, Score, Task


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to run.

    Attributes:
        models: Engine names (``http://host/v1#name``, ``replay:PATH``, ``reference``).
        tasks: Task names.
        runs: Folder of the cells.
        limit: Only the first samples of each task; in no identity.
        items: Only these sample ids; in no identity.
        attempts: Completions per sample; None: what the engine holds, else the task's own. In no identity.
        k: Which pass@k to estimate; empty: the tasks' own. In no identity.
        seed: Base seed.
        sampling: Sampling field -> value, replacing the tasks' own; another ``ask_id``.
        chat_format: Chat format by name; an error for tasks that pin theirs.
        engine: Options of the engines.
        window: Attempts in work at once; None: twice the engine's concurrency and the sandbox workers.
        workers: Sandbox workers; None: one per core.
        unsafe_exec: Whether code may run without a sandbox.
        judge: Who judges, and for how much money.
    """

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    runs: Path
    limit: int | None = None
    items: tuple[str, ...] | None = None
    attempts: int | None = None
    k: tuple[int, ...] = ()
    seed: int = 0
    sampling: Mapping[str, Any] = {}
    chat_format: str | None = None
    engine: EngineOptions = EngineOptions()
    window: int | None = None
    workers: int | None = None
    unsafe_exec: bool = False
    judge: JudgeOptions = JudgeOptions()


class RunOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a plan.

    Attributes:
        cells: One result per model and task, in the plan's order.
        interrupted: Whether a signal ended it; the same command resumes.
        error: Why a model was not asked or asking it stopped early, the first of all; the same command resumes.
    """

    cells: tuple[CellResult, ...]
    interrupted: bool = False
    error: HarnessError | None = None


class Progress(Protocol):
    """Who is told what happens, as it happens. Calls are quick: they run between requests."""

    def note(self, text: str) -> None:
        """Say something the user should know."""
        ...

    def started(self, model: str, task: str, expected: int, done: int) -> None:
        """A cell begins: ``done`` of ``expected`` attempts are scored already."""
        ...

    def asked(self, completion: Completion) -> None:
        """A completion came back and is journaled."""
        ...

    def scored(self, score: Score) -> None:
        """A score is journaled."""
        ...

    def failed(self, error: ErrorRecord) -> None:
        """An attempt failed by the instrument's fault; the error is journaled."""
        ...

    def finished(self, result: CellResult) -> None:
        """A cell ends, complete or not."""
        ...


def check(plan: RunPlan) -> None:
    """Check what needs nothing but the plan.

    Raises:
        UsageError: A number is below 1, or there is no model or task.
    """
    if not plan.models or not plan.tasks:
        raise UsageError("a run needs at least one model and one task", "name them with --model and --task")
    for name in ("limit", "attempts", "window", "workers"):
        value = getattr(plan, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name} {value}: must be at least 1")


def with_sampling(task: Task, overrides: Mapping[str, Any]) -> tuple[Task, dict[str, Any]]:
    """Apply sampling overrides.

    Setting one of the two lengths unsets the other, for exactly one holds.

    Returns:
        The task with its new sampling, and the overrides that changed something.

    Raises:
        UsageError: Unknown field (with the nearest), wrong type, or a value outside its range.
    """
    known = Sampling.__struct_fields__
    for name in overrides:
        if name not in known:
            raise UsageError(f"sampling has no field {name!r}", suggestion(name, known))
    lengths = [name for name in ("max_new_tokens", "max_total_tokens") if overrides.get(name) is not None]
    if len(lengths) > 1:
        raise UsageError("max_new_tokens and max_total_tokens exclude each other", "give one of them")
    values = {name: getattr(task.sampling, name) for name in known} | dict(overrides)
    for name in lengths:
        values["max_total_tokens" if name == "max_new_tokens" else "max_new_tokens"] = None
    try:
        sampling = msgspec.convert(values, Sampling)
    except msgspec.ValidationError as error:
        raise UsageError(f"sampling override: {error}") from error
    for problem in check_sampling(sampling, lengths=False):
        raise UsageError(f"sampling override: {problem.key.removeprefix('sampling.')} {problem.text}")
    changed = {name: values[name] for name in known if getattr(sampling, name) != getattr(task.sampling, name)}
    # What is said on the command line holds for every sample.
    by = {
        field: {value: {k: v for k, v in table.items() if k not in overrides} for value, table in tables.items()}
        for field, tables in task.sampling_by.items()
    }
    varied = {name for tables in task.sampling_by.values() for table in tables.values() for name in table}
    changed |= {name: values[name] for name in overrides if name in varied}
    kept = {field: tables for field, tables in by.items() if any(tables.values())}
    return msgspec.structs.replace(task, sampling=sampling, sampling_by=kept), changed


def with_k(task: Task, k: Sequence[int]) -> Task:
    """The task with another set of pass@k to estimate; with its own where ``k`` is empty."""
    return msgspec.structs.replace(task, k=tuple(k)) if k else task


def select(task: Task, samples: Sequence[Sample], plan: RunPlan) -> list[Sample]:
    """Take the samples that a plan names, in the data set's order.

    Raises:
        UsageError: An item that the data set does not have (with the nearest).
        DataError: Two samples share an id, or there are none.
    """
    ids = {sample.id for sample in samples}
    if len(ids) != len(samples):
        twice = Counter(sample.id for sample in samples).most_common(1)[0][0]
        raise DataError(f"{task.name}: the data set has two samples {twice!r}", "name another field in dataset.id")
    if not samples:
        raise DataError(f"{task.name}: the data set is empty")
    chosen = list(samples)
    if plan.items is not None:
        for item in plan.items:
            if item not in ids:
                raise UsageError(f"{task.name} has no item {item!r}", suggestion(item, ids))
        wanted = set(plan.items)
        chosen = [sample for sample in samples if sample.id in wanted]
    return chosen[: plan.limit]

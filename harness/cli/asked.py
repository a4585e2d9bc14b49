"""The words of ``harness show``: a task before it is asked, and a run after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from harness.types import Estimate, LogLikelihood, Request, Task

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.datasets import DataStore
    from harness.store import CellView

_SHOWN_UNPINNED = "raw"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One of a task's data files; ``found`` says where it would come from, None where it is missing."""

    name: str
    source: str
    sha256: str
    records: int | None
    licence: str | None
    found: str | None


class First(msgspec.Struct, frozen=True, kw_only=True):
    """A task's first item as it would be asked in ``format``: ``pinned`` by the task, ``named``, or the bare text."""

    sample: str
    format: str
    pinned: bool
    named: bool
    requests: tuple[Request, ...]


class AskedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task before it is asked; ``ask_spec`` and ``score_spec`` are the digests of its part of both identities."""

    spec: Task
    declared_in: str
    data: tuple[Source, ...]
    ask_spec: str
    score_spec: str
    first: First


def look_at(catalog: Catalog, data: DataStore, name: str, chat_format: str | None) -> AskedTask:
    """Read what ``name`` asks and how it is scored, with its first sample's requests as they would be sent.

    Args:
        catalog: Where the task is declared.
        data: Where its records come from.
        name: ``benchmark/protocol``.
        chat_format: Format to render an unpinned task in; None: the bare text.

    Raises:
        HarnessError: The task is unknown or broken, its data unreachable, or the format pinned.
    """
    from harness.catalog import ask_spec, digest, score_spec

    task = catalog.task(name)
    return AskedTask(
        spec=task,
        declared_in=str(catalog.path("task", name)),
        data=tuple(
            Source(
                name=pin.name,
                source=pin.source,
                sha256=pin.sha256,
                records=pin.records,
                licence=pin.licence or None,
                found=data.locate(pin),
            )
            for pin in (task.dataset, *task.texts.values())
        ),
        ask_spec=digest(ask_spec(task)),
        score_spec=digest(score_spec(task)),
        first=_first(task, data, chat_format),
    )


def task_lines(asked: AskedTask) -> Iterator[str]:
    """What a task asks and how it is scored, for people."""
    task = asked.spec
    yield f"{task.name}  v{task.version}  {task.title}"
    if task.source:
        yield f"source      {task.source}"
    yield f"declared in {asked.declared_in}"
    for one in asked.data:
        records = f"{one.records} records, " if one.records is not None else ""
        licence = f", {one.licence}" if one.licence else ""
        found = one.found or f"missing: harness data fetch {task.name}"
        yield f"data        {one.name}, {records}sha256 {one.sha256}{licence}, {one.source}, {found}"
    yield f"sampling    {msgspec.json.encode(task.sampling).decode()}"
    yield f"attempts    {task.attempts} per item, metric {task.metric}, k {', '.join(map(str, task.k))}"
    yield f"stage       {task.stage}, extraction {msgspec.json.encode(task.extraction).decode()}"
    yield f"scorer      {task.scorer.name} {msgspec.json.encode(task.scorer.options).decode()}"
    if task.known_reference_failures:
        yield f"known reference failures: {', '.join(task.known_reference_failures)}"
    yield f"ask spec    {asked.ask_spec}"
    yield f"score spec  {asked.score_spec}"
    yield ""
    yield f"the first item, {asked.first.sample}, {_rendered(asked.first)}:"
    for request in asked.first.requests:
        yield from _request(request)


def run_lines(cell: CellView) -> Iterator[str]:
    """What a run is: who answered what, when, and each scoring's estimates."""
    manifest = cell.manifest
    yield f"{manifest.model.name} · {manifest.task.name} v{manifest.task.version}  {manifest.state}"
    yield f"folder      {cell.path}"
    yield f"ask_id      {manifest.ask_id}"
    yield (
        f"model       identity {manifest.model.identity}, weights {manifest.model.weights or 'unknown'}, "
        f"format {manifest.model.chat_format or 'unknown'}"
    )
    for dataset in manifest.datasets:
        yield f"data        {dataset.name}, {dataset.records} records, sha256 {dataset.sha256}"
    asked = sum(1 for _ in cell.completions())
    limit = f", limited to {manifest.limit} items" if manifest.limit is not None else ""
    yield f"asked       {asked} completions of {manifest.expected} attempts{limit}, seed {manifest.seed}"
    for invocation in manifest.invocations:
        end = f"exit {invocation.exit}" if invocation.exit is not None else "did not end cleanly"
        yield (
            f"invocation  {invocation.id} {invocation.started}, harness {invocation.harness}, "
            f"{invocation.engine.name}, sandbox {invocation.sandbox or 'none'}, {end}"
        )
    for score_id in cell.scorings():
        yield f"scoring     {score_id}"
        for estimate in cell.estimates(score_id):
            yield f"  {_estimate(estimate)}"


def _first(task: Task, data: DataStore, chat_format: str | None) -> First:
    from harness import prompts

    sample = data.samples(task)[0]
    pinned = task.prompt.template is not None or task.prompt.format is not None
    if pinned:
        shown = prompts.resolve_format(task, requested=chat_format, known=None, model="(any)")
    else:
        shown = chat_format or _SHOWN_UNPINNED
    requests = prompts.requests(
        task,
        sample,
        attempt=0,
        turn=0,
        history=(),
        chat_format=shown,
        sampling=task.sampling,
        seed=0,
        texts=data.texts(task),
    )
    return First(sample=sample.id, format=shown, pinned=pinned, named=chat_format is not None, requests=tuple(requests))


def _rendered(first: First) -> str:
    if first.pinned:
        return "as pinned by the task"
    return f"in format {first.format}" + ("" if first.named else "; a model's own chat format goes around it")


def _request(request: Request) -> Iterator[str]:
    if isinstance(request, LogLikelihood):
        yield from _framed("prompt", request.prompt)
        yield from _framed(f"choice {request.turn}", request.continuation)
    elif request.prompt is not None:
        yield from _framed("prompt", request.prompt)
    else:
        for message in request.messages or ():
            yield from _framed(message.role, message.content)


def _framed(title: str, text: str) -> Iterator[str]:
    """Every line behind a bar, so that white space and a missing last line end are seen."""
    yield f"--- {title}"
    for line in text.split("\n"):
        yield f"| {line}"


def _estimate(estimate: Estimate) -> str:
    where = "".join(f" [{field} {value}]" for field, value in (estimate.slice or {}).items())
    if estimate.value is None:
        number = "no value"
    elif estimate.low is None or estimate.high is None:
        number = f"{estimate.value:.4f}"
    else:
        number = f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f}, {estimate.method})"
    unscored = "".join(f", {count} unscored: {cause}" for cause, count in estimate.unscored.items())
    silent = f", {estimate.no_answer} without an answer" if estimate.no_answer else ""
    return f"{estimate.metric}{where} {number}, n {estimate.n}{silent}{unscored}"

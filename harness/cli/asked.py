"""The words of ``harness show``: a task before it is asked, and a run after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.datasets import DataStore
    from harness.store import CellView
    from harness.types import DatasetPin, Estimate, Request, Task

_SHOWN_UNPINNED = "raw"


def task_lines(catalog: Catalog, data: DataStore, name: str, chat_format: str | None) -> Iterator[str]:
    """What ``name`` asks and how it is scored, with its first sample's prompt as it would be sent.

    Args:
        catalog: Where the task is declared.
        data: Where its records come from.
        name: ``benchmark/protocol``.
        chat_format: Format to render an unpinned task in; None: the bare text.

    Raises:
        HarnessError: The task is unknown or broken, its data unreachable, or the format pinned.
    """
    import msgspec

    from harness.catalog import ask_spec, digest, score_spec

    task = catalog.task(name)
    yield f"{task.name}  v{task.version}  {task.title}"
    if task.source:
        yield f"source      {task.source}"
    yield f"declared in {catalog.path('task', name)}"
    for pin in (task.dataset, *task.texts.values()):
        yield f"data        {_pin(pin)}, {data.locate(pin) or 'missing: harness data fetch ' + name}"
    yield f"sampling    {msgspec.json.encode(task.sampling).decode()}"
    yield f"attempts    {task.attempts} per item, metric {task.metric}, k {', '.join(map(str, task.k))}"
    yield f"stage       {task.stage}, extraction {msgspec.json.encode(task.extraction).decode()}"
    yield f"scorer      {task.scorer.name} {msgspec.json.encode(task.scorer.options).decode()}"
    if task.known_reference_failures:
        yield f"known reference failures: {', '.join(task.known_reference_failures)}"
    yield f"ask spec    {digest(ask_spec(task))}"
    yield f"score spec  {digest(score_spec(task))}"
    yield ""
    yield from _first_prompt(task, data, chat_format)


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


def _first_prompt(task: Task, data: DataStore, chat_format: str | None) -> Iterator[str]:
    from harness import prompts

    sample = data.samples(task)[0]
    pinned = task.prompt.template is not None or task.prompt.format is not None
    if pinned:
        shown = prompts.resolve_format(task, requested=chat_format, known=None, model="(any)")
        said = "as pinned by the task"
    else:
        shown = chat_format or _SHOWN_UNPINNED
        said = f"in format {shown}" + ("" if chat_format else "; a model's own chat format goes around it")
    yield f"the first item, {sample.id}, {said}:"
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
    for request in requests:
        yield from _request(request)


def _request(request: Request) -> Iterator[str]:
    from harness.types import LogLikelihood

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


def _pin(pin: DatasetPin) -> str:
    records = f"{pin.records} records, " if pin.records is not None else ""
    licence = f", {pin.licence}" if pin.licence else ""
    return f"{pin.name}, {records}sha256 {pin.sha256}{licence}, {pin.source}"


def _estimate(estimate: Estimate) -> str:
    where = "".join(f" [{field} {value}]" for field, value in (estimate.slice or {}).items())
    if estimate.value is None:
        number = "no value"
    elif estimate.low is None or estimate.high is None:
        number = f"{estimate.value:.4f}"
    else:
        number = f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f}, {estimate.method})"
    unscored = "".join(f", {count} unscored: {cause}" for cause, count in estimate.unscored.items())
    return f"{estimate.metric}{where} {number}, n {estimate.n}{unscored}"

"""From cells to a comparison: choose the scorings, name the numbers, set them beside published ones, order them."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.catalog import find_model, models_by_name
from harness.judging import suspicion
from harness.reporting.comparison import CellReader, Comparison, Origin, Published, Row, ScoringReader
from harness.types import RATE_METRICS, Estimate, KnownModel, Manifest, PublishedNumber, Report, Sampling

TITLE = "Comparison"


class _Scored(msgspec.Struct, frozen=True):
    """One scoring of one cell, read."""

    cell: CellReader
    score_id: str
    facts: ScoringReader
    estimates: tuple[Estimate, ...]
    others: int


def compare(
    cells: Sequence[CellReader],
    published: Sequence[PublishedNumber],
    models: Sequence[KnownModel],
    report: Report | None = None,
) -> Comparison:
    """Set cells side by side.

    Of each cell the newest finished scoring of each task counts (a cell can be scored by the rules of several). A
    published number belongs to a row where model (by name or alias), task and metric agree; its difference is
    computed only where the row is the whole data set under the task's own sampling. Where no number of that protocol
    exists, those of the benchmark's other protocols are shown as not comparable.

    Args:
        cells: The cells, in any order.
        published: Numbers that others published.
        models: Names and aliases of checkpoints, to recognise whose numbers these are.
        report: Which tasks and metrics to show, and how; None: everything.

    Raises:
        StoreError: A cell or scoring cannot be read.
    """
    notes: list[str] = []
    scored = [entry for cell in cells for entry in _newest_scorings(cell, notes) if _wanted_task(entry, report)]
    origins = tuple(_origin(entry) for entry in scored)
    names = _names(origins)
    rows = [
        _row(entry.cell.manifest, estimate, origin, names[index], index)
        for index, (entry, origin) in enumerate(zip(scored, origins, strict=True))
        for estimate in entry.estimates
        if report is None or not report.metrics or estimate.metric in report.metrics
    ]
    rows.sort(key=_order)
    rows, sources = _with_published(rows, origins, published, models)
    notes += [note for entry in scored for note in _warnings(entry)]
    return Comparison(
        title=report.title if report else TITLE,
        caption=report.caption if report else "",
        rows=tuple(rows),
        origins=origins,
        sources=sources,
        notes=tuple(notes),
        figure=report.figure if report else "bars",
    )


def _newest_scorings(cell: CellReader, notes: list[str]) -> list[_Scored]:
    found: list[_Scored] = []
    scorings = cell.scorings()
    for score_id in scorings:
        estimates = tuple(cell.estimates(score_id))
        if estimates:
            found.append(_Scored(cell, score_id, cell.scoring(score_id), estimates, len(scorings) - 1))
    if not found:
        notes.append(
            f"{cell_name(cell.path)} has no finished scoring; `harness score {cell_name(cell.path)}` makes one"
        )
    newest: dict[str, _Scored] = {}
    # RFC 3339 timestamps of one zone order as text; ties (and records without one) by id, to be deterministic.
    for entry in sorted(found, key=lambda entry: (entry.facts.created, entry.score_id)):
        newest[_task(entry)] = entry
    return [newest[task] for task in sorted(newest)]


def _warnings(entry: _Scored) -> list[str]:
    """What a judged number hides: answers that look like attacks on the judge, replies with several verdicts."""
    if "judge" not in entry.facts.scorer:
        return []
    first = (one.text for one in entry.cell.completions() if one.turn == 0)
    found = suspicion.warnings(entry.cell.scores(entry.score_id), first)
    return [f"{entry.cell.manifest.model.name}, {_task(entry)}: {told}" for told in found]


def _task(entry: _Scored) -> str:
    return entry.facts.task or entry.cell.manifest.task.name


def _wanted_task(entry: _Scored, report: Report | None) -> bool:
    if report is None or not report.tasks:
        return True
    return any(fnmatch.fnmatchcase(_task(entry), pattern) for pattern in report.tasks)


def cell_name(path: Path) -> str:
    """A cell as people name it, ``model/benchmark/protocol/ask8``; nothing of the machine's own folders."""
    return "/".join(path.parts[-4:])


def sampling_values(sampling: Sampling) -> dict[str, Any]:
    """The temperature, and every other sampling value that is set."""
    return {"temperature": sampling.temperature, **msgspec.to_builtins(sampling)}


def _origin(entry: _Scored) -> Origin:
    manifest = entry.cell.manifest
    last = manifest.invocations[-1] if manifest.invocations else None
    engine = last.engine if last else None
    return Origin(
        path=cell_name(entry.cell.path),
        ask_id=manifest.ask_id,
        score_id=entry.score_id,
        model=manifest.model.name,
        identity=manifest.model.identity,
        weights=manifest.model.weights,
        chat_format=manifest.model.chat_format,
        task=_task(entry),
        version=entry.facts.version or manifest.task.version,
        scorer=_scorer(entry.facts.scorer),
        datasets=tuple((data.name, data.sha256, data.records) for data in manifest.datasets),
        sampling=sampling_values(manifest.sampling),
        overrides=dict(manifest.task.overrides),
        seed=manifest.seed,
        engine=" ".join(part for part in (engine.name, engine.version, engine.command) if part) if engine else "",
        sandbox=entry.facts.sandbox or (last.sandbox if last else None),
        harness=last.harness if last else "",
        state=manifest.state,
        expected=manifest.expected,
        limit=manifest.limit,
        scored=entry.facts.created,
        others=entry.others,
    )


def _scorer(facts: Mapping[str, Any]) -> str:
    """The scorer's name, with its version where the scoring records one."""
    name, version = str(facts.get("name", "")), facts.get("version")
    return name if version is None else f"{name} (version {version})"


def _names(origins: Sequence[Origin]) -> list[str]:
    """Name of each origin's numbers; where one model has two of one name, the ``ask_id`` tells them apart."""
    names = [_name(origin) for origin in origins]
    count = Counter(zip((origin.model for origin in origins), names, strict=True))
    return [
        f"{name} [{origin.ask_id[:8]}]" if count[(origin.model, name)] > 1 else name
        for origin, name in zip(origins, names, strict=True)
    ]


def _name(origin: Origin) -> str:
    said = [f"{key}={_shown(value)}" for key, value in sorted(origin.overrides.items())]
    return f"{origin.task} ({', '.join(said)})" if said else origin.task


def _shown(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _row(manifest: Manifest, estimate: Estimate, origin: Origin, name: str, index: int) -> Row:
    asked_as = "" if origin.task == manifest.task.name else f"asked as {manifest.task.name}"
    items = estimate.n + sum(estimate.unscored.values())
    total = manifest.datasets[0].records if manifest.datasets and estimate.slice is None else None
    marks: list[str] = [] if manifest.state == "complete" else [manifest.state]
    if total is not None and items < total:
        marks.append(f"limited: {items} of {total}")
    elif manifest.limit is not None and (total is None or manifest.limit < total):
        marks.append(f"limited: {manifest.limit}")
    if asked_as:
        marks.append(asked_as)
    return Row(
        model=origin.model,
        task=origin.task,
        name=name,
        metric=estimate.metric,
        slice=estimate.slice,
        rate=estimate.metric.partition("@")[0] in RATE_METRICS,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        confidence=estimate.confidence,
        method=estimate.method,
        bounds=estimate.bounds,
        n=estimate.n,
        items=items,
        total=total,
        attempts=estimate.attempts,
        unscored=dict(estimate.unscored),
        no_answer=estimate.no_answer,
        truncated=estimate.truncated,
        state=manifest.state,
        marks=tuple(marks),
        sandbox=origin.sandbox,
        published=(),
        origin=index,
    )


def _order(row: Row) -> tuple[Any, ...]:
    part = tuple(sorted(row.slice.items())) if row.slice else ()
    stem, _, k = row.metric.partition("@")
    size = int(k) if k.isdigit() else 0
    return (row.task, stem, size, row.metric, part, -row.pessimistic, row.model.casefold(), row.model, row.name)


def _with_published(
    rows: Sequence[Row], origins: Sequence[Origin], published: Sequence[PublishedNumber], models: Sequence[KnownModel]
) -> tuple[list[Row], tuple[tuple[str, str], ...]]:
    known = models_by_name(models)
    index: dict[tuple[str, str, str], list[PublishedNumber]] = {}
    for entry in published:
        index.setdefault((_canonical(entry.model, known), entry.task, entry.metric), []).append(entry)
    references: dict[tuple[str, str], int] = {}
    found = []
    for row in rows:
        name = _canonical(row.model, known)
        entries = index.get((name, row.task, row.metric), []) if row.slice is None else []
        if not entries and row.slice is None:
            entries = [entry for key, related in index.items() for entry in related if _is_related(key, name, row)]
        told = tuple(
            _beside(
                row, origins[row.origin], entry, references.setdefault((entry.source, entry.note), len(references) + 1)
            )
            for entry in entries
        )
        found.append(msgspec.structs.replace(row, published=told) if told else row)
    return found, tuple(references)


def _canonical(name: str, known: Mapping[str, KnownModel]) -> str:
    """A model's published name; its own where nobody describes it."""
    model = find_model(name, known)
    return name if model is None else model.name


def _is_related(key: tuple[str, str, str], model: str, row: Row) -> bool:
    """Whether a number is this model's on the same benchmark and metric, made by another protocol."""
    return (key[0], key[2]) == (model, row.metric) and key[1].partition("/")[0] == row.task.partition("/")[0]


def _beside(row: Row, origin: Origin, entry: PublishedNumber, reference: int) -> Published:
    why_not = [*row.marks, *(["other sampling"] if origin.overrides else [])]
    if entry.task != row.task:
        why_not.append(f"made by {entry.task}")
    difference = inside = None
    if row.value is None or row.low is None or row.high is None:
        why_not.append("nothing scored")
    elif not why_not:
        difference, inside = row.value - entry.value, row.low <= entry.value <= row.high
    return Published(
        value=entry.value,
        difference=difference,
        inside=inside,
        incomparable=", ".join(why_not),
        n=entry.n,
        source=entry.source,
        note=entry.note,
        reference=reference,
    )

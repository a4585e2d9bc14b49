"""The tables that a file of verdicts gives by itself: its protocol's published figures, without answers or a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import DataError, HarnessError
from harness.formats.alpaca_eval import Annotation, read_annotations
from harness.formats.fastchat import Judgment, read_judgments
from harness.judging import alpaca, fastchat, reading, relative
from harness.judging.build import switched
from harness.judging.fastchat import INVALID, Rating, Winner
from harness.judging.material import LengthData
from harness.types import Judge, Reading

_CLOSE = 1e-6
"""Preferences were rounded when they were stored."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one kind.

    Attributes:
        title: What they are of.
        rows: Column -> value, all with the same columns.
    """

    title: str
    rows: tuple[Mapping[str, Any], ...]


class Items(msgspec.Struct, frozen=True):
    """What is known of a benchmark's items besides the file: each one's slices, and the order of the instructions."""

    slices: Mapping[str, Mapping[str, str]]
    instructions: Sequence[str] = ()


def tables(judge: Judge, path: Path, items: Items, length: LengthData | None = None) -> list[Table]:
    """Count a file of verdicts as the judge's protocol does.

    Args:
        judge: Its patterns and labels read the verdicts.
        path: FastChat's single or pair judgments or reviews; AlpacaEval's annotations.
        items: Of the judge's benchmark.
        length: Data of the length-controlled win rate; None: it is left out.

    Raises:
        DataError: The file cannot be read, holds no verdicts, or other ones than this judge's.
    """
    if judge.aggregation == "alpaca-eval":
        annotations = read_annotations(path)
        _check_any(annotations, path)
        return [_leaderboard(judge, annotations, items, length)]
    judgments = read_judgments(path)
    _check_any(judgments, path)
    alone = {one.order is None for one in judgments}
    if alone != {judge.aggregation == "rating"}:
        raise DataError(f"{path}: its verdicts are not of kind '{judge.kind}', as {judge.name} needs")
    if judge.aggregation == "rating":
        return _singles(judge, judgments, items)
    return [_pairs(judge, judgments)] if judge.aggregation == "pairwise" else _reviews(judge, judgments, items)


def _check_any(verdicts: Sequence[Any], path: Path) -> None:
    if not verdicts:
        raise DataError(f"{path}: holds no verdicts", "is it the right file, and whole?", code="empty")


def _singles(judge: Judge, judgments: Sequence[Judgment], items: Items) -> list[Table]:
    """FastChat's ``show_result.py --mode single``, and the categories of its radar."""
    rows, categories = [], []
    for model, own in _by_model(judgments):
        read = [(one, reading.rating(one.reply, judge.reading.patterns)) for one in own]
        means = fastchat.single_means(
            Rating(
                turn=one.turn + 1,
                score=INVALID if rating is None else rating,
                category=items.slices.get(one.sample, {}).get(judge.category or "", ""),
            )
            for one, rating in read
        )
        differ = sum(one.recorded is not None and rating != one.recorded for one, rating in read)
        turns = {f"turn_{turn}": mean for turn, mean in means.by_turn.items()}
        counts = {"valid": means.valid, "invalid": means.invalid, "differ_from_recorded": differ}
        rows.append({"model": model, "average": means.average, **turns, **counts})
        categories.append({"model": model, **{name: means.by_category[name] for name in sorted(means.by_category)}})
    found = [Table(title="mean ratings, as FastChat counts them", rows=tuple(rows))]
    if any(name for row in categories for name in row if name != "model"):
        found.append(Table(title="by category, both turns", rows=tuple(categories)))
    return found


def _pairs(judge: Judge, judgments: Sequence[Judgment]) -> Table:
    """FastChat's ``show_result.py`` on pairs: inconsistent games are ties."""
    found = games(judge.reading, judgments)
    rows = []
    for model, record in fastchat.pairwise(one[2:] for one in found).items():
        rates = {name: getattr(record, name) for name in ("win_rate", "loss_rate", "win_rate_adjusted")}
        rows.append({"model": model, "win": record.win, "loss": record.loss, "tie": record.tie, **rates})
    rows.sort(key=lambda row: (-row["win_rate_adjusted"], row["model"]))
    errors = sum("error" in one[4:] for one in found)
    return Table(title=f"games, as FastChat counts them; {errors} without a verdict left out", rows=tuple(rows))


def games(how: Reading, judgments: Iterable[Judgment]) -> list[tuple[str, int, str, str, Winner, Winner]]:
    """Pairs of games: question, turn from 1, ``model_1``, ``model_2``, and the winner with each of them shown first."""
    found: dict[tuple[str, int, str, str, int], dict[str, Winner]] = {}
    seen: Counter[tuple[str, int, str, str, str | None]] = Counter()
    for one in judgments:
        key = (one.sample, one.turn + 1, one.model, one.other)
        seen[*key, one.order] += 1  # doubled rows are games of their own
        found.setdefault((*key, seen[*key, one.order]), {})[one.order or ""] = _winner(how, one)
    return [(*key[:4], said.get("ab", "error"), said.get("ba", "error")) for key, said in found.items()]


def _winner(how: Reading, one: Judgment) -> Winner:
    parsed = reading.read(how, one.reply, scale=(0.0, 10.0)).parsed
    if parsed is None:
        return "error"
    second = reading.second_share(how, parsed)
    if second == 0.5:
        return "tie"
    return "model_1" if (second < 0.5) == (one.order == "ab") else "model_2"


def _reviews(judge: Judge, judgments: Sequence[Judgment], items: Items) -> list[Table]:
    """The legacy sums, first side against second; both orders count where the file has them."""
    scores: dict[str, list[tuple[float, float]]] = {}
    orders: dict[str, int] = {}
    unread = differ = 0
    for one in judgments:
        parsed = reading.read(judge.reading, one.reply, scale=judge.scale).parsed
        differ += one.recorded is not None and parsed != one.recorded
        orders[one.sample] = orders.get(one.sample, 0) + 1
        if parsed is None:
            unread += 1
            continue
        first, second = parsed if one.order == "ab" else reversed(parsed)
        scores.setdefault(one.sample, []).append((first, second))
    whole = [
        relative.Review(sample=sample, scores=tuple(pairs), slices=items.slices.get(sample, {}))
        for sample, pairs in scores.items()
        if len(pairs) == orders[sample]
    ]
    counts = {"unreadable": unread, "differ_from_recorded": differ}
    found = [Table(title="points of the first side and of the second", rows=(_sums("all", whole, counts),))]
    for field in judge.slices:
        rows = tuple(_sums(value, some) for value, some in relative.parts(whole, field).items())
        if rows:
            found.append(Table(title=f"by {field}", rows=rows))
    return found


def _sums(name: str, reviews: Sequence[relative.Review], counts: Mapping[str, int] | None = None) -> dict[str, Any]:
    total = relative.relative(reviews)
    return {
        "part": name,
        "items": total.n,
        "first": total.candidate,
        "second": total.reference,
        "first_percent": total.percent,
        "second_percent": 100 * total.reference / total.candidate if total.candidate else None,
        "win": total.win,
        "tie": total.tie,
        "lose": total.lose,
        "contradicting": sum(relative.contradicts(review.scores) for review in reviews),
        **(counts or {}),
    }


def _leaderboard(judge: Judge, annotations: Sequence[Annotation], items: Items, length: LengthData | None) -> Table:
    """AlpacaEval's leaderboard rows."""
    models: dict[str, list[Annotation]] = {}
    for one in annotations:
        models.setdefault(one.model, []).append(one)
    rows = []
    for model, own in models.items():
        row = msgspec.to_builtins(alpaca.win_rate(one.preference for one in own))
        row |= {"avg_length": alpaca.average_length([one.output for one in own], len(items.slices))}
        row |= _length_controlled(model, own, items, length)
        row |= {"differ_from_logprobs": sum(_differs(judge, one) for one in own)}
        annotators = {one.annotator for one in own}
        rows.append({"model": model, "annotator": annotators.pop() if len(annotators) == 1 else "several", **row})
    return Table(title="AlpacaEval's leaderboard", rows=tuple(rows))


def _length_controlled(
    model: str, own: Sequence[Annotation], items: Items, length: LengthData | None
) -> dict[str, Any]:
    if length is None or len(own) > len(length.difficulty):
        return {}
    from harness.judging import length_control  # numpy

    places = {text: place for place, text in enumerate(items.instructions)}
    C = length.recorded.get(model)  # noqa: N806 - the literature's name
    hard = length.difficulty
    # Published rows count by position, also where a file lost rows; for others the instruction says how hard it is.
    if C is None and all(one.instruction in places for one in own):
        own = sorted(own, key=lambda one: places[one.instruction])  # the folds go by the rows' order
        hard = tuple(hard[places[one.instruction]] for one in own)
    lengths = [len(one.baseline) for one in own], [len(one.output) for one in own]
    try:
        fit = length_control.length_controlled([one.preference for one in own], *lengths, hard, length.gamed, C=C)
    except HarnessError:
        return {"length_controlled_winrate": None, "lc_standard_error": None, "C": None}
    return {"length_controlled_winrate": fit.win_rate, "lc_standard_error": fit.standard_error, "C": fit.C}


def _differs(judge: Judge, one: Annotation) -> bool:
    """Whether a preference does not follow from the log-probabilities recorded beside it."""
    if one.top_logprobs is None or judge.reading.reader != "token-logprobs":
        return False
    shown = reading.token_preference(one.top_logprobs, *judge.reading.tokens)
    if shown is None or one.preference is None:
        return shown is not one.preference
    return abs((3 - shown if switched(one.instruction) else shown) - one.preference) > _CLOSE


def _by_model(judgments: Iterable[Judgment]) -> list[tuple[str, list[Judgment]]]:
    found: dict[str, list[Judgment]] = {}
    for one in judgments:
        found.setdefault(one.model, []).append(one)
    return sorted(found.items())

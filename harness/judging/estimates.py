"""From the scores of a judged run to its numbers: the protocol's own figures, and ours with intervals beside them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from harness import stats
from harness.errors import HarnessError
from harness.judging import alpaca, length_control, relative
from harness.judging.fastchat import INVALID, Means, Rating, single_means
from harness.judging.material import LengthData
from harness.judging.outcome import Counted
from harness.stats.estimate import CONFIDENCE
from harness.stats.intervals import clustered_mean, wilson
from harness.types import Estimate, Judge, Score

_RESAMPLES = 2000
_REFITS = 200
_SEED = 1


def estimates(
    judge: Judge,
    rows: Iterable[Score],
    counted: Counted,
    *,
    length: LengthData | None = None,
    C: float | None = None,  # noqa: N803
) -> tuple[Estimate, ...]:
    """Every number of a judged run, the headline first.

    Args:
        judge: The declaration.
        rows: The scores, with their details.
        counted: What was expected.
        length: Data of the length-controlled win rate.
        C: Its regularisation, where a published row's is meant; None: chosen over stable folds.
    """
    found = list(rows)
    if judge.aggregation == "rating":
        scale = _from_zero(judge.scale) if any(row.value == 0 for row in found) else judge.scale
        ours = (*_ours(judge, found, counted, "score", scale), *_turns(judge, found, counted, "score", scale))
        return (*ours, *_fastchat(found))
    win = _ours(judge, found, counted, "win", (0.0, 1.0))
    games = _outcomes(found)
    won = (*win, *(games if any(row.turn for row in found) else _beside(win, games)))
    if judge.aggregation == "alpaca-eval":
        return (*won, *_beside(win, _alpaca(found, counted, length, C)))
    if judge.aggregation == "relative":
        own = _ours(judge, found, counted, "score", _from_zero(judge.scale))
        reference = _ours(judge, found, counted, "reference_score", _from_zero(judge.scale))
        return (*_beside(win, _ratios(judge, found, counted)), *own, *reference, *won)
    return (*won, *_turns(judge, found, counted, "win", (0.0, 1.0)))


def _beside(win: Sequence[Estimate], others: Iterable[Estimate]) -> list[Estimate]:
    """Numbers over the same items as the win rate, of which the same ones are unscored."""
    unscored = next((one.unscored for one in win if one.slice is None), {})
    return [
        one if one.slice is not None or one.metric == "avg_length" else msgspec.structs.replace(one, unscored=unscored)
        for one in others
    ]


def means(rows: Iterable[Score]) -> Means:
    """FastChat's own means over the rows of a judged run, doubled and invalid ones counted as it counts them."""
    ratings = []
    for row in rows:
        if row.metric != "score":
            continue
        for rating in row.detail.get("ratings", (row.value,)):
            score = INVALID if rating is None else float(rating)
            ratings.append(Rating(turn=row.turn + 1, score=score, category=row.slices.get("category", "")))
    return single_means(ratings)


def reviews(rows: Iterable[Score]) -> list[relative.Review]:
    """The two-number reviews behind a judged run's scores."""
    return [
        relative.Review(
            sample=row.sample,
            scores=tuple((pair[0], pair[1]) for pair in row.detail["scores"]),
            slices=row.slices,
        )
        for row in rows
        if row.metric == "score" and row.value is not None
    ]


def _ours(
    judge: Judge,
    rows: Sequence[Score],
    counted: Counted,
    metric: str,
    scale: tuple[float, float],
    *,
    slices: bool = True,
) -> tuple[Estimate, ...]:
    return stats.estimate(
        rows,
        metric=metric,
        k=(1,),
        attempts=counted.attempts,
        expected_items=counted.items,
        errors=counted.causes,
        truncated=counted.truncated,
        slices=judge.slices if slices else (),
        scale=scale,
        slices_of=counted.slices_of,
    )


def _turns(
    judge: Judge,
    rows: Sequence[Score],
    counted: Counted,
    metric: str,
    scale: tuple[float, float],
) -> list[Estimate]:
    """The same for each turn, where there are several."""
    turns = sorted({row.turn for row in rows})
    found: list[Estimate] = []
    for turn in turns if len(turns) > 1 else ():
        of_turn = [row for row in rows if row.turn == turn]
        part = _ours(judge, of_turn, counted, metric, scale, slices=False)
        found += [msgspec.structs.replace(one, slice={"turn": str(turn + 1)}) for one in part]
    return found


def _fastchat(rows: Sequence[Score]) -> list[Estimate]:
    """FastChat's average, which counts doubled rows twice, with an interval clustered by question."""
    average = means(rows).average
    if average is None:
        return []
    clusters: dict[str, list[float]] = {}
    for row in rows:
        for rating in row.detail.get("ratings", (row.value,)):
            if row.metric == "score" and rating is not None:
                clusters.setdefault(row.sample, []).append(float(rating))
    low = high = None
    if len(clusters) > 1:
        _, below, above = clustered_mean(clusters, CONFIDENCE)
        low, high = min(below, average), max(above, average)
    return [
        Estimate(
            metric="score_fastchat",
            value=average,
            low=low,
            high=high,
            method="t-clustered",
            n=len(clusters),
        )
    ]


def _outcomes(rows: Sequence[Score]) -> list[Estimate]:
    """Shares of games won, tied and lost; of those judged in both orders, how many the places decided."""
    games = [row for row in rows if row.metric == "win" and row.value is not None]
    values = [row.value or 0.0 for row in games]
    found = [
        _share("won", sum(value > 0.5 for value in values), len(values)),
        _share("tied", sum(value == 0.5 for value in values), len(values)),
        _share("lost", sum(value < 0.5 for value in values), len(values)),
    ]
    causes = Counter(str(row.detail.get("cause")) for row in rows if row.metric == "win" and row.value is None)
    both = [sides for row in games if len(sides := row.detail.get("games") or row.detail.get("scores") or ()) > 1]
    found.append(_share("contradicting", sum(map(_contradicting, both)), len(both)))
    return [msgspec.structs.replace(one, unscored=dict(causes)) for one in found if one.n]


def _contradicting(sides: Sequence[Any]) -> bool:
    """Whether one order says the candidate and the other the baseline; a side is a share, or two scores."""
    pairs = [(one, 1 - one) if isinstance(one, int | float) else (one[0], one[1]) for one in sides]
    return relative.contradicts(pairs)


def _share(metric: str, count: int, n: int) -> Estimate:
    low, high = wilson(count, n, CONFIDENCE) if n else (None, None)
    return Estimate(metric=metric, value=count / n if n else None, low=low, high=high, method="wilson", n=n)


def _alpaca(
    rows: Sequence[Score],
    counted: Counted,
    length: LengthData | None,
    C: float | None,  # noqa: N803
) -> list[Estimate]:
    games = {row.sample: row for row in rows if row.metric == "win" and row.attempt == 0}
    preferences = [_preference(games.get(item)) for item in counted.items]
    row = alpaca.win_rate(preferences)
    if row.discrete_win_rate is None:
        return []
    discrete = [alpaca.discrete(one) for one in map(alpaca.normal, preferences) if one is not None]
    _, low, high = _mean(discrete)
    lengths = [int(games[item].detail.get("length", 0)) for item in counted.items if item in games]
    average = alpaca.average_length(["x" * one for one in lengths], len(counted.items))
    _, short, long = _mean([float(one) for one in lengths])
    found = [
        Estimate(
            metric="discrete_win",
            value=row.discrete_win_rate / 100,
            low=max(0.0, low),
            high=min(1.0, high),
            method="t-clustered",
            n=row.n_total,
        )
    ]
    found += _length_controlled(games, counted, length, C)
    found.append(
        Estimate(
            metric="avg_length",
            value=float(average),
            low=min(short, average),
            high=max(long, average),
            method="t-clustered",
            n=len(lengths),
        )
    )
    return found


def _length_controlled(
    games: Mapping[str, Score],
    counted: Counted,
    length: LengthData | None,
    C: float | None,  # noqa: N803
) -> list[Estimate]:
    rows = [games[item] for item in counted.items if item in games]
    # The difficulty is by row of the whole set: an excerpt has no length-controlled win rate.
    if length is None or len(counted.items) < len(length.difficulty):
        return []
    places = [place for place, item in enumerate(counted.items) if item in games]
    if C is not None:  # files behind published rows lost items, and their later rows moved up
        places = list(range(len(rows)))
    hard = [length.difficulty[place] for place in places]
    preferences = [_preference(row) for row in rows]
    ours = [int(row.detail.get("length", 0)) for row in rows]
    theirs = [int(row.detail.get("baseline_length", 0)) for row in rows]
    try:
        fit = length_control.length_controlled(preferences, theirs, ours, hard, length.gamed, C=C)
    except HarnessError:
        return []
    draw = np.random.default_rng(_SEED)
    values = []
    for _ in range(_REFITS):
        pick = draw.integers(0, len(rows), len(rows))
        drawn = [preferences[i] for i in pick]
        if any(one is not None for one in drawn):  # with few verdicts a draw may hold none
            again = length_control.length_controlled(
                drawn,
                [theirs[i] for i in pick],
                [ours[i] for i in pick],
                [hard[i] for i in pick],
                length.gamed,
                C=fit.C,
            )
            values.append(again.win_rate / 100)
    value = fit.win_rate / 100
    low, high = (float(one) for one in np.quantile(values or [value], [0.025, 0.975]))
    return [
        Estimate(
            metric="lc_win",
            value=value,
            low=min(low, value),
            high=max(high, value),
            method=f"length-controlled, C={fit.C:.4g}",
            n=sum(one is not None for one in preferences),
        )
    ]


def _ratios(judge: Judge, rows: Sequence[Score], counted: Counted) -> list[Estimate]:
    """The relative score in percent of the reference's points: of all items, of each slice, of the hard ones."""
    found = reviews(rows)
    groups: list[tuple[dict[str, str] | None, list[relative.Review]]] = [(None, found)]
    for field in judge.slices:
        groups += [({field: value}, some) for value, some in relative.parts(found, field).items()]
    return [_ratio(part, some) for part, some in groups if some]


def _ratio(part: dict[str, str] | None, found: Sequence[relative.Review]) -> Estimate:
    record = relative.relative(found)
    pairs = np.array([[_average(review, side) for side in (0, 1)] for review in found])
    draw = np.random.default_rng(_SEED)
    picks = draw.integers(0, len(pairs), (_RESAMPLES, len(pairs)))
    sums = pairs[picks].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = 100 * sums[:, 0] / sums[:, 1]
    value = record.percent
    low, high = (float(one) for one in np.nanquantile(ratios, [0.025, 0.975])) if value is not None else (None, None)
    return Estimate(metric="relative", slice=part, value=value, low=low, high=high, method="bootstrap", n=record.n)


def _average(review: relative.Review, side: int) -> float:
    return math.fsum(pair[side] for pair in review.scores) / len(review.scores)


def _preference(row: Score | None) -> float | None:
    if row is None or row.value is None:
        return None
    found: Any = row.detail.get("preference")
    return float(found) if found is not None else 1 + row.value


def _mean(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return (values[0], values[0], values[0]) if values else (0.0, 0.0, 0.0)
    return clustered_mean({str(place): (value,) for place, value in enumerate(values)}, CONFIDENCE)


def _from_zero(scale: tuple[float, float]) -> tuple[float, float]:
    """Judges may give no points at all; FastChat counts them."""
    return min(0.0, scale[0]), scale[1]

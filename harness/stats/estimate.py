"""From the scores of one scoring to its estimates: value, interval, and everything that is missing."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from harness.errors import HarnessError
from harness.stats.intervals import bootstrap_mean, clustered_mean, wilson
from harness.stats.majority import Vote, majority, vote
from harness.stats.passk import pass_at_k
from harness.types import PASS_METRICS, Bounds, Estimate, Score

CONFIDENCE = 0.95

ANSWER_METRICS = frozenset({"correct"})
"""Item metrics of answers, for which attempts can vote."""

UNKNOWN_SLICE = "unknown"
"""Slice value of an item that has no score to tell its slice and is not in ``slices_of``."""

_LONG = 64

MISSING = "missing"
"""Cause of an attempt that has neither a score nor a recorded error."""

Key = tuple[str, int]
"""Sample and attempt."""


def essential(score: Score) -> Score:
    """The part of a score that `estimate` reads, for holding many: no texts, but of an answer what it votes for.

    A long answer becomes its digest: which answers are the same is all that counts.
    """
    answer = None
    if score.metric in ANSWER_METRICS and (cast := vote(score)) is not None:
        answer = cast[0]
        if answer is not None and len(answer) > _LONG:
            answer = hashlib.sha256(answer.encode("utf-8", "surrogatepass")).hexdigest()
    return msgspec.structs.replace(score, extracted=answer, expected=None, detail={})


class _Item(msgspec.Struct, frozen=True):
    """What is known of one sample: its attempts and most scores an attempt (turns), its scores, its gaps in order."""

    sample: str
    attempts: int
    turns: int
    values: tuple[float, ...]
    votes: tuple[Vote, ...]
    causes: tuple[str, ...]
    no_answer: int
    truncated: int
    slices: Mapping[str, str]


class _Figure(msgspec.Struct, frozen=True):
    """A value with its interval; all None where nothing is scored."""

    method: str
    value: float | None = None
    low: float | None = None
    high: float | None = None


def estimate(
    scores: Sequence[Score],
    *,
    metric: str,
    k: Sequence[int],
    attempts: int,
    expected_items: Collection[str],
    errors: Mapping[Key, str],
    truncated: Collection[Key],
    slices: Sequence[str],
    scale: tuple[float, float] = (0.0, 1.0),
    slices_of: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[Estimate, ...]:
    """Estimate one item metric over all expected items, and over each value of each slice field.

    Which method is used:

    * 0/1 values, one attempt per item: the rate with a Wilson interval.
    * 0/1 values, several attempts or k > 1: pass@k per problem, and a bootstrap over problems (not completions). Where
      that has no width (all problems at 0, all at 1, one problem): Wilson on problems.
    * ``correct`` with several attempts: beside the rate (which is pass@1), pass@k and maj@k for the ``k``
      asked for and for the number of attempts. maj@k is the value of the most frequent of the first k answers.
    * Anything else (graded scores, several turns): the mean of all scores with a t interval clustered by sample; where
      that has no width, Wilson on the scores mapped to [0, 1] by ``scale``. Intervals never leave the scale.

    What has no score is never dropped silently and never imputed. An item is unscored where it has no score (for
    pass@k: fewer than k); its cause is that of its first attempt without one. ``bounds`` are present exactly when any
    expected attempt has no score, also where its item has enough others: the value over all expected items if all
    that is unscored were wrong, and if it were right.

    A ``k`` above the number of attempts is skipped: nothing can be said about it. Where that leaves no ``k``, pass@1 is
    estimated. For metrics outside the pass family ``k`` is not read.

    Args:
        scores: Rows of one scoring; of other metrics and of samples that are not expected are ignored; of two rows with
            one key the later counts.
        metric: The item metric to estimate (``pass``, ``correct``, ...).
        k: Which pass@k to estimate.
        attempts: Attempts expected of every item. Scored attempts beyond it count, too.
        expected_items: Ids of all samples that should have a score.
        errors: Why a (sample, attempt) has no score; absent: ``missing``.
        truncated: Attempts whose completion ended at its token limit.
        slices: Fields of `Score.slices` to report separately.
        scale: Lowest and highest possible value of the metric.
        slices_of: Slices of each sample, for samples that have no score; without it these are of slice ``unknown``.

    Returns:
        Estimates of all items first (one per k), then those of the slices, by field and value.

    Raises:
        HarnessError: A value lies outside ``scale``, or is neither 0 nor 1 for a metric of the pass family.
    """
    items = list(_items(scores, metric, attempts, expected_items, errors, truncated, slices_of or {}))
    _check_scale(items, metric, scale)
    ks = _usable_k(metric, k, attempts, items)
    found = _estimates(items, metric, ks, attempts, scale, slice_=None)
    if metric in ANSWER_METRICS:
        found += _repeated(items, k, attempts)
    for field in slices:
        groups: dict[str, list[_Item]] = {}
        for item in items:
            groups.setdefault(item.slices.get(field, UNKNOWN_SLICE), []).append(item)
        for value in sorted(groups):
            found += _estimates(groups[value], metric, ks, attempts, scale, slice_={field: value})
    return tuple(found)


def _items(
    scores: Sequence[Score],
    metric: str,
    attempts: int,
    expected: Collection[str],
    errors: Mapping[Key, str],
    truncated: Collection[Key],
    slices_of: Mapping[str, Mapping[str, str]],
) -> Iterator[_Item]:
    wanted = frozenset(expected)
    rows: dict[str, dict[int, dict[int, Score]]] = {}
    for score in scores:
        if score.metric == metric and score.sample in wanted:
            rows.setdefault(score.sample, {}).setdefault(score.attempt, {})[score.turn] = score
    # An attempt without any row has as many gaps as other attempts have rows (turns of a conversation).
    usual = Counter(len(turns) for by_attempt in rows.values() for turns in by_attempt.values())
    turns_of_absent = max(usual, key=lambda count: (usual[count], count)) if usual else 1
    cut: Counter[str] = Counter(sample for sample, _ in set(truncated))
    for sample in dict.fromkeys(expected):
        by_attempt = rows.get(sample, {})
        values: list[float] = []
        votes: list[Vote] = []
        causes: list[str] = []
        no_answer = 0
        for attempt in sorted(set(by_attempt) | set(range(attempts))):
            turns = by_attempt.get(attempt)
            if turns is None:
                causes += [errors.get((sample, attempt), MISSING)] * turns_of_absent
                continue
            no_answer += any(score.reason == "no_answer" for score in turns.values())
            for _, score in sorted(turns.items()):
                if score.value is None:
                    causes.append(errors.get((sample, attempt)) or _cause(score))
                else:
                    values.append(score.value)
                    votes += [cast] if (cast := vote(score)) else []
        known = {
            field: text
            for turns in by_attempt.values()
            for score in turns.values()
            for field, text in score.slices.items()
        }
        yield _Item(
            sample=sample,
            attempts=len(set(by_attempt) | set(range(attempts))),
            turns=max((len(turns) for turns in by_attempt.values()), default=turns_of_absent),
            values=tuple(values),
            votes=tuple(votes),
            causes=tuple(causes),
            no_answer=no_answer,
            truncated=cut[sample],
            slices={**slices_of.get(sample, {}), **known},
        )


def _cause(score: Score) -> str:
    """Why a score is null, as its scorer says it."""
    for field in ("cause", "code"):
        said = score.detail.get(field)
        if isinstance(said, str) and said:
            return said
    return "unscored"


def _check_scale(items: Sequence[_Item], metric: str, scale: tuple[float, float]) -> None:
    low, high = scale
    for item in items:
        for value in item.values:
            if not low <= value <= high:
                raise HarnessError(
                    f"metric {metric!r} of sample {item.sample!r} is {value}, outside its scale {low} to {high}",
                    "state the scale of the scorer or judge, or repair the score",
                    code="scale",
                )
            if metric in PASS_METRICS and value not in (0, 1):
                raise HarnessError(
                    f"metric {metric!r} of sample {item.sample!r} is {value}; pass@k is defined for 0 and 1 only",
                    "use another metric name for graded scores",
                    code="scale",
                )


def _usable_k(metric: str, k: Sequence[int], attempts: int, items: Sequence[_Item]) -> tuple[int, ...]:
    if metric not in PASS_METRICS:
        return (1,)
    most = max([attempts, *(item.attempts for item in items)])
    return tuple(dict.fromkeys(size for size in k if size <= most)) or (1,)


def _estimates(
    items: Sequence[_Item],
    metric: str,
    ks: Sequence[int],
    attempts: int,
    scale: tuple[float, float],
    *,
    slice_: Mapping[str, str] | None,
) -> list[Estimate]:
    most = max([attempts, *(item.attempts for item in items)])
    # A conversation has several scores an attempt (its turns), which are no repeats of one problem.
    by_problem = metric in PASS_METRICS or (
        scale == (0.0, 1.0) and all(item.turns == 1 and value in (0, 1) for item in items for value in item.values)
    )
    found = []
    for k in ks:
        scored = [item for item in items if len(item.values) >= k]
        if not scored:
            figure = _Figure("none")
        elif by_problem:
            figure = _rate(scored, k, most)
        else:
            figure = _graded(scored, scale)
        found.append(
            Estimate(
                metric=f"{metric}@{k}" if metric in PASS_METRICS else metric,
                slice=slice_,
                value=figure.value,
                low=figure.low,
                high=figure.high,
                confidence=CONFIDENCE,
                method=figure.method,
                bounds=_bounds(items, k, scale, by_problem=by_problem),
                n=len(scored),
                attempts=most,
                unscored=_unscored(items, k),
                no_answer=sum(item.no_answer for item in items),
                truncated=sum(item.truncated for item in items),
            )
        )
    return found


def _repeated(items: Sequence[_Item], wanted: Sequence[int], attempts: int) -> list[Estimate]:
    """pass@k and maj@k of all items, where there are several attempts at each."""
    most = max([attempts, *(item.attempts for item in items)])
    if most < 2 or any(item.turns > 1 or value not in (0, 1) for item in items for value in item.values):
        return []
    found = []
    for k in sorted({*(k for k in wanted if 1 < k <= most), most}):
        scored = [item for item in items if len(item.values) >= k]
        missing = len(items) - len(scored)
        for name, values in (
            ("pass", [pass_at_k(len(item.values), round(sum(item.values)), k) for item in scored]),
            ("maj", [majority(item.votes[:k]) for item in scored]),
        ):
            figure = _mean(values) if values else _Figure("none")
            total = math.fsum(values)
            found.append(
                Estimate(
                    metric=f"{name}@{k}",
                    value=figure.value,
                    low=figure.low,
                    high=figure.high,
                    confidence=CONFIDENCE,
                    method=figure.method,
                    bounds=Bounds(low=total / len(items), high=(total + missing) / len(items)) if missing else None,
                    n=len(scored),
                    attempts=most,
                    unscored=_unscored(items, k),
                    no_answer=sum(item.no_answer for item in items),
                    truncated=sum(item.truncated for item in items),
                )
            )
    return found


def _mean(values: Sequence[float]) -> _Figure:
    """A mean over problems: a bootstrap, or Wilson where that has no width."""
    value = math.fsum(values) / len(values)
    low, high = bootstrap_mean(values, CONFIDENCE)
    if low < high:
        return _Figure("bootstrap", value, min(low, value), max(high, value))
    return _Figure("wilson", value, *wilson(min(math.fsum(values), len(values)), len(values), CONFIDENCE))


def _rate(scored: Sequence[_Item], k: int, attempts: int) -> _Figure:
    values = [pass_at_k(len(item.values), round(sum(item.values)), k) for item in scored]
    value = math.fsum(values) / len(values)
    if attempts > 1:
        low, high = bootstrap_mean(values, CONFIDENCE)
        if low < high:
            return _Figure("bootstrap", value, min(low, value), max(high, value))
    return _Figure("wilson", value, *wilson(min(math.fsum(values), len(values)), len(values), CONFIDENCE))


def _graded(scored: Sequence[_Item], scale: tuple[float, float]) -> _Figure:
    floor, top = scale
    if len(scored) > 1:
        value, low, high = clustered_mean({item.sample: item.values for item in scored}, CONFIDENCE)
        if low < high:
            return _Figure("t-clustered", value, max(low, floor), min(high, top))
    values = [value for item in scored for value in item.values]
    value = math.fsum(values) / len(values)
    share = min(1.0, max(0.0, (value - floor) / (top - floor)))
    low, high = wilson(share * len(scored), len(scored), CONFIDENCE)
    return _Figure("wilson", value, floor + low * (top - floor), floor + high * (top - floor))


def _bounds(items: Sequence[_Item], k: int, scale: tuple[float, float], *, by_problem: bool) -> Bounds | None:
    """The value over everything expected, if all that has no score were wrong, and if all of it were right."""
    if not any(item.causes or len(item.values) < k for item in items):
        return None
    floor, top = scale
    if by_problem:
        low = high = 0.0
        for item in items:
            passed = round(sum(item.values))
            gaps = max(len(item.causes), k - len(item.values))
            low += pass_at_k(len(item.values) + gaps, passed, k)
            high += pass_at_k(len(item.values) + gaps, passed + gaps, k)
        return Bounds(low=low / len(items), high=high / len(items))
    total = math.fsum(value for item in items for value in item.values)
    gaps = sum(len(item.causes) for item in items)
    count = gaps + sum(len(item.values) for item in items)
    return Bounds(low=(total + gaps * floor) / count, high=(total + gaps * top) / count)


def _unscored(items: Sequence[_Item], k: int) -> dict[str, int]:
    """Cause -> number of items without an estimate, by the item's first gap; causes in alphabetical order."""
    counts = Counter(item.causes[0] if item.causes else MISSING for item in items if len(item.values) < k)
    return dict(sorted(counts.items()))

"""Estimates: which method, what counts as unscored, and bounds that never impute."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.stats import bootstrap_mean, clustered_mean, estimate, pass_at_k, wilson
from harness.types import Bounds, Estimate, Reason, Score


def row(
    sample: str,
    value: float | None,
    *,
    attempt: int = 0,
    turn: int = 0,
    metric: str = "pass",
    reason: Reason | None = None,
    slices: Mapping[str, str] | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Score:
    told: Reason = reason or ("unscored" if value is None else "ok" if value else "wrong")
    return Score(
        sample=sample, attempt=attempt, turn=turn, metric=metric, value=value, reason=told, slices=slices or {},
        detail=detail or {},
    )  # fmt: skip


def estimates(scores: Sequence[Score], items: Sequence[str], **options: Any) -> tuple[Estimate, ...]:
    settings: dict[str, Any] = {
        "metric": "pass", "k": (1,), "attempts": 1, "errors": {}, "truncated": (), "slices": (), **options,
    }  # fmt: skip
    return estimate(scores, expected_items=items, **settings)


def one(scores: Sequence[Score], items: Sequence[str], **options: Any) -> Estimate:
    (found,) = estimates(scores, items, **options)
    return found


def test_one_attempt_is_a_rate_with_wilson() -> None:
    found = one(
        [row("a", 1), row("b", 0, reason="no_answer"), row("c", 1), row("d", 1)], "abcd", truncated={("b", 0), ("d", 0)}
    )
    assert found == Estimate(
        metric="pass@1", value=0.75, low=wilson(3, 4)[0], high=wilson(3, 4)[1], method="wilson", n=4, attempts=1,
        no_answer=1, truncated=2,
    )  # fmt: skip
    assert found.bounds is None


def test_other_metrics_keep_their_name_and_ignore_k() -> None:
    found = one([row("a", 1, metric="correct"), row("b", 0, metric="correct")], "ab", metric="correct", k=(1, 10))
    assert (found.metric, found.value, found.method) == ("correct", 0.5, "wilson")


@pytest.mark.parametrize(("metric", "name"), [("base", "base@1"), ("plus", "plus@1")])
def test_the_pass_family(metric: str, name: str) -> None:
    found = one([row("a", 1, metric=metric), row("a", 0, metric="other")], "a", metric=metric)
    assert (found.metric, found.value, found.n) == (name, 1.0, 1)


def test_several_attempts_are_pass_at_k_with_a_bootstrap_over_problems() -> None:
    passed = {"a": 4, "b": 1, "c": 0, "d": 2, "e": 3}
    scores = [row(s, float(i < c), attempt=i) for s, c in passed.items() for i in range(4)]
    first, second = estimates(scores, "abcde", k=(1, 2), attempts=4)
    for found, k in ((first, 1), (second, 2)):
        values = [pass_at_k(4, c, k) for c in passed.values()]
        assert found.metric == f"pass@{k}"
        assert found.value == pytest.approx(sum(values) / 5)
        assert (found.low, found.high) == bootstrap_mean(values)
        assert (found.method, found.n, found.attempts, found.bounds) == ("bootstrap", 5, 4, None)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_bootstrap_without_width_gives_way_to_wilson_on_problems(value: float) -> None:
    found = one([row(s, value, attempt=i) for s in "abc" for i in range(3)], "abc", attempts=3)
    assert (found.value, found.method) == (value, "wilson")
    assert (found.low, found.high) == wilson(3 * value, 3)


def test_k_above_the_attempts_is_skipped_and_pass_at_1_remains() -> None:
    scores = [row("a", 1), row("b", 0)]
    assert [found.metric for found in estimates(scores, "ab", k=(1, 10))] == ["pass@1"]
    assert [found.metric for found in estimates(scores, "ab", k=(10, 100))] == ["pass@1"]


def test_items_without_any_score_are_unscored_by_cause() -> None:
    found = one([row("a", 1), row("b", 0)], ["a", "b", "c", "d", "e"], errors={("c", 0): "http-500"})
    assert (found.value, found.n) == (0.5, 2)
    assert found.unscored == {"http-500": 1, "missing": 2}
    assert found.bounds == Bounds(low=0.2, high=0.8)


def test_a_null_score_is_unscored_with_the_cause_its_scorer_gives() -> None:
    scores = [row("a", 1), row("b", None, detail={"cause": "judge"}), row("c", None), row("d", None)]
    found = one(scores, "abcd", errors={("d", 0): "sandbox"})
    assert found.unscored == {"judge": 1, "sandbox": 1, "unscored": 1}
    assert found.bounds == Bounds(low=0.25, high=1.0)


def test_nothing_scored_has_no_value_and_the_widest_bounds() -> None:
    found = one([], "ab", errors={("a", 0): "timeout"})
    assert (found.value, found.low, found.high, found.method, found.n) == (None, None, None, "none", 0)
    assert found.unscored == {"missing": 1, "timeout": 1}
    assert found.bounds == Bounds(low=0.0, high=1.0)


def test_no_items_at_all() -> None:
    found = one([], [])
    assert (found.value, found.n, found.bounds, found.unscored) == (None, 0, None, {})


def test_fewer_than_k_scored_attempts_is_unscored_for_that_k_only() -> None:
    scores = [row("a", 1), row("a", 0, attempt=1), row("b", 0)]
    first, second = estimates(scores, "ab", k=(1, 2), attempts=2, errors={("b", 1): "http-503"})
    # b has one verdict: enough for pass@1, yet one of its attempts is missing, so that there are bounds.
    assert (first.value, first.n, first.unscored) == (0.25, 2, {})
    assert first.bounds == Bounds(low=0.25, high=0.5)
    assert (second.value, second.n, second.unscored) == (1.0, 1, {"http-503": 1})
    assert second.bounds == Bounds(low=0.5, high=1.0)


def test_scores_of_samples_that_are_not_expected_are_ignored() -> None:
    assert one([row("a", 1), row("z", 0)], "a").value == 1.0


def test_the_later_of_two_rows_with_one_key_counts() -> None:
    assert one([row("a", 0), row("a", 1)], "a").value == 1.0


def test_attempts_beyond_the_expected_count() -> None:
    found = one([row("a", 1), row("a", 0, attempt=1), row("b", 1)], "ab")
    assert (found.value, found.attempts, found.method, found.bounds) == (0.75, 2, "bootstrap", None)


def test_graded_scores_are_a_mean_clustered_by_sample() -> None:
    turns = {"a": [9.0, 7.0], "b": [3.0, 2.0], "c": [8.0, 8.0]}
    scores = [row(s, v, turn=i, metric="score") for s, values in turns.items() for i, v in enumerate(values)]
    found = one(scores, "abc", metric="score", scale=(1.0, 10.0))
    mean, low, high = clustered_mean(turns)
    assert (found.metric, found.method, found.n, found.attempts) == ("score", "t-clustered", 3, 1)
    assert (found.value, found.low, found.high) == (pytest.approx(mean), max(low, 1.0), min(high, 10.0))


def test_graded_bounds_use_the_scale_and_the_usual_number_of_turns() -> None:
    scores = [row("a", 9.0, metric="score"), row("a", None, turn=1, metric="score", detail={"code": "judge-null"})]
    scores += [row("b", 5.0, metric="score"), row("b", 6.0, turn=1, metric="score")]
    found = one(scores, "abc", metric="score", scale=(1.0, 10.0))
    assert (found.n, found.unscored) == (2, {"missing": 1})
    assert found.value == pytest.approx(20 / 3)
    assert found.bounds == Bounds(low=23 / 6, high=50 / 6)


@pytest.mark.parametrize("values", [[10.0, 10.0, 10.0], [7.0]])
def test_a_graded_interval_always_has_width(values: list[float]) -> None:
    scores = [row(str(i), value, metric="score") for i, value in enumerate(values)]
    found = one(scores, [str(i) for i in range(len(values))], metric="score", scale=(1.0, 10.0))
    assert found.low is not None
    assert found.high is not None
    assert found.method == "wilson"
    assert 1.0 <= found.low < found.high <= 10.0


def test_the_lowest_grades_are_no_zero_one_verdicts() -> None:
    scores = [row(s, v, metric="score") for s, v in (("a", 1.0), ("b", 1.0), ("c", 2.0))]
    assert one(scores, "abc", metric="score", scale=(1.0, 10.0)).method == "t-clustered"


def test_zero_one_turns_are_clustered_and_no_attempts() -> None:
    scores = [row(s, float(t != i % 2), turn=t, metric="correct") for i, s in enumerate("abcd") for t in range(2)]
    scores[0] = row("a", 1, metric="correct")
    scores[1] = row("a", 1, turn=1, metric="correct")
    found = one(scores, "abcd", metric="correct")
    assert (found.method, found.attempts, found.n) == ("t-clustered", 1, 4)


def test_values_outside_the_scale_are_refused() -> None:
    with pytest.raises(HarnessError, match=r"'score' of sample 'a' is 7\.0, outside its scale"):
        one([row("a", 7.0, metric="score")], "a", metric="score")


def test_pass_at_k_of_grades_is_refused() -> None:
    with pytest.raises(HarnessError, match="0 and 1 only"):
        one([row("a", 0.5)], "a")


def test_slices() -> None:
    scores = [
        row("a", 1, slices={"level": "1"}),
        row("b", 0, slices={"level": "2"}),
        row("c", 1, slices={"level": "1"}),
    ]
    found = estimates(scores, "abcd", slices=("level",), truncated={("b", 0), ("z", 0)})
    assert [(e.slice, e.value, e.n, e.truncated) for e in found] == [
        (None, 2 / 3, 3, 1),
        ({"level": "1"}, 1.0, 2, 0),
        ({"level": "2"}, 0.0, 1, 1),
        ({"level": "unknown"}, None, 0, 0),
    ]
    assert found[3].unscored == {"missing": 1}
    told = estimates(scores, "abcd", slices=("level",), slices_of={"d": {"level": "2"}})
    assert [(e.slice, e.n, dict(e.unscored)) for e in told[1:]] == [
        ({"level": "1"}, 2, {}),
        ({"level": "2"}, 1, {"missing": 1}),
    ]


@given(
    st.lists(st.lists(st.sampled_from([0.0, 1.0, None]), min_size=3, max_size=3), min_size=1, max_size=12),
    st.integers(1, 3),
)
def test_bounds_enclose_every_completion_of_what_is_missing(table: list[list[float | None]], k: int) -> None:
    def scores(fill: float | None) -> list[Score]:
        return [
            row(str(i), fill if v is None else v, attempt=a) for i, line in enumerate(table) for a, v in enumerate(line)
        ]

    items = [str(i) for i in range(len(table))]
    found = one(scores(None), items, k=(k,), attempts=3)
    gaps = any(value is None for line in table for value in line)
    assert (found.bounds is not None) == gaps
    if found.bounds is not None:
        wrong, right = (one(scores(fill), items, k=(k,), attempts=3) for fill in (0.0, 1.0))
        assert found.bounds.low == pytest.approx(wrong.value)
        assert found.bounds.high == pytest.approx(right.value)
    assert found.n + sum(found.unscored.values()) == len(table)


def test_importing_the_package_loads_no_heavy_library() -> None:
    code = "import sys, harness.stats; print(sorted({'numpy', 'scipy', 'statistics'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

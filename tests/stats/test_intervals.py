"""Intervals against independent implementations and textbook values."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from harness.stats import bootstrap_mean, clustered_mean, wilson


@given(st.integers(1, 3000), st.data(), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_wilson_equals_scipy(n: int, data: st.DataObject, confidence: float) -> None:
    successes = data.draw(st.integers(0, n))
    theirs = scipy_stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert wilson(successes, n, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_wilson_contains_the_rate_and_has_width(n: int, share: float) -> None:
    low, high = wilson(share * n, n)
    assert 0 <= low <= share * n / n <= high <= 1
    assert high > low


def test_wilson_at_the_ends() -> None:
    assert wilson(0, 164)[0] == 0.0
    assert wilson(164, 164)[1] == 1.0
    assert wilson(164, 164)[0] == pytest.approx(1 / (1 + 1.959963984540054**2 / 164), abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (5.5, 5)])
def test_wilson_refuses_what_is_undefined(successes: float, n: int) -> None:
    with pytest.raises(ValueError, match=r"not"):
        wilson(successes, n)


def test_wilson_refuses_a_confidence_of_one() -> None:
    with pytest.raises(ValueError, match="confidence"):
        wilson(1, 2, 1.0)


def test_bootstrap_is_deterministic_and_follows_the_normal_limit() -> None:
    rng = random.Random(1)
    values = [rng.choice([0.0, 0.25, 0.5, 1.0]) for _ in range(400)]
    low, high = bootstrap_mean(values)
    assert (low, high) == bootstrap_mean(list(reversed(values)))
    mean, error = statistics.fmean(values), statistics.stdev(values) / 20
    assert (low, high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.1 * error)


def test_bootstrap_in_chunks_equals_a_direct_resampling() -> None:
    rng = random.Random(2)
    values = [rng.random() for _ in range(600)]
    low, high = bootstrap_mean(values)  # 600 distinct values: more than one chunk
    direct = sorted(statistics.fmean(rng.choices(values, k=600)) for _ in range(1000))
    error = statistics.stdev(values) / math.sqrt(600)
    assert low == pytest.approx(direct[25], abs=0.3 * error)
    assert high == pytest.approx(direct[975], abs=0.3 * error)


def test_bootstrap_of_equal_values_has_no_width() -> None:
    assert bootstrap_mean([0.5, 0.5]) == (0.5, 0.5)
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_mean([])


def test_clustered_mean_with_single_scores_is_the_t_interval() -> None:
    scores = [3.0, 7.5, 9.0, 4.0, 6.5]
    mean, low, high = clustered_mean({str(i): [score] for i, score in enumerate(scores)})
    theirs = scipy_stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert mean == pytest.approx(6.0)
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_clustered_mean_is_millers_formula() -> None:
    clusters = {"a": [9.0, 7.0], "b": [3.0, 2.0], "c": [8.0, 8.0], "d": [5.0, 6.0]}
    scores = [score for turns in clusters.values() for score in turns]
    m, n = statistics.fmean(scores), len(scores)
    squares = sum((s - m) ** 2 for s in scores)
    cross = sum(
        (x - m) * (y - m) for t in clusters.values() for i, x in enumerate(t) for j, y in enumerate(t) if i != j
    )
    error = math.sqrt((squares + cross) / n**2 * 4 / 3)
    half = float(scipy_stats.t.ppf(0.975, 3)) * error
    assert clustered_mean(clusters) == pytest.approx((m, m - half, m + half), abs=1e-12)


def test_repeating_every_score_does_not_narrow_the_interval() -> None:
    once = {"a": [1.0], "b": [4.0], "c": [6.0]}
    thrice = {sample: scores * 3 for sample, scores in once.items()}
    assert clustered_mean(thrice) == pytest.approx(clustered_mean(once))


def test_clustered_mean_needs_two_clusters() -> None:
    with pytest.raises(ValueError, match="two clusters"):
        clustered_mean({"a": [1.0, 2.0], "b": []})

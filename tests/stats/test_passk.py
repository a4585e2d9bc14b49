"""pass@k against exact combinatorics."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats import pass_at_k


def by_enumeration(n: int, c: int, k: int) -> Fraction:
    """Draw every set of k completions; count those with a passing one (the first c pass)."""
    draws = list(combinations(range(n), k))
    return Fraction(sum(any(i < c for i in draw) for draw in draws), len(draws))


def by_product(n: int, c: int, k: int) -> Fraction:
    """Draw one by one without replacement; all k fail."""
    fail = Fraction(1)
    for i in range(k):
        fail *= Fraction(max(n - c - i, 0), n - i)
    return 1 - fail


def test_equals_the_enumeration_of_all_draws() -> None:
    for n in range(1, 8):
        for c in range(n + 1):
            for k in range(1, n + 1):
                assert pass_at_k(n, c, k) == pytest.approx(float(by_enumeration(n, c, k)), abs=1e-12)


@given(st.data())
def test_equals_exact_fractions(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 400))
    c = data.draw(st.integers(0, n))
    k = data.draw(st.integers(1, n))
    assert abs(Fraction(pass_at_k(n, c, k)) - by_product(n, c, k)) <= Fraction(1, 10**12)


def test_is_the_rate_at_one() -> None:
    assert pass_at_k(10, 3, 1) == 0.3
    assert pass_at_k(7, 0, 1) == 0.0
    assert pass_at_k(7, 7, 1) == 1.0


def test_is_stable_where_binomials_leave_the_floats() -> None:
    assert pass_at_k(20_000, 1, 10_000) == 0.5
    assert pass_at_k(20_000, 10_001, 10_000) == 1.0


@pytest.mark.parametrize(("n", "c", "k"), [(0, 0, 1), (5, 6, 1), (5, -1, 1), (5, 2, 0), (5, 2, 6)])
def test_refuses_what_is_undefined(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="pass@k needs"):
        pass_at_k(n, c, k)

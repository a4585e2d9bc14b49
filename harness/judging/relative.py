"""WizardLM's relative score: two-number reviews of a candidate beside a reference model. Pure.

Source: lm-sys/FastChat@69d085e fastchat/eval (reviews, sums); Xu et al. 2023, arXiv 2304.12244 (per skill, per
difficulty). The total is weighted by questions: the ratio of the sums over all items, not the mean of the skills'
ratios.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

Outcome = Literal["win", "tie", "lose"]

HARD = 8
"""Items of this difficulty and above are the published "high-difficulty" part of the Evol-Instruct testset."""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """One item's scores, each pair as (candidate, reference), an entry for each order in which it was reviewed."""

    sample: str
    scores: tuple[tuple[float, float], ...]
    slices: Mapping[str, str] = {}


class Relative(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over some items.

    Attributes:
        candidate: Sum of the candidate's scores; where both orders were reviewed, of their means.
        reference: The reference model's.
        percent: 100 times their ratio, None where the reference has none; published figures show it cut, not rounded.
        win: Items that the candidate wins by `outcome`.
        tie: Items that are even, or whose two orders contradict each other.
        lose: The others.
        n: Items.
    """

    candidate: float
    reference: float
    percent: float | None
    win: int
    tie: int
    lose: int
    n: int


def outcome(scores: Sequence[tuple[float, float]]) -> Outcome:
    """Who wins an item: more points in every order, or in one and even in the other; anything else is a tie."""
    signs = [(ours > theirs) - (ours < theirs) for ours, theirs in scores]
    if any(sign > 0 for sign in signs) and all(sign >= 0 for sign in signs):
        return "win"
    if any(sign < 0 for sign in signs) and all(sign <= 0 for sign in signs):
        return "lose"
    return "tie"


def contradicts(scores: Sequence[tuple[float, float]]) -> bool:
    """Whether swapping the places swaps the winner: one order says the candidate, another the reference."""
    return any(ours > theirs for ours, theirs in scores) and any(ours < theirs for ours, theirs in scores)


def relative(reviews: Iterable[Review]) -> Relative:
    """Sum up items."""
    found = list(reviews)
    ours = math.fsum(_mean([pair[0] for pair in review.scores]) for review in found)
    theirs = math.fsum(_mean([pair[1] for pair in review.scores]) for review in found)
    outcomes = [outcome(review.scores) for review in found]
    percent = 100 * ours / theirs if theirs else None
    return Relative(
        candidate=ours,
        reference=theirs,
        percent=percent,
        win=outcomes.count("win"),
        tie=outcomes.count("tie"),
        lose=outcomes.count("lose"),
        n=len(found),
    )


def parts(reviews: Sequence[Review], field: str) -> dict[str, list[Review]]:
    """The items of each value of a slice, numbers first and in their order; of difficulties also the hard ones."""
    found: dict[str, list[Review]] = {}
    for review in reviews:
        if field in review.slices:
            found.setdefault(review.slices[field], []).append(review)
    if field == "Difficulty" and found:
        found[f">={HARD}"] = [one for one in reviews if float(one.slices.get(field, "0")) >= HARD]
    return {value: found[value] for value in sorted(found, key=_number_first)}


def _number_first(text: str) -> tuple[bool, int, str]:
    return (not text.isdecimal(), int(text) if text.isdecimal() else 0, text)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)

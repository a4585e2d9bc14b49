"""Verdicts are read from a reply exactly as each protocol reads them."""

from __future__ import annotations

import pytest

from harness.judging import reading
from harness.types import Reading

RATING = (r"\[\[(\d+\.?\d*)\]\]", r"\[(\d+\.?\d*)\]")
LABELS = Reading(reader="label", labels={"[[A]]": "first", "[[B]]": "second", "[[C]]": "tie"})


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Rating: [[5]]", 5),
        ("[[7.5]] and [[9]]", 7.5),
        ("as in [3], so [[8]]", 8),
        ("only [4]", 4),
        ("Rating: 10", None),
        ("[[10/10]]", None),
        ("[[rating]]", None),
        ("", None),
        ("[[９]] fullwidth", 9),
    ],
)
def test_ratings_as_fastchat_reads_them(reply: str, value: float | None) -> None:
    assert reading.rating(reply, RATING) == value


def test_a_rating_outside_the_scale_is_no_verdict() -> None:
    found = reading.read(Reading(reader="rating", patterns=RATING), "[[100]]", scale=(1, 10))
    assert (found.parsed, found.code) == (None, "out-of-scale")
    nothing = reading.read(Reading(reader="rating", patterns=RATING), "[[0]]", scale=(1, 10))
    assert (nothing.parsed, nothing.code) == (0, None)  # FastChat counts a judge's zero


@pytest.mark.parametrize(
    ("reply", "parsed", "others"),
    [
        ("[[B]] is my verdict", "[[B]]", ()),
        ("not [[A]] but [[B]]", "[[A]]", ("[[B]]",)),
        ("[[C]]", "[[C]]", ()),
        ("[A]", None, ()),
    ],
)
def test_labels_count_wherever_they_stand(reply: str, parsed: str | None, others: tuple[str, ...]) -> None:
    found = reading.read(LABELS, reply, scale=(0, 1))
    assert (found.parsed, found.others) == (parsed, others)


@pytest.mark.parametrize(
    ("review", "scores"),
    [
        ("8 9\nBoth...", (8, 9)),
        ("8,9", (8, 9)),
        ("7.5 8.5", (7.5, 8.5)),
        ("8, 9", None),
        ("Scores: 8 9", None),
        ("\n8 9", None),
        ("nan 8", None),
        ("8 9 10", None),
    ],
)
def test_two_scores_stand_alone_in_the_first_line(review: str, scores: tuple[float, float] | None) -> None:
    assert reading.two_scores(review) == scores


@pytest.mark.parametrize(
    ("reply", "rank"),
    [
        ("[{'model': 'model_1', 'rank': 2}, {'model': 'model_2', 'rank': 1}]", 2),
        ('{"ordered_models": [{"model": "model_1", "rank": 1}, {"model": "model_2", "rank": 2}]}', 1),
        ("[{'model': 'model_1', 'rank': 3}]", None),
        ("[{'model': 'other', 'rank': 1}]", None),
        ("__import__('os').abort()", None),
        ("(" * 5000, None),
        ("", None),
    ],
)
def test_rankings_are_literals_and_nothing_is_executed(reply: str, rank: int | None) -> None:
    assert reading.ranking(reply, "model_1") == rank


def test_token_preferences() -> None:
    assert reading.token_preference({"m": 0.0}, "m", "M") == 1
    assert reading.token_preference({"M": -0.1}, "m", "M") == 2
    assert reading.token_preference({"m": -1.0, "M": -1.0, "x": 0.0}, "m", "M") == 1.5
    assert reading.token_preference({"The": 0.0}, "m", "M") is None
    found = reading.read(Reading(reader="token-logprobs"), "m", scale=(1, 2))
    assert found.code == "no-logprobs"


def test_a_pair_is_turned_into_the_second_answers_share() -> None:
    assert reading.second_share(LABELS, "[[B]]") == 1
    assert reading.second_share(Reading(reader="two-scores"), [8.0, 8.0]) == 0.5
    assert reading.second_share(Reading(reader="ranking"), 0) == 0.5  # an old file's draw

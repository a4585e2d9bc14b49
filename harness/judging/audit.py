"""How far a judge can be trusted: agreement, errors against labels, what else moves its verdicts. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from harness.errors import HarnessError
from harness.formats.fastchat import Vote
from harness.stats.intervals import wilson

LONGER_BY = 30
"""Characters by which one answer must be longer to count as the longer one (AlpacaEval's rule)."""

_Z = 1.959963984540054


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A share with its 95 % Wilson interval; all None where nothing was counted."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def rate(count: float, n: int) -> Rate:
    """``count`` of ``n``."""
    if n == 0:
        return Rate(value=None, low=None, high=None, n=0)
    low, high = wilson(count, n)
    return Rate(value=count / n, low=low, high=high, n=n)


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """A judge's binary verdicts against labels.

    Attributes:
        sensitivity: Share of the positive items that the judge calls positive.
        specificity: Share of the negative items that it calls negative.
    """

    sensitivity: Rate
    specificity: Rate


def confusion(pairs: Iterable[tuple[bool, bool]]) -> Confusion:
    """Count (label, verdict) pairs."""
    found = list(pairs)
    positive = [verdict for label, verdict in found if label]
    negative = [verdict for label, verdict in found if not label]
    return Confusion(
        sensitivity=rate(sum(positive), len(positive)),
        specificity=rate(len(negative) - sum(negative), len(negative)),
    )


class Corrected(msgspec.Struct, frozen=True, kw_only=True):
    """A rate corrected for the judge's errors, with an interval over both the test's and the calibration's error."""

    raw: float
    value: float
    low: float
    high: float
    n: int


def corrected_rate(positives: float, n: int, against: Confusion) -> Corrected:
    """What the rate of positive items would be without the judge's errors.

    ``(p + q0 - 1) / (q0 + q1 - 1)`` with the judged rate ``p``, specificity ``q0`` and sensitivity ``q1``, cut to
    [0, 1]. The interval is the delta method's on counts with pseudo-observations, and covers the error of ``p`` and
    of both ``q``.

    Source: Lee et al., "How to Correctly Report LLM-as-a-Judge Evaluations" (PMLR 306, arXiv 2511.21140): the estimate
    and its adjusted interval as ``llm_judge_reporting.confidence_interval`` of UW-Madison-Lee-Lab/LLM-judge-reporting
    computes them: p with z^2/2, each q with one more success and failure, and the centre shifted by
    ``2 z^2 (theta v1 - (1 - theta) v0)`` (Lang and Reiczigel 2014). Rogan and Gladen 1978 for the estimate. Ours is
    never narrower: where the adjusted interval leaves the estimate out, it is stretched to it.

    Args:
        positives: Items of the test that the judge called positive.
        n: Items of the test.
        against: The judge's errors on labelled items.

    Raises:
        HarnessError: No items, or a judge that is no better than chance: nothing can be said then.
    """
    q1, q0 = against.sensitivity, against.specificity
    if n == 0 or q1.value is None or q0.value is None:
        raise HarnessError("a corrected rate needs judged items, and labelled ones of both kinds")
    if q0.value + q1.value <= 1:
        raise HarnessError("the judge is no better than chance on the labelled items: no rate follows from it")
    p = positives / n
    value = (p + q0.value - 1) / (q0.value + q1.value - 1)
    wide = n + _Z**2
    p_ = (n * p + _Z**2 / 2) / wide
    m0, m1 = q0.n + 2, q1.n + 2
    s0, s1 = (q0.n * q0.value + 1) / m0, (q1.n * q1.value + 1) / m1
    power = s0 + s1 - 1
    if power <= 0:
        raise HarnessError("too few labelled items to tell the judge from chance: no rate follows from it")
    theta = (p_ + s0 - 1) / power
    v0, v1 = s0 * (1 - s0) / m0, s1 * (1 - s1) / m1
    shift = 2 * _Z**2 * (-(1 - theta) * v0 + theta * v1)
    error = math.sqrt(p_ * (1 - p_) / wide + (1 - theta) ** 2 * v0 + theta**2 * v1) / power
    value = min(1.0, max(0.0, value))
    return Corrected(
        raw=p,
        value=value,
        low=min(value, max(0.0, theta + shift - _Z * error)),
        high=max(value, min(1.0, theta + shift + _Z * error)),
        n=n,
    )


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What the places do to a judge's verdicts on pairs.

    Attributes:
        consistent: Pairs whose two orders name the same winner (or both a tie), of those judged in both.
        contradicting: Pairs whose winner changes with the places.
        first: Share of decided verdicts that go to the answer shown first; 0.5 is unbiased.
    """

    consistent: Rate
    contradicting: Rate
    first: Rate


def position(pairs: Iterable[Sequence[float]]) -> Position:
    """Position bias of pair verdicts.

    Args:
        pairs: For each pair, how far each call was for the answer it showed second, 0 to 1: the declared order's, then
            the swapped one's; one entry where it was judged in one order.
    """
    both = same = against = 0
    first = decided = 0.0
    for shares in pairs:
        for share in shares:
            if share != 0.5:
                decided += 1
                first += share < 0.5
        if len(shares) > 1:
            both += 1
            one, two = _sign(shares[0]), -_sign(shares[1])
            same += one == two
            against += one * two < 0
    return Position(consistent=rate(same, both), contradicting=rate(against, both), first=rate(first, int(decided)))


def longer_preferred(verdicts: Iterable[tuple[int, int, float]]) -> Rate:
    """How often the longer answer wins, of decided pairs whose lengths differ by more than 30 characters.

    Args:
        verdicts: The two answers' lengths in characters, and how far the verdict is for the second, 0 to 1.
    """
    wins = n = 0
    for first, second, share in verdicts:
        if abs(first - second) > LONGER_BY and share != 0.5:
            n += 1
            wins += (second > first) == (share > 0.5)
    return rate(wins, n)


def self_consistency(repeats: Iterable[Sequence[object]]) -> Rate:
    """How often two verdicts on one and the same question agree, over all pairs of repeats."""
    same = n = 0
    for verdicts in repeats:
        for place, one in enumerate(verdicts):
            for other in verdicts[place + 1 :]:
                n += 1
                same += one == other
    return rate(same, n)


class LlmBar(msgspec.Struct, frozen=True, kw_only=True):
    """A judge on LLMBar, as its authors count: accuracy in each order, in their mean, in both; positional agreement.

    Source: princeton-nlp/LLMBar@900616b, ``statistics.json`` of an evaluator.
    """

    as_given: Rate
    swapped: Rate
    average: float | None
    both: Rate
    equal: Rate


def llmbar(rows: Iterable[tuple[int, int | None, int | None]]) -> LlmBar:
    """Count LLMBar verdicts.

    Args:
        rows: The label (1 or 2), and the winner (1 or 2, None without a verdict) as given and with places swapped,
            both in terms of the data set's outputs.
    """
    found = list(rows)
    n = len(found)
    given = sum(label == one for label, one, _ in found)
    swapped = sum(label == two for label, _, two in found)
    return LlmBar(
        as_given=rate(given, n),
        swapped=rate(swapped, n),
        average=(given + swapped) / (2 * n) if n else None,
        both=rate(sum(label == one == two for label, one, two in found), n),
        equal=rate(sum(one == two and one is not None for _, one, two in found), n),
    )


def majority(votes: Iterable[Vote], turn: int) -> dict[tuple[str, str, str], bool]:
    """Labels from people's votes: whether the first model (by name) wins; ties and even splits have none."""
    counts: dict[tuple[str, str, str], int] = {}
    for vote in votes:
        if vote.turn == turn and vote.winner != "tie":
            one, two = sorted((vote.model_a, vote.model_b))
            first = (vote.winner == "model_a") == (one == vote.model_a)
            key = (vote.sample, one, two)
            counts[key] = counts.get(key, 0) + (1 if first else -1)
    return {key: count > 0 for key, count in counts.items() if count}


def _sign(share: float) -> int:
    return (share > 0.5) - (share < 0.5)

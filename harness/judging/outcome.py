"""From an item's verdicts to its scores, by the judge's way of counting. Pure.

What has no readable verdict is the instrument's fault: its value is None with the cause, never a number.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from harness.judging import relative
from harness.judging.alpaca import DRAW
from harness.judging.build import Call, Case
from harness.judging.reading import on_scale, second_share
from harness.judging.suspicion import flags
from harness.types import Judge, Score, Verdict


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One question to the judge and what came of it.

    Attributes:
        call: The question.
        verdict: The verdict that counts; None where there is none.
        cause: Why the verdict is missing or unreadable; None where it was read.
        message: The same for people.
        ratings: Every rating that a file holds for it, as FastChat reads them: doubled ones, ones outside the scale;
            None for an unreadable one.
        others: Other verdicts that the reply also contains.
    """

    call: Call
    verdict: Verdict | None
    cause: str | None = None
    message: str = "no readable verdict"
    ratings: tuple[Any, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def parsed(self) -> Any:
        """What the verdict says; None where there is none."""
        return self.verdict.parsed if self.verdict is not None else None


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What the statistics need besides the scores: the expected items, why some are missing, who was cut off."""

    items: Sequence[str]
    attempts: int
    causes: Mapping[tuple[str, int], str]
    truncated: Collection[tuple[str, int]]
    slices_of: Mapping[str, Mapping[str, str]]


def scores(
    judge: Judge, case: Case, attempt: int, answered: Sequence[Answered], slices: Mapping[str, str]
) -> list[Score]:
    """The scores of one item.

    Args:
        judge: The declaration.
        case: The item.
        attempt: Which attempt at it.
        answered: The calls of `Material.calls`, in their order.
        slices: The item's slices.
    """
    common = {"sample": case.id, "attempt": attempt, "slices": dict(slices)}
    by_turn: dict[int, list[Answered]] = {turn: [] for turn in range(len(case.answers))}
    for one in answered:
        by_turn[one.call.turn].append(one)
    count = {
        "rating": _rating,
        "pairwise": _pairwise,
        "alpaca-eval": _preference,
        "relative": _relative,
    }[judge.aggregation]
    return [
        score
        for turn, ones in by_turn.items()
        for score in count(judge, case, turn, ones, {**common, "turn": turn, "detail": _detail(case, turn, ones)})
    ]


def _detail(case: Case, turn: int, answered: Sequence[Answered]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    flagged = flags(case.answers[turn])
    others = sorted({other for one in answered for other in one.others})
    if flagged:
        found["flags"] = flagged
    if others:
        found["other_verdicts"] = others
    missing = next((one for one in answered if one.cause), None)
    if missing is not None:
        found |= {"cause": missing.cause, "message": missing.message}
    return found


def _unscored(metric: str, common: Mapping[str, Any]) -> Score:
    return Score(metric=metric, value=None, reason="unscored", **common)


def _rating(judge: Judge, case: Case, turn: int, answered: Sequence[Answered], common: dict[str, Any]) -> list[Score]:
    [one] = answered
    ratings = list(one.ratings or (one.parsed,))
    valid = [float(rating) for rating in ratings if rating is not None and on_scale(rating, judge.scale)]
    common["detail"] |= {"ratings": ratings} if ratings != [one.parsed] else {}
    if not valid:
        return [_unscored("score", common)]
    return [
        Score(metric="score", value=math.fsum(valid) / len(valid), reason="ok", extracted=_shown(one.parsed), **common)
    ]


def _pairwise(judge: Judge, case: Case, turn: int, answered: Sequence[Answered], common: dict[str, Any]) -> list[Score]:
    if any(one.parsed is None for one in answered):
        return [_unscored("win", common)]
    shares = [_share(judge, one) for one in answered]
    # FastChat: a first game that is a tie, or two games that disagree, make the pair a tie.
    value = 0.5 if any(share != shares[0] for share in shares) else shares[0]
    common["detail"] |= {"games": shares}
    return [Score(metric="win", value=value, reason="ok", extracted=_labels(answered), **common)]


def _preference(
    judge: Judge, case: Case, turn: int, answered: Sequence[Answered], common: dict[str, Any]
) -> list[Score]:
    common["detail"] |= {"length": len(case.answers[turn]), "baseline_length": len(case.baseline[turn])}
    if not answered:
        common["detail"] |= {"preference": DRAW, "same": True}
        return [Score(metric="win", value=0.5, reason="ok", extracted="same output", **common)]
    if any(one.parsed is None for one in answered):
        return [_unscored("win", common)]
    shares = [_share(judge, one) for one in answered]
    value = math.fsum(shares) / len(shares)
    common["detail"] |= {"preference": 1 + value}
    return [Score(metric="win", value=value, reason="ok", extracted=_labels(answered), **common)]


def _relative(judge: Judge, case: Case, turn: int, answered: Sequence[Answered], common: dict[str, Any]) -> list[Score]:
    if any(one.parsed is None for one in answered):
        return [_unscored("score", common)]
    pairs = []
    for one in answered:
        first, second = one.parsed
        pairs.append((second, first) if one.call.candidate_second else (first, second))
    common["detail"] |= {"scores": [list(pair) for pair in pairs]}
    won = {"win": 1.0, "tie": 0.5, "lose": 0.0}[relative.outcome(pairs)]
    ours, theirs = (math.fsum(pair[side] for pair in pairs) / len(pairs) for side in (0, 1))
    shown = "; ".join(f"{pair[0]:g} : {pair[1]:g}" for pair in pairs)
    return [
        Score(metric="score", value=ours, reason="ok", extracted=shown, **common),
        Score(metric="reference_score", value=theirs, reason="ok", **common),
        Score(metric="win", value=won, reason="ok", **common),
    ]


def _share(judge: Judge, one: Answered) -> float:
    """How far a verdict is for the candidate, 0 to 1."""
    second = second_share(judge.reading, one.parsed)
    return second if one.call.candidate_second else 1 - second


def _labels(answered: Sequence[Answered]) -> str:
    return " ".join(_shown(one.parsed) or "" for one in answered)


def _shown(parsed: Any) -> str | None:
    return None if parsed is None else parsed if isinstance(parsed, str) else f"{parsed:g}"

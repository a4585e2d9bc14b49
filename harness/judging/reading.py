"""Reading verdicts: from a judge's own reply to what it decided, exactly as each protocol reads it. Pure.

Nothing but the reply is looked at, so nothing in an answer can be taken for a verdict unless the judge repeats it.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from harness.types import Reading

LONGEST = 200_000
"""Characters of a reply that are read; a verdict further on is none."""

_DRAW = 1.5


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What a reply says.

    Attributes:
        parsed: A rating (number), a label (text), two scores (list), or a preference from 1 to 2; None: unreadable.
        code: Why it is unreadable: ``no-verdict``, ``out-of-scale``, ``no-logprobs``; None where it was read.
        others: Other verdicts that the reply also contains; the protocol decided which counts.
    """

    parsed: Any = None
    code: str | None = None
    others: tuple[str, ...] = ()


def read(
    reading: Reading,
    reply: str,
    *,
    scale: tuple[float, float],
    top_logprobs: Mapping[str, float] | None = None,
) -> Read:
    """Read one reply.

    Args:
        reading: The judge's declaration.
        reply: The reply's answer, without reasoning.
        scale: Lowest and highest rating; a rating outside, but for 0, is no verdict.
        top_logprobs: Token -> log-probability at the first token, for ``token-logprobs``.
    """
    reply = reply[:LONGEST]
    if reading.reader == "rating":
        return _rating(reading, reply, scale)
    if reading.reader == "label":
        return _label(reading, reply)
    if reading.reader == "two-scores":
        scores = two_scores(reply)
        if scores is None:
            return Read(code="no-verdict")
        if not all(on_scale(score, scale) for score in scores):
            return Read(code="out-of-scale")
        return Read(parsed=list(scores))
    if reading.reader == "ranking":
        rank = ranking(reply, reading.model)
        return Read(code="no-verdict") if rank is None else Read(parsed=rank)
    if top_logprobs is None:
        return Read(code="no-logprobs")
    preference = token_preference(top_logprobs, *reading.tokens)
    return Read(code="no-verdict") if preference is None else Read(parsed=preference)


def rating(reply: str, patterns: tuple[str, ...]) -> int | float | None:
    """The number that FastChat reads: the first match of the first pattern that matches, unanchored.

    Source: lm-sys/FastChat@0e6d3e4 fastchat/llm_judge/common.py, single-answer grading. None stands for its -1.
    """
    for pattern in patterns:
        found = re.search(pattern, reply)
        if found:
            return _number(found[1])
    return None


def two_scores(review: str) -> tuple[float, float] | None:
    """The two numbers in a review's first line, as the first FastChat evaluation reads them; None stands for its -1s.

    Commas count as spaces, and exactly two numbers parted by one space are taken: "8, 9" is none, "8,9" is.
    Source: lm-sys/FastChat@69d085e fastchat/eval/eval_gpt_review.py.
    """
    parts = review.split("\n", 1)[0].replace(",", " ").split(" ")
    if len(parts) != 2:
        return None
    try:
        first, second = float(parts[0]), float(parts[1])
    except ValueError:
        return None
    return (first, second) if math.isfinite(first) and math.isfinite(second) else None


def ranking(reply: str, model: str) -> int | None:
    """The rank, 1 or 2, that a list of ``{"model": ..., "rank": ...}`` gives to ``model``.

    The list is a Python literal (`alpaca_eval_gpt4`), or the JSON arguments of a function call that hold one list.
    Source: tatsu-lab/alpaca_eval@cd543a1 completion_parsers.py, ranking_parser.
    """
    entries = _literal(reply.strip())
    if isinstance(entries, dict):
        lists = [value for value in entries.values() if isinstance(value, list | tuple)]
        entries = lists[0] if len(lists) == 1 else None
    if not isinstance(entries, list | tuple):
        return None
    for entry in entries:
        if not isinstance(entry, dict) or "model" not in entry:
            return None
        if entry["model"] == model:
            rank = entry.get("rank")
            return int(rank) if isinstance(rank, int | float) and rank in (1, 2) else None
    return None


def token_preference(logprobs: Mapping[str, float], first: str, second: str) -> float | None:
    """The preference, 1 (first) to 2 (second), by the probabilities of two tokens; None where neither is listed.

    ``2 - p(first) / (p(first) + p(second))``; a token that is not listed counts nothing.
    Source: tatsu-lab/alpaca_eval@cd543a1 completion_parsers.py, logprob_parser.
    """
    mass = {token: math.exp(logprobs[token]) for token in (first, second) if token in logprobs}
    total = math.fsum(mass.values())
    if not total > 0:
        return None
    return 2 - mass.get(first, 0.0) / total


def second_share(reading: Reading, parsed: Any) -> float:
    """How far a pair's verdict is for the answer shown second: 0, 1, 0.5 for a tie, or the preference's fraction."""
    if reading.reader == "label":
        return {"first": 0.0, "second": 1.0, "tie": 0.5}[reading.labels[parsed]]
    if reading.reader == "two-scores":
        first, second = parsed
        return 0.5 if first == second else float(second > first)
    # AlpacaEval's older files write a draw as 0.
    preference = _DRAW if parsed == 0 else float(parsed)
    return preference - 1


def _rating(reading: Reading, reply: str, scale: tuple[float, float]) -> Read:
    value = rating(reply, reading.patterns)
    if value is None:
        return Read(code="no-verdict")
    pattern = next(one for one in reading.patterns if re.search(one, reply))
    others = {found[1] for found in re.finditer(pattern, reply) if _number(found[1]) != value}
    if not on_scale(value, scale):
        return Read(code="out-of-scale", others=tuple(sorted(others)))
    return Read(parsed=value, others=tuple(sorted(others)))


def on_scale(score: float, scale: tuple[float, float]) -> bool:
    """Whether a score counts; a zero is what judges write for no answer at all, and FastChat counts it."""
    return min(scale[0], 0.0) <= score <= scale[1]


def _label(reading: Reading, reply: str) -> Read:
    found = [label for label in reading.labels if label in reply]
    if not found:
        return Read(code="no-verdict")
    return Read(parsed=found[0], others=tuple(found[1:]))


def _number(text: str) -> int | float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    return int(value) if text.isdecimal() else value


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

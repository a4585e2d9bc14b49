"""Answers that look like attacks on the judge: flagged for people, never scored otherwise. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from harness.types import Score

_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "verdict": re.compile(r"\[\[\s*(?:\d+(?:\.\d+)?|[ABC]|rating)\s*(?:/\s*10)?\]\]|'rank'\s*:\s*[12]"),
    "delimiter": re.compile(
        r"\[The (?:Start|End) of |<\|The (?:Start|End) of |\[System\]|\[Instruction\]|<\|im_(?:start|end)\|>"
        r"|\"model_identifier\"\s*:|## Model Outputs|## Best Model Identifier"
    ),
    "placeholder": re.compile(r"\{(?:output_[12]|answer(?:_[ab12])*|instruction|question(?:_\d)?|ref_answer_\d)\}"),
    "instruction": re.compile(
        r"(?:ignore|disregard|forget)\s+(?:all\s+|any\s+|the\s+)*(?:previous|prior|above|earlier)"
        r"|(?:dear|attention|note to|message (?:to|for)|as)\s+(?:the\s+|an?\s+)?(?:impartial\s+)?"
        r"(?:judge|evaluator|grader)"
        r"|(?:rate|score|give|grade)\s+(?:this|my)\s+(?:answer|response|output)"
        r"|(?:assistant [AB12]|model_[12]|model m)\s+(?:is|should be)\s+(?:the\s+)?(?:better|best|winner)",
        re.IGNORECASE,
    ),
}
_SEARCHED = 100_000
_SHOWN = 8
CONSTANT_AT = 5
"""So many items with one and the same answer make a model suspicious (the NullModel that topped a leaderboard)."""


def flags(answer: str) -> list[str]:
    """What about one answer looks like an attack: ``verdict``, ``delimiter``, ``placeholder``, ``instruction``.

    A flag is a reason to look, no proof: a good answer about prompts holds such texts, too.
    """
    head = answer[:_SEARCHED]
    return [name for name, pattern in _PATTERNS.items() if pattern.search(head)]


def constant(answers: Iterable[str]) -> tuple[str, int] | None:
    """The answer that a model gave to suspiciously many items, and to how many; None where there is none."""
    counts = Counter(answer for answer in answers if answer.strip())
    if not counts:
        return None
    answer, times = counts.most_common(1)[0]
    return (answer, times) if times >= max(CONSTANT_AT, 0.2 * counts.total()) else None


def warnings(rows: Iterable[Score], answers: Iterable[str]) -> list[str]:
    """What a person should look at before believing a judged number, a sentence each.

    Args:
        rows: The run's scores, with what the judge flagged in their details.
        answers: The candidate's answers to every item's first turn.
    """
    flagged: dict[str, list[str]] = {}
    several: list[str] = []
    for row in rows:
        for flag in row.detail.get("flags", ()):
            flagged.setdefault(flag, []).append(row.sample)
        if row.detail.get("other_verdicts"):
            several.append(row.sample)
    found = [
        f"answers to {len(set(items))} items hold what looks like an attack on the judge ({flag}): {_some(items)}"
        for flag, items in sorted(flagged.items())
    ]
    if several:
        found.append(
            f"replies on {len(set(several))} items hold several verdicts, of which the protocol chose: {_some(several)}"
        )
    same = constant(answers)
    if same is not None:
        answer, times = same
        found.append(f"{times} items have one and the same answer ({answer[:40]!r}); no verdict on it means anything")
    return found


def _some(items: Sequence[str]) -> str:
    unique = list(dict.fromkeys(items))
    return ", ".join(unique[:_SHOWN]) + (", ..." if len(unique) > _SHOWN else "")

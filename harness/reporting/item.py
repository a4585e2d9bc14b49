"""One item of a cell in full: what was asked, what came back, and what became of it (`harness show RUN ITEM`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from harness.errors import UsageError
from harness.plain import plain
from harness.reporting.comparison import CellReader
from harness.spelling import nearest
from harness.types import Completion, ErrorRecord, Fact, Score

_LONGEST: Final = 20_000
"""Characters of one text, at most; the files have the whole."""


class Item(Fact, frozen=True, kw_only=True):
    """Everything that a cell knows of one sample.

    Attributes:
        model: Who was asked.
        task: By which task.
        sample: The sample's id.
        tests: What the answers are tested by, in words or code; None where that is not known.
        score_id: The scoring of ``scores``; None where there is none.
        completions: By attempt and turn.
        scores: By attempt, turn and metric.
        errors: Oldest first.
    """

    model: str
    task: str
    sample: str
    tests: str | None = None
    score_id: str | None
    completions: tuple[Completion, ...]
    scores: tuple[Score, ...]
    errors: tuple[ErrorRecord, ...]


def find_item(
    cell: CellReader,
    sample: str,
    *,
    score_id: str | None = None,
    attempt: int | None = None,
    tests: str | None = None,
) -> Item:
    """Collect everything that is known of one sample.

    Each attempt is followed by its verdicts; a prompt that is the same again is not repeated.

    Args:
        cell: The cell.
        sample: The sample's id.
        score_id: Which scoring's verdicts to take (its first characters suffice); None: the newest.
        attempt: Only this one.
        tests: What the answers are tested by, in words or code.

    Raises:
        UsageError: The cell knows no such item (the message names the nearest), or has no such scoring.
        StoreError: The cell cannot be read.
    """
    ids: dict[str, None] = {}
    completions = []
    for completion in cell.completions():
        ids[completion.sample] = None
        if completion.sample == sample:
            completions.append(completion)
    errors = [error for error in cell.errors() if error.sample == sample]
    chosen = _scoring(cell, score_id)
    scores = [score for score in cell.scores(chosen) if score.sample == sample] if chosen else []
    if not (completions or errors or scores):
        near = nearest(sample, ids)
        remedy = f"did you mean {plain(near)}?" if near else f"it has {len(ids)} items with an answer"
        raise UsageError(f"the cell has no item {plain(sample)!r}", remedy)
    if attempt is not None:
        keys: list[Completion | Score | ErrorRecord] = [*completions, *scores, *errors]
        attempts = sorted({one.attempt for one in keys})
        if attempt not in attempts:
            known = f"{attempts[0]} to {attempts[-1]}" if len(attempts) > 1 else f"{attempts[0]}"
            raise UsageError(f"{plain(sample)} has no attempt {attempt}", f"it has: {known}")
        completions = [one for one in completions if one.attempt == attempt]
        scores = [one for one in scores if one.attempt == attempt]
        errors = [one for one in errors if one.attempt == attempt]
    return Item(
        model=cell.manifest.model.name,
        task=cell.manifest.task.name,
        sample=sample,
        tests=tests,
        score_id=chosen,
        completions=tuple(sorted(completions, key=lambda one: (one.attempt, one.turn))),
        scores=tuple(sorted(scores, key=lambda one: (one.attempt, one.turn, one.metric))),
        errors=tuple(errors),
    )


def show_item(item: Item) -> list[str]:
    """Tell an item line by line, without line ends, safe for a terminal.

    Each attempt is followed by its verdicts; a prompt that is the same again is not repeated.
    """
    head = plain(f"{item.model}  {item.task}  {item.sample}")
    lines = [head, "=" * min(len(head), 100)]
    if item.tests is not None:
        lines += [*_block("Tests", item.tests), ""]
    asked: set[str] = set()
    keys: list[Completion | Score | ErrorRecord] = [*item.completions, *item.scores, *item.errors]
    for attempt in sorted({one.attempt for one in keys}):
        for completion in (one for one in item.completions if one.attempt == attempt):
            lines += _completion(completion, again=completion.prompt_sha256 in asked)
            asked.add(completion.prompt_sha256)
        for score in (one for one in item.scores if one.attempt == attempt):
            lines += _score(score, item.score_id or "")
        for error in (one for one in item.errors if one.attempt == attempt):
            lines += _error(error)
    return lines


def _scoring(cell: CellReader, wanted: str | None) -> str | None:
    scorings = list(cell.scorings())
    if wanted is not None:
        meant = [score_id for score_id in scorings if wanted and score_id.startswith(wanted)]
        if len(meant) == 1:
            return meant[0]
        known = ", ".join(score_id[:8] for score_id in meant or scorings) or "none"
        what = "several scorings" if meant else "no scoring"
        raise UsageError(f"the cell has {what} {plain(wanted)!r}", f"it has: {known}")
    finished = [score_id for score_id in scorings if any(True for _ in cell.estimates(score_id))]
    candidates = finished or scorings
    return max(candidates, key=lambda score_id: (cell.scoring(score_id).created, score_id)) if candidates else None


def _completion(completion: Completion, *, again: bool) -> Iterator[str]:
    yield f"Attempt {completion.attempt}, turn {completion.turn}" + (" (the same prompt)" if again else "")
    if not again:
        yield from _asked(completion)
    if completion.reasoning is not None:
        yield from _block("Reasoning", completion.reasoning)
    yield from _block(f"Completion ({completion.stage})", completion.text)
    if completion.logprobs is not None:
        found = completion.logprobs
        yield f"  log-likelihood {found.total:.4f} over {found.tokens} tokens{', greedy' if found.greedy else ''}"
    facts = {
        "finish": completion.finish_reason,
        "prompt tokens": completion.prompt_tokens,
        "completion tokens": completion.completion_tokens,
        "max tokens": completion.max_tokens,
        "seed": completion.seed,
        "seconds": round(completion.seconds, 3),
        "tries": completion.tries,
        "started": completion.started or None,
    }
    told = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
    yield plain(f"  {told}")
    yield ""


def _asked(completion: Completion) -> Iterator[str]:
    for message in completion.messages or ():
        yield from _block(f"Message ({message.role})", message.content)
    if completion.prompt is not None:
        yield from _block("Prompt", completion.prompt)


def _score(score: Score, score_id: str) -> Iterator[str]:
    value = "unscored" if score.value is None else f"{score.value:g}"
    yield plain(
        f"Verdict on attempt {score.attempt}, turn {score.turn}: {score.metric} = {value} ({score.reason})"
        f", scoring {score_id[:8]}"
    )
    if score.extracted is not None:
        yield from _block("Extracted", score.extracted)
    if score.expected is not None:
        yield from _block("Expected", score.expected)
    for name, told in sorted(score.slices.items()):
        yield plain(f"  slice {name}: {told}")
    for name, told in score.detail.items():
        shown = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False, default=str)
        if shown and told is not None:
            yield from _named(name, shown)
    yield ""


def _error(error: ErrorRecord) -> Iterator[str]:
    yield plain(
        f"Error on attempt {error.attempt}, turn {error.turn}: {error.where}/{error.code} after {error.tries} tries"
        + (f" at {error.at}" if error.at else "")
    )
    yield from _block("Message", error.message)
    yield ""


def _named(name: str, content: str) -> Iterator[str]:
    """A named text, on one line where it has only one."""
    if "\n" in content:
        yield from _block(name, content)
    else:
        yield f"  {plain(name)}: {_shortened(plain(content))}"


def _shortened(content: str) -> str:
    left = len(content) - _LONGEST
    return (
        content if left <= 0 else f"{content[:_LONGEST]} ... and {left:,} more characters, which the run's files have"
    )


def _block(name: str, content: str) -> Iterator[str]:
    """A named text of many lines, each marked, so that no text can pose as a line of ours."""
    yield f"  {plain(name)}:"
    for line in _shortened(plain(content, lines=True)).split("\n"):
        yield f"  | {line}".rstrip()

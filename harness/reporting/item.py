"""One item of a cell in full: what was asked, what came back, and what became of it (`harness show RUN ITEM`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from harness.errors import UsageError
from harness.plain import plain
from harness.reporting.comparison import CellReader
from harness.spelling import nearest
from harness.types import Completion, ErrorRecord, Score

_LONGEST: Final = 20_000
"""Characters of one text, at most; the files have the whole."""


def show_item(
    cell: CellReader,
    sample: str,
    *,
    score_id: str | None = None,
    attempt: int | None = None,
    tests: str | None = None,
) -> list[str]:
    """Tell everything that is known of one sample, line by line, safe for a terminal.

    Each attempt is followed by its verdicts; a prompt that is the same again is not repeated.

    Args:
        cell: The cell.
        sample: The sample's id.
        score_id: Which scoring's verdicts to show (its first characters suffice); None: the newest.
        attempt: Only this one.
        tests: What the answers are tested by, in words or code.

    Returns:
        Lines without line ends.

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
    keys: list[Completion | Score | ErrorRecord] = [*completions, *scores, *errors]
    attempts = sorted({one.attempt for one in keys})
    if attempt is not None:
        if attempt not in attempts:
            raise UsageError(f"{plain(sample)} has no attempt {attempt}", f"it has: {_ranges(attempts)}")
        attempts = [attempt]
    manifest = cell.manifest
    head = f"{manifest.model.name}  {manifest.task.name}  {sample}"
    lines = [plain(head), "=" * min(len(plain(head)), 100)]
    if tests is not None:
        lines += [*_block("Tests", tests), ""]
    asked: set[str] = set()
    for number in attempts:
        for completion in sorted((one for one in completions if one.attempt == number), key=lambda one: one.turn):
            lines += _completion(completion, again=completion.prompt_sha256 in asked)
            asked.add(completion.prompt_sha256)
        mine = [score for score in scores if score.attempt == number]
        for score in sorted(mine, key=lambda one: (one.turn, one.metric)):
            lines += _score(score, chosen or "")
        for error in errors:
            if error.attempt == number:
                lines += _error(error)
    return lines


def _ranges(numbers: list[int]) -> str:
    return f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"


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
        if shown:
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

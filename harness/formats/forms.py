"""One reader per form of file: rows in, completions and what to announce about them out."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

import msgspec

from harness.errors import DataError
from harness.formats.fastchat import review_id, review_question
from harness.formats.reading import Reading, guess
from harness.formats.replay import ReplayRow
from harness.formats.rows import Row, kind
from harness.types import LogProbs, Stage

_STAGES: tuple[Stage, ...] = get_args(Stage)


def harness_cell(rows: list[Row], stage: Stage | None) -> Reading:
    """Read a cell's journal; its lines declare their stage."""
    reading = Reading()
    for row in rows:
        logprobs = row.fields.get("logprobs")
        try:
            likelihood = msgspec.convert(logprobs, LogProbs | None)
        except msgspec.ValidationError as error:
            row.fail(f"'logprobs' is not readable ({error})")
        reading.add(
            row,
            ReplayRow(
                sample=row.key("sample"),
                attempt=row.number("attempt", 0) or 0,
                turn=row.number("turn", 0) or 0,
                text=row.text("text"),
                reasoning=row.optional_text("reasoning"),
                stage=stage or _declared_stage(row) or "reply",
                finish_reason=row.optional_text("finish_reason"),
                prompt_tokens=row.number("prompt_tokens", None),
                completion_tokens=row.number("completion_tokens", None),
                max_tokens=row.number("max_tokens", None),
                logprobs=likelihood,
            ),
        )
    return reading


def plain(rows: list[Row], stage: Stage | None) -> Reading:
    """Read plain lines; rows without ``attempt`` are numbered by repetition of their sample and turn."""
    reading = Reading()
    repeats: Counter[tuple[str, int]] = Counter()
    guessed = False
    for row in rows:
        sample, turn = row.key("sample"), row.number("turn", 0) or 0
        attempt = row.number("attempt", None)
        if attempt is None:
            attempt = repeats[sample, turn]
            repeats[sample, turn] += 1
        declared = stage or _declared_stage(row)
        guessed = guessed or declared is None
        reading.add(
            row,
            ReplayRow(
                sample=sample,
                attempt=attempt,
                turn=turn,
                text=row.text("text"),
                reasoning=row.optional_text("reasoning"),
                stage=declared or "reply",
            ),
        )
    if guessed:
        reading.notes.append(guess("plain lines", "reply", "raw replies, so the task's extraction applies"))
    return reading


def fastchat(rows: list[Row], stage: Stage | None) -> Reading:
    """Read FastChat's ``model_answer``: each choice is an attempt, each of its turns a turn."""
    reading = Reading(model=_single(rows, "model_id"))
    for row in rows:
        sample = row.key("question_id")
        choices = row.fields.get("choices")
        if not isinstance(choices, list) or not choices:
            row.fail(f"'choices' is {kind(choices)}, not a list of choices")
        for position, choice in enumerate(choices):
            if not isinstance(choice, dict):
                row.fail(f"choice {position} is {kind(choice)}, not an object")
            attempt = Row(f"{row.place}, choice {position}", choice).number("index", position)
            for turn, text in enumerate(_turns(row, position, choice)):
                reading.add(
                    row,
                    ReplayRow(sample=sample, attempt=attempt or 0, turn=turn, text=text, stage=stage or "reply"),
                )
    if stage is None:
        reading.notes.append(guess("FastChat answers", "reply", "raw replies"))
    return reading


def alpaca_eval(rows: list[Row], stage: Stage | None) -> Reading:
    """Read AlpacaEval's ``model_outputs``: it has no ids, so a row answers the data set's row of the same number.

    Of its annotations the model's side is read (``output_2``).
    """
    annotated = "output_2" in rows[0].fields
    reading = Reading(model=_single(rows, "generator_2" if annotated else "generator"))
    for number, row in enumerate(rows):
        reading.add(
            row,
            ReplayRow(
                sample=str(number),
                attempt=0,
                turn=0,
                text=row.text("output_2" if annotated else "output"),
                stage=stage or "reply",
                asked=row.text("instruction"),
            ),
        )
    reading.notes.append(f"AlpacaEval outputs have no ids: its {len(rows)} rows answer rows 0 to {len(rows) - 1}")
    if stage is None:
        reading.notes.append(guess("AlpacaEval outputs", "reply", "raw replies"))
    return reading


def reviews(rows: list[Row], stage: Stage | None) -> Reading:
    """Read reviews in both orders for the answers that they hold; the first is the candidate's."""
    reading = Reading()
    for number, row in enumerate(rows):
        reading.add(
            row,
            ReplayRow(
                sample=review_id(row, number),
                attempt=0,
                turn=0,
                text=row.text("Answer1"),
                stage=stage or "reply",
                asked=review_question(row),
            ),
        )
    reading.notes.append("of its reviews Answer1 is the candidate's, Answer2 the baseline's")
    return reading


def lm_eval(rows: list[Row], stage: Stage | None) -> Reading:
    """Read lm-eval's logged samples: ``resps`` are the attempts of a document.

    ``doc_id`` is a document's place in the data set; where its record (``doc``) has a ``task_id``, that is its name.
    lm-eval writes a document once per filter (gsm8k has two), each time with the same raw responses; they count once.
    """
    reading = Reading()
    first: dict[str, tuple[object, list[str]]] = {}
    attempts: Counter[str] = Counter()
    repeated = 0
    for row in rows:
        sample, texts, filter_ = _document(row), _responses(row), row.fields.get("filter")
        known = first.setdefault(sample, (filter_, texts))
        if known[0] != filter_:
            if known[1] != texts:
                row.fail(f"document {sample} has other responses under filter {filter_!r} than under {known[0]!r}")
            repeated += 1
            continue
        for text in texts:
            reading.add(
                row,
                ReplayRow(sample=sample, attempt=attempts[sample], turn=0, text=text, stage=stage or "reply"),
            )
            attempts[sample] += 1
    if repeated:
        reading.notes.append(f"{repeated} rows repeat a document under another filter; each document is read once")
    if stage is None:
        reading.notes.append(guess("lm-eval samples", "reply", "raw responses, before lm-eval's filters"))
    return reading


def _document(row: Row) -> str:
    record = row.fields.get("doc")
    name = record.get("task_id") if isinstance(record, dict) else None
    return str(name) if isinstance(name, str | int) and not isinstance(name, bool) and name != "" else row.key("doc_id")


def _declared_stage(row: Row) -> Stage | None:
    declared = row.optional_text("stage")
    if declared is None:
        return None
    for stage in _STAGES:
        if declared == stage:
            return stage
    return row.fail(f"stage {declared!r} is none of {', '.join(_STAGES)}")


def _turns(row: Row, position: int, choice: dict[str, Any]) -> list[str]:
    turns = choice.get("turns")
    if isinstance(turns, str):  # single-turn files of older FastChat versions
        return [turns]
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, str) for turn in turns):
        row.fail(f"choice {position} has no list of texts under 'turns'")
    return turns


def _responses(row: Row) -> list[str]:
    """The texts in ``resps``: a list per request, each with its repetitions; older files have the texts directly."""
    responses = row.fields["resps"] if "resps" in row.fields else row.fail("no 'resps'")
    if not isinstance(responses, list):
        row.fail(f"'resps' is {kind(responses)}, not a list")
    flat = [text for one in responses for text in (one if isinstance(one, list) else [one])]
    if not flat:
        row.fail("'resps' is empty")
    for text in flat:
        if isinstance(text, list):
            row.fail("'resps' holds log-likelihoods, not texts", "only generated text can be replayed from lm-eval")
        if not isinstance(text, str):
            row.fail(f"'resps' holds {kind(text)}, not texts")
    return flat


def _single(rows: list[Row], key: str) -> str | None:
    """The one string that all rows have under ``key``; None where they differ (two models in one file is an error)."""
    names = {name for row in rows if isinstance(name := row.fields.get(key), str)}
    if len(names) > 1:
        shown = ", ".join(sorted(names)[:4])
        raise DataError(
            f"{rows[0].place.rsplit(':', 1)[0]}: answers of {len(names)} models in one file ({key}: {shown})",
            "split the file: one model each",
            code="models",
        )
    return names.pop() if names else None

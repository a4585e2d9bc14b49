"""AlpacaEval's files: annotations are read; outputs, annotations and leaderboard rows are written.

Source: tatsu-lab/alpaca_eval@cd543a1 (``results/MODEL/model_outputs.json`` and ``ANNOTATOR/annotations.json``,
``leaderboards/data_AlpacaEval*/*_leaderboard.csv``).
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import DataError
from harness.formats.rows import Row, read_rows
from harness.formats.writing import write_text


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """One row of an annotations file.

    Attributes:
        instruction: What was asked.
        baseline: The reference's output (``output_1``).
        output: The model's (``output_2``).
        preference: 1 baseline, 2 model, 1.5 (0 in older files) a draw; None where it could not be read.
        annotator: Who judged.
        model: ``generator_2``.
        reply: The judge's text, where the file has it.
        top_logprobs: Token -> log-probability of the reply's first token, where the file has it.
    """

    instruction: str
    baseline: str
    output: str
    preference: float | None
    annotator: str = ""
    model: str = ""
    reply: str = ""
    top_logprobs: Mapping[str, float] | None = None


def read_annotations(path: Path) -> list[Annotation]:
    """Read an annotations file, plain or gzipped, in its order.

    Raises:
        DataError: The file cannot be read, or a row is no annotation.
    """
    return [_annotation(row) for row in read_rows(path)]


def read_leaderboard(path: Path) -> dict[str, dict[str, str]]:
    """Read a leaderboard: model -> its row, as text.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: no leaderboard can be read from it ({error})", code="unreadable") from error
    return {row[""]: row for row in rows if row.get("")}


def output_rows(model: str, answers: Iterable[tuple[str, str, str]]) -> list[dict[str, str]]:
    """Rows of a ``model_outputs.json``: instruction, data set of origin and output of every item."""
    return [
        {"dataset": dataset, "instruction": instruction, "output": output, "generator": model}
        for instruction, dataset, output in answers
    ]


def annotation_row(one: Annotation, *, baseline_model: str, dataset: str, usd: float | None) -> dict[str, Any]:
    """A row of an ``annotations.json``."""
    row: dict[str, Any] = {
        "instruction": one.instruction,
        "output_1": one.baseline,
        "generator_1": baseline_model,
        "dataset": dataset,
        "output_2": one.output,
        "generator_2": one.model,
        "annotator": one.annotator,
        "preference": one.preference,
        "price_per_example": usd,
    }
    if one.top_logprobs is not None:
        listed = [{"token": token, "logprob": value} for token, value in one.top_logprobs.items()]
        row["raw_completion"] = {"logprobs": {"content": [{"top_logprobs": listed}]}, "text": one.reply}
    return row


def leaderboard(rows: Mapping[str, Mapping[str, Any]], columns: Sequence[str]) -> str:
    """A leaderboard's CSV text: the first column, without a name, is the model.

    Args:
        rows: Model -> column -> value; None is an empty cell.
        columns: In the order of AlpacaEval's file.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["", *columns])
    for model, row in rows.items():
        writer.writerow([model, *("" if row.get(name) is None else row[name] for name in columns)])
    return stream.getvalue()


def write_json(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a list of rows as AlpacaEval does, whole or not at all.

    Raises:
        DataError: The file cannot be written.
    """
    write_text(path, json.dumps(list(rows), indent=2))


def _annotation(row: Row) -> Annotation:
    preference = row.fields.get("preference")
    if preference is not None and (isinstance(preference, bool) or not isinstance(preference, int | float)):
        row.fail("'preference' is no number")
    if preference is not None and math.isnan(preference):
        preference = None
    raw = row.fields.get("raw_completion", row.fields.get("preference_raw_completion"))
    return Annotation(
        instruction=row.text("instruction"),
        baseline=row.text("output_1"),
        output=row.text("output_2"),
        preference=preference,
        annotator=str(row.fields.get("annotator", "")),
        model=str(row.fields.get("generator_2", "")),
        reply=_reply(raw),
        top_logprobs=_top_logprobs(raw),
    )


def _reply(raw: Any) -> str:
    if isinstance(raw, str):
        return raw
    text = raw.get("text") if isinstance(raw, dict) else None
    return text if isinstance(text, str) else ""


def _top_logprobs(raw: Any) -> dict[str, float] | None:
    try:
        listed = raw["logprobs"]["content"][0]["top_logprobs"]
        return {one["token"]: float(one["logprob"]) for one in listed}
    except (KeyError, IndexError, TypeError, ValueError):
        return None

"""The comparison as data: CSV for spreadsheets, JSON for scripts. Rates stay between 0 and 1."""

from __future__ import annotations

import csv
import io
import json

import msgspec

from harness.reporting import text, words
from harness.reporting.comparison import Comparison

FORMAT = 1
"""Of comparison.json; raised when a key changes its meaning."""

_COLUMNS = (
    "model", "task", "name", "metric", "slice", "value", "low", "high", "confidence", "method", "n", "items", "total",
    "attempts", "unscored", "unscored_causes", "bounds_low", "bounds_high", "no_answer", "truncated", "state", "marks",
    "published", "difference", "inside", "published_source", "sandbox", "ask_id", "score_id", "cell",
)  # fmt: skip


def as_csv(comparison: Comparison) -> str:
    """Write one line per number (the first published number beside it; all are in the JSON).

    An absent number is an empty field. Text that a spreadsheet would run as a formula begins with an apostrophe.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in comparison.rows:
        origin = comparison.origins[row.origin]
        published = row.published[0] if row.published else None
        safe = text.csv_cell
        writer.writerow(
            [
                safe(row.model), safe(row.task), safe(row.name), safe(row.metric), safe(words.part(row)),
                row.value, row.low, row.high, row.confidence, safe(row.method), row.n, row.items, row.total,
                row.attempts, sum(row.unscored.values()),
                safe("; ".join(f"{cause}: {count}" for cause, count in row.unscored.items())),
                row.bounds.low if row.bounds else None, row.bounds.high if row.bounds else None,
                row.no_answer, row.truncated, row.state, safe("; ".join(row.marks)),
                published.value if published else None, published.difference if published else None,
                published.inside if published else None, safe(published.source) if published else None,
                safe(row.sandbox or ""), origin.ask_id, origin.score_id, safe(origin.path),
            ]
        )  # fmt: skip
    return stream.getvalue()


def as_json(comparison: Comparison) -> str:
    """Write everything, names as they are; ASCII, so that no reader of a log or a page can be misled by it."""
    document = {"format": FORMAT, **msgspec.to_builtins(comparison)}
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"

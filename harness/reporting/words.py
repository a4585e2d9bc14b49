"""The cells of a table as words, the same in every report; nothing here is escaped for its medium yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.plain import plain
from harness.reporting import text
from harness.reporting.comparison import Comparison, Origin, Row

METHODS: Mapping[str, str] = {
    "wilson": "Wilson score interval",
    "bootstrap": "percentile bootstrap over problems",
    "t-clustered": "t interval, errors clustered by sample",
    "none": "nothing scored",
}

READING = (
    "Rows of one task stand in the order of what they would be if all that is unscored were wrong. "
    "Unscored items are failures of the instrument, never of the model; they are in no mean."
)


def value(row: Row) -> str:
    """The number itself."""
    return text.number(row.value, rate=row.rate)


def interval(row: Row) -> str:
    """Both ends."""
    return text.interval(row.low, row.high, rate=row.rate)


def unscored(row: Row) -> str:
    """How many items have no score, why, and what that could change."""
    told = text.unscored(row.unscored)
    if row.bounds is None:
        return told
    if not row.unscored:  # every item has enough scored attempts, yet not all of them
        told = "0 items, some attempts"
    return f"{told}; {text.bounds(row.bounds, rate=row.rate)} if all wrong or right"


def published(row: Row) -> list[str]:
    """Each published number with its difference and the number of its source."""
    told = []
    for entry in row.published:
        if entry.difference is None:
            verdict = f"not comparable: {plain(entry.incomparable)}"
        else:
            where = "inside" if entry.inside else "outside"
            verdict = f"{text.difference(entry.difference, rate=row.rate)}, {where} the interval"
        told.append(f"{text.number(entry.value, rate=row.rate)} ({verdict}) [{entry.reference}]")
    return told


def state(row: Row) -> str:
    """Whether the number is the whole of it."""
    return ", ".join(plain(mark) for mark in row.marks) or "complete"


def part(row: Row) -> str:
    """The slice, as ``level = 5``."""
    return ", ".join(f"{plain(field)} = {plain(of)}" for field, of in (row.slice or {}).items())


def sources(comparison: Comparison) -> list[str]:
    """Where published numbers come from, in the order of their reference numbers."""
    return [f"{plain(source)}. {plain(note)}" if note else plain(source) for source, note in comparison.sources]


def unanswered(rows: Sequence[Row]) -> str:
    """How many attempts held no answer: they count as wrong, and are told apart from it."""
    counts = {(row.model, row.name): row.no_answer for row in rows if row.no_answer}
    told = [f"{count} of {plain(model)} on {plain(name)}" for (model, name), count in counts.items()]
    return f"Counted as wrong for want of an answer in the required form: {', '.join(told)}." if told else ""


def methods(rows: Sequence[Row]) -> str:
    """How the intervals shown were made."""
    used = dict.fromkeys((row.confidence, row.method) for row in rows if row.method != "none")
    told = [f"{100 * level:g} % {METHODS.get(method, method)}" for level, method in sorted(used)]
    return f"Intervals: {'; '.join(told)}." if told else ""


def origin(facts: Origin) -> list[tuple[str, str]]:
    """How a number was made, as names and values."""
    sampling = ", ".join(f"{key} {_plain_value(of)}" for key, of in facts.sampling.items())
    lines = [
        ("Model", f"{facts.model} (identity: {facts.identity}{f', {facts.weights}' if facts.weights else ''})"),
        ("Task", f"{facts.task}, version {facts.version}"),
        ("Cell", facts.path),
        ("Asking", f"ask_id {facts.ask_id}"),
        ("Scoring", f"score_id {facts.score_id}" + (f", {facts.others} other in this cell" if facts.others else "")),
        ("Scorer", facts.scorer or "not recorded"),
        ("Data", "; ".join(f"{name}, {records} records, sha256 {sha}" for name, sha, records in facts.datasets)),
        ("Sampling", f"{sampling}, seed {facts.seed}"),
        ("Chat format", facts.chat_format or "the engine's own"),
        ("Engine", facts.engine or "not recorded"),
        ("Sandbox", facts.sandbox or "nothing was executed"),
        (
            "State",
            f"{facts.state}, {facts.expected} attempts expected" + (f", limit {facts.limit}" if facts.limit else ""),
        ),
        ("Harness", facts.harness or "not recorded"),
        ("Scored", facts.scored or "not recorded"),
    ]
    return [(name, plain(told)) for name, told in lines]


def _plain_value(of: object) -> str:
    return ", ".join(repr(one) for one in of) if isinstance(of, (list, tuple)) else str(of)

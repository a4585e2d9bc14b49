"""The comparison in GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.reporting import text, words
from harness.reporting.comparison import Comparison, Row

_HEAD = (
    "Model", "Task", "Metric", "Value", "Interval", "n", "Unscored", "No answer", "Truncated", "Published", "State",
    "Sandbox",
)  # fmt: skip
_RIGHT = frozenset({"Value", "n", "No answer", "Truncated"})


def markdown(comparison: Comparison) -> str:
    """Write the tables, the sources and how each number was made; text of any origin in it is literal."""
    literal = text.markdown_cell
    blocks = [f"# {literal(comparison.title)}"]
    if comparison.caption:
        blocks.append(literal(comparison.caption))
    blocks.append(_table(_HEAD, map(_cells, comparison.overall)) if comparison.overall else "Nothing scored yet.")
    blocks += [
        told for told in (words.methods(comparison.overall), words.READING if comparison.overall else "") if told
    ]
    blocks += [f"Note: {literal(note)}" for note in comparison.notes]
    if comparison.sources:
        blocks.append("## Sources of published numbers")
        blocks.append("\n".join(f"{i}. {literal(told)}" for i, told in enumerate(words.sources(comparison), 1)))
    if comparison.sliced:
        blocks.append("## By slice")
        head = ("Slice", *_HEAD[:8])
        blocks.append(_table(head, ((literal(words.part(row)), *_cells(row)[:8]) for row in comparison.sliced)))
    if comparison.origins:
        blocks.append("## How each number was made")
    for origin in comparison.origins:
        facts = words.origin(origin)
        blocks.append(f"### {literal(origin.model)}: {literal(origin.path)}")
        blocks.append("\n".join(f"- {name}: {literal(told)}" for name, told in facts))
    return "\n\n".join(blocks) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    literal = text.markdown_cell
    return (
        literal(row.model),
        literal(row.name),
        literal(row.metric),
        words.value(row),
        words.interval(row),
        str(row.n),
        literal(words.unscored(row)),
        str(row.no_answer),
        str(row.truncated),
        literal("; ".join(words.published(row)) or text.NOTHING),
        literal(words.state(row)),
        literal(row.sandbox or text.NOTHING),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---:" if name in _RIGHT else "---" for name in head]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows])

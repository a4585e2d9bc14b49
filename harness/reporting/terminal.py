"""The table at the end of a run: a rich one on a terminal, blocks on a narrow one, plain columns in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plain import plain
from harness.reporting import text, words
from harness.reporting.comparison import Comparison, Row

if TYPE_CHECKING:
    from rich.console import Console

NARROW = 110
"""Columns below which a terminal gets one block a row instead of a table."""

_HEAD = ("Model", "Task", "Metric", "Value", "Interval", "n", "Unscored", "Published", "State", "Sandbox")
_RIGHT = frozenset({"Value", "n"})


def terminal(comparison: Comparison, console: Console) -> None:
    """Print the comparison's rows over all items, with the sources of published numbers.

    Nothing in a name or a note is read as markup, and no control character of theirs reaches the terminal.

    Args:
        comparison: What to print.
        console: Where to; its width and whether it is a terminal decide the form.
    """
    from rich.text import Text

    def line(told: str, style: str = "") -> None:
        console.print(Text(told, style=style), soft_wrap=True, highlight=False)

    rows = comparison.overall
    line(plain(comparison.title), "bold")
    if not rows:
        line("Nothing has been scored yet.")
    elif not console.is_terminal:
        for told in _columns(rows):
            line(told)
    elif console.width < NARROW:
        _blocks(rows, console)
    else:
        _table(rows, console)
    for number, told in enumerate(words.sources(comparison), 1):
        line(f"[{number}] {told}", "dim")
    for note in comparison.notes:
        line(f"Note: {plain(note)}", "yellow")
    for told in (words.methods(rows), words.READING if rows else "", plain(comparison.caption)):
        if told:
            line(told, "dim")


def _cells(row: Row) -> tuple[str, ...]:
    return (
        plain(row.model),
        plain(row.name),
        plain(row.metric),
        words.value(row),
        words.interval(row),
        str(row.n),
        words.unscored(row),
        "; ".join(words.published(row)) or text.NOTHING,
        f"{words.state(row)}, {row.truncated} truncated" if row.truncated else words.state(row),
        plain(row.sandbox or text.NOTHING),
    )


def _columns(rows: tuple[Row, ...]) -> list[str]:
    """Aligned columns of plain text, never wrapped, so that `grep` and `awk` see one row a line."""
    from rich.cells import cell_len

    table = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(cell_len(cell) for cell in column) for column in zip(*table, strict=True)]
    lines = []
    for cells in table:
        padded = []
        for name, cell, width in zip(_HEAD, cells, widths, strict=True):
            space = " " * (width - cell_len(cell))
            padded.append(space + cell if name in _RIGHT else cell + space)
        lines.append("  ".join(padded).rstrip())
    return lines


def _table(rows: tuple[Row, ...], console: Console) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    whole = {"Value", "Interval", "n", "Metric"}
    for name in _HEAD:
        table.add_column(
            Text(name),
            justify="right" if name in _RIGHT else "left",
            no_wrap=name in whole,
            overflow="fold",
        )
    for row in rows:
        styles = ["", "", "", "bold", "", "", "yellow" if row.unscored else "", "", "yellow" if row.marks else "", ""]
        table.add_row(*(Text(cell, style=style) for cell, style in zip(_cells(row), styles, strict=True)))
    console.print(table)


def _blocks(rows: tuple[Row, ...], console: Console) -> None:
    from rich.text import Text

    for row in rows:
        cells = dict(zip(_HEAD, _cells(row), strict=True))
        console.print(Text(f"\n{cells['Model']}  {cells['Task']}", style="bold"), overflow="fold", highlight=False)
        first = f"  {cells['Metric']}  {cells['Value']}  ({cells['Interval']})"
        console.print(Text(first, style="bold"), overflow="fold", highlight=False)
        for name in ("n", "Unscored", "Published", "State", "Sandbox"):
            style = "yellow" if (name == "Unscored" and row.unscored) or (name == "State" and row.marks) else ""
            console.print(Text(f"  {name.lower()}: {cells[name]}", style=style), overflow="fold", highlight=False)

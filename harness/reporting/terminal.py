"""The table at the end of a run: a rich one on a terminal, as small as it must be, and plain columns in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plain import aligned, plain
from harness.reporting import text, words
from harness.reporting.comparison import Comparison, Row

if TYPE_CHECKING:
    from rich.console import Console

NARROW = 110
"""Columns below which what all rows have in common is said once, above the table; where that is not enough, each row
becomes a block."""

_HEAD = ("Model", "Task", "Metric", "Value", "Interval", "n", "Unscored", "Published", "State", "Sandbox")
_RIGHT = frozenset({"Value", "n"})
_ONCE = frozenset({"Task", "Metric", "Published", "State", "Sandbox"})
"""Columns that need not be repeated where all rows say the same: never a value, its interval, n or what is unscored."""


def terminal(comparison: Comparison, console: Console) -> None:
    """Print the comparison's rows over all items, with the sources of published numbers.

    Nothing in a name or a note is read as markup, and no control character of theirs reaches the terminal.

    Args:
        comparison: What to print.
        console: Where to; its width and whether it is a terminal decide the form.
    """
    from rich.cells import cell_len
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
    elif console.width >= NARROW:
        _table(rows, console, _HEAD)
    else:
        varying = tuple(name for name in _HEAD if name not in _ONCE or len({_cell(row, name) for row in rows}) > 1)
        borders = len(varying)  # a table's columns stand one further apart than plain ones
        if max(map(cell_len, _columns(rows, varying))) + borders <= console.width:
            common = [f"{name} {_cell(rows[0], name)}" for name in _HEAD if name not in varying]
            line(" · ".join(told for told in common if not told.endswith(f" {text.NOTHING}")))
            _table(rows, console, varying)
        else:
            _blocks(rows, console)
    for number, told in enumerate(words.sources(comparison), 1):
        line(f"[{number}] {told}", "dim")
    for note in comparison.notes:
        line(f"Note: {plain(note)}", "yellow")
    for told in (words.unanswered(rows), words.methods(rows), words.READING if rows else "", plain(comparison.caption)):
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


def _cell(row: Row, name: str) -> str:
    return _cells(row)[_HEAD.index(name)]


def _columns(rows: tuple[Row, ...], head: tuple[str, ...] = _HEAD) -> list[str]:
    right = [number for number, name in enumerate(head) if name in _RIGHT]
    return aligned([head, *([_cell(row, name) for name in head] for row in rows)], right)


def _table(rows: tuple[Row, ...], console: Console, head: tuple[str, ...]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    whole = {"Value", "Interval", "n", "Metric"}
    for name in head:
        table.add_column(
            Text(name),
            justify="right" if name in _RIGHT else "left",
            no_wrap=name in whole,
            overflow="fold",
        )
    for row in rows:
        styles = {
            "Value": "bold",
            "Unscored": "yellow" if row.unscored else "",
            "State": "yellow" if row.marks else "",
        }
        table.add_row(*(Text(_cell(row, name), style=styles.get(name, "")) for name in head))
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

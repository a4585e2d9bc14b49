"""The table at the end of a run."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from harness.reporting import Comparison, compare, terminal


def printed(comparison: Comparison, width: int, *, is_terminal: bool = True) -> str:
    stream = io.StringIO()
    terminal(comparison, Console(file=stream, width=width, force_terminal=is_terminal, color_system=None))
    return stream.getvalue()


def test_a_pipe_gets_one_line_a_row(example: Comparison) -> None:
    lines = printed(example, 40, is_terminal=False).splitlines()
    assert lines[0] == "A small comparison"
    assert lines[1].split() == [
        "Model", "Task", "Metric", "Value", "Interval", "n", "Unscored", "Published", "State", "Sandbox",
    ]  # fmt: skip
    (row,) = [line for line in lines if line.startswith("Wizard-13B")]
    assert "94.4 %  74.2 to 99.0  18  2 (http-500: 1, missing: 1); 85.0 to 95.0 if all wrong or right" in row
    assert "50.0 % (+44.4, outside the interval) [2]" in row
    assert "complete, 1 truncated" in row
    (limited,) = [line for line in lines if line.startswith("apprentice")]
    assert "partial, limited: 5 of 20" in limited
    assert "[2] https://example.org/card" in lines
    (silent,) = [line for line in lines if line.startswith("Counted as wrong for want of an answer")]
    assert "1 of apprentice on toy/zero-shot, " in silent


@pytest.mark.parametrize("width", [30, 60, 80, 109])
def test_a_narrow_terminal_gets_blocks_that_fit(example: Comparison, width: int) -> None:
    made = printed(example, width)
    blocks = made[: made.index("[1] ")]
    assert all(len(line) <= width for line in blocks.splitlines())
    assert "  pass@1  94.4 %" in made
    assert made.count("unscored:") == len(example.overall)
    assert made.count("n: ") >= len(example.overall)


def test_what_all_rows_say_is_said_once_where_a_table_would_not_fit(make_cell: Callable[..., Any]) -> None:
    models = ("reference", "reference-with-faults")
    comparison = compare([make_cell(model=model) for model in models], [], [])
    lines = printed(comparison, 80).splitlines()
    (once,) = [line for line in lines if line.startswith("Task ")]
    assert all(told in once for told in ("Metric pass@1", "State complete"))
    (head,) = [line for line in lines if line.split()[:1] == ["Model"]]
    assert head.split() == ["Model", "Value", "Interval", "n", "Unscored"]
    assert sum(line.strip().startswith(models) for line in lines) == 2
    assert max(map(len, lines[lines.index(head) : lines.index(head) + 4])) <= 80


@pytest.mark.parametrize("width", [110, 140, 220])
def test_a_wide_terminal_gets_a_table_that_fits(example: Comparison, width: int) -> None:
    made = printed(example, width)
    table = made[: made.index("[1] ")]
    assert all(len(line) <= width for line in table.splitlines())
    for value in ("22.5 %", "12.5 to 32.5", "94.4 %", "60.0 %"):
        assert value in made


def test_nothing_scored() -> None:
    assert "Nothing has been scored yet." in printed(compare([], [], []), 80)


def test_unscored_attempts_of_scored_items_are_said(make_cell: Callable[..., Any]) -> None:
    comparison = compare([make_cell(attempts=2, errors={("Toy/0", 1): "http-500"})], [], [])
    assert "0 items, some attempts; 30.0 to 32.5 if all wrong or right" in printed(comparison, 80, is_terminal=False)

"""Reports: what cells hold, set side by side and beside what others published, for terminals, pages and papers."""

from __future__ import annotations

from harness.reporting.compare import compare
from harness.reporting.comparison import CellReader, Comparison, Origin, Published, Row
from harness.reporting.export import as_csv, as_json
from harness.reporting.html import html
from harness.reporting.item import Item, find_item, show_item
from harness.reporting.markdown import markdown
from harness.reporting.terminal import terminal
from harness.reporting.write import figure, write

__all__ = [
    "CellReader",
    "Comparison",
    "Item",
    "Origin",
    "Published",
    "Row",
    "as_csv",
    "as_json",
    "compare",
    "figure",
    "find_item",
    "html",
    "markdown",
    "show_item",
    "terminal",
    "write",
]

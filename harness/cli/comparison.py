"""Cells beside the numbers that others published: the one comparison that run, score and report print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.reporting import Comparison

DEFAULT_REPORT = "comparison"


def compared(cells: Sequence[Path], catalog: Catalog, report: str = DEFAULT_REPORT) -> Comparison:
    """Read ``cells`` and set them beside the catalog's published numbers, as ``report`` declares."""
    from harness import reporting
    from harness.store import Cell

    views = [Cell.read(path) for path in cells]
    return reporting.compare(views, catalog.published(), catalog.models(), catalog.report(report))

"""Golden files of the reports.

After a meant change: ``HARNESS_UPDATE_GOLDEN=1 pytest tests/reporting``, and read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.reporting import Comparison, as_csv, as_json, markdown
from harness.reporting.html import page

GOLDEN = Path(__file__).parents[1] / "golden" / "reports"

# The real figure differs between versions of matplotlib; a triangle holds its place.
TRIANGLE = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 1"><path d="M0 1L1 0L2 1Z"/></svg>'


@pytest.mark.parametrize("suffix", ["md", "csv", "json", "html"])
def test_report_is_the_golden_file(example: Comparison, suffix: str) -> None:
    made = {
        "md": markdown, "csv": as_csv, "json": as_json, "html": lambda comparison: page(comparison, TRIANGLE),
    }[suffix](example)  # fmt: skip
    path = GOLDEN / f"comparison.{suffix}"
    if os.environ.get("HARNESS_UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made, encoding="utf-8", newline="")
    assert made == path.read_bytes().decode()

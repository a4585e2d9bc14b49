"""The same reports from a cell that the store wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.reporting import compare, find_item, show_item, write
from harness.store import Cell, cell_path, find_cells
from harness.types import Completion


def test_a_written_cell_is_compared_and_shown(make_cell: Callable[..., Any], tmp_path: Path) -> None:
    memory = make_cell("wizard-7b", passed=12)
    manifest = memory.manifest
    facts, scores, estimates = memory.scored["5c" * 32]
    path = cell_path(tmp_path / "runs", manifest.model.name, manifest.task.name, manifest.ask_id)
    with Cell.open(path, manifest) as cell:
        cell.append(Completion(sample="Toy/0", attempt=0, turn=0, prompt="p", prompt_sha256="0", text="t"))
        spec = {
            "task": facts.task,
            "version": 1,
            "scorer": facts.scorer,
            "created": facts.created,
            "sandbox": "landlock",
        }
        with cell.scoring(facts.score_id, spec) as scoring:
            scoring.append(*scores)
            scoring.finish(estimates)
    cells = find_cells(tmp_path / "runs")
    found = compare(cells, [], [])
    (row,) = found.rows
    assert (row.model, row.value, row.n, row.sandbox) == ("wizard-7b", 0.6, 20, "landlock")
    assert found.origins[0].scorer == "human-eval (version 1)"
    assert "Verdict on attempt 0, turn 0: pass = 1 (ok), scoring 5c5c5c5c" in show_item(find_item(cells[0], "Toy/0"))
    assert len(write(found, tmp_path / "report")) == 6

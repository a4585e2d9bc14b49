"""What peers would have written, beside the scores of a cell."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from harness.catalog import Catalog
from harness.errors import HarnessError
from harness.formats.evalplus import eval_results
from harness.store import CellView
from harness.store.disk import write_atomic
from harness.types import CellResult

if TYPE_CHECKING:
    from harness.datasets import DataStore


def write_eval_results(result: CellResult, catalog: Catalog, data: DataStore) -> Path | None:
    """Write ``eval_results.json`` beside the scores of a task that is scored by EvalPlus's rule.

    Returns:
        The file; None where the task is scored by another rule, or nothing is scored.

    Raises:
        StoreError: The file cannot be written.
    """
    cell = CellView(Path(result.path))
    try:
        task = catalog.task(result.task)
    except HarnessError:
        return None
    if task.scorer.name != "plus" or result.score_id is None:
        return None
    scores = list(cell.scores(result.score_id))
    programs = {(one.sample, one.attempt): one.text for one in cell.completions()}
    programs |= {(one.sample, one.attempt): one.extracted for one in scores if one.extracted is not None}
    samples = {sample.id: sample for sample in data.samples(task)}
    md5 = hashlib.md5(data.bytes(task.dataset), usedforsecurity=False).hexdigest()
    date = cell.scoring(result.score_id).created[:16].replace("T", " ")
    content = eval_results(samples, scores, programs, md5=md5, date=date)
    path = cell.scorings()[result.score_id] / "eval_results.json"
    write_atomic(path, json.dumps(content).encode())
    return path

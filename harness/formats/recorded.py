"""Verdicts that peers keep in a file of their own beside the programs: EvalPlus's results, FastEval's scores.

Sources: evalplus ``evaluate.py`` (0.1 and 0.2.0: ``eval`` {task: {``nfiles``, ``base``: [[status, details]],
``plus``}}; from 0.2.1 on a list of records with the programs themselves; ``hash`` is the md5 of the data), FastEval
reports ``scores.json``: ``answers`` [{``task_id``, ``success`` {``base``, ``plus``}}].
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.errors import DataError
from harness.formats.replay import Form, ReplayRow
from harness.formats.rows import Row, kind, read_rows

PASSED: Final[Mapping[str, bool]] = {
    "pass": True, "fail": False, "timeout": False, "success": True, "failed": False, "timed out": False,
}  # fmt: skip
"""What EvalPlus calls its verdicts, today and before 0.2."""


def statuses(row: Row, base: Any, plus: Any) -> dict[str, bool]:
    """EvalPlus's verdicts as scores have them: its ``plus`` is of the extra inputs alone; None: not graded."""
    for key, status in (("base", base), ("plus", plus)):
        if status is not None and (not isinstance(status, str) or status not in PASSED):
            shown = repr(status[:40]) if isinstance(status, str) else kind(status)
            row.fail(f"the {key} status is {shown}, none of {', '.join(PASSED)}")
    if base is None:
        return {}
    found = {"base": PASSED[base]}
    return found if plus is None else {**found, "plus": PASSED[base] and PASSED[plus]}


def data_md5(row: Row) -> str | None:
    """Of the data that EvalPlus's verdicts are on, where they say it."""
    md5 = row.fields.get("hash")
    return md5 if isinstance(md5, str) else None


def with_recorded(path: Path, form: Form, rows: list[ReplayRow]) -> tuple[list[ReplayRow], str | None, str | None]:
    """The rows with the verdicts that a file beside theirs records.

    Args:
        path: Where the rows are from.
        form: Whose rows.
        rows: In the file's order.

    Returns:
        The rows, a sentence that announces the verdicts, and the md5 of the data that they are on, where it is said.
    """
    file = _beside(path, form)
    if file is None or any(row.recorded for row in rows):
        return rows, None, None
    try:
        found, md5 = _verdicts(file)
    except DataError as error:
        return rows, f"{file.name} beside it is not read: {error.message}", None
    programs = Counter(row.sample for row in rows)
    # A folder has no order of its own: of several programs nobody knows whose verdict is whose.
    sure = {
        sample
        for sample, verdicts in found.items()
        if len(verdicts) == programs[sample] and (len(verdicts) == 1 or not path.is_dir())
    }
    if not sure:
        return rows, f"{file.name} beside it is not used: which verdict is of which program is not known", None
    known = [
        msgspec.structs.replace(row, recorded=found[row.sample][row.attempt]) if row.sample in sure else row
        for row in rows
    ]
    return known, f"the verdicts in {file.name} beside it are on {len(sure)} of {len(programs)} samples", md5


def _beside(path: Path, form: Form) -> Path | None:
    if form == "fasteval":
        places = [path.with_name(path.name.replace("answers", "scores"))]
    elif form not in ("evalplus", "human-eval"):
        return None
    elif path.is_dir():
        places = [path / "eval_results.json"]
    else:
        stem = path.name.partition(".jsonl")[0]
        places = [path.with_name(f"{stem}{mark}eval_results.json{gz}") for mark in "_." for gz in ("", ".gz")]
    return next((place for place in places if place != path and place.is_file()), None)


def _verdicts(file: Path) -> tuple[dict[str, list[dict[str, bool]]], str | None]:
    """The verdicts on each sample's programs, in their order, and the md5 of the data."""
    rows = read_rows(file)
    if len(rows) != 1:
        raise DataError(f"{file}: not one object", code="row")
    [row] = rows
    found: dict[str, list[dict[str, bool]]] = {}
    if isinstance(answers := row.fields.get("answers"), list):
        for number, answer in enumerate(answers):
            success = answer.get("success") if isinstance(answer, dict) else None
            if not isinstance(success, dict):
                row.fail(f"answer {number} has no 'success'")
            verdicts = {metric: success[metric] for metric in ("base", "plus") if isinstance(success.get(metric), bool)}
            found.setdefault(str(answer.get("task_id")), []).append(verdicts)
    elif isinstance(evaluated := row.fields.get("eval"), dict):
        found = {sample: _of(row, sample, records) for sample, records in evaluated.items()}
    else:
        row.fail("neither 'eval' nor 'answers'")
    return found, data_md5(row)


def _of(row: Row, sample: str, records: Any) -> list[dict[str, bool]]:
    if isinstance(records, list) and all(isinstance(one, dict) for one in records):
        return [statuses(row, one.get("base_status"), one.get("plus_status")) for one in records]
    base = records.get("base") if isinstance(records, dict) else None
    if not isinstance(base, list):
        row.fail(f"'eval' of {sample} has no verdicts")
    plus = records.get("plus")
    if plus in (None, []):
        plus = [None] * len(base)
    elif not isinstance(plus, list) or len(plus) != len(base):
        row.fail(f"'eval' of {sample} has not as many verdicts under 'plus' as under 'base'")
    return [statuses(row, _status(one), _status(other)) for one, other in zip(base, plus, strict=True)]


def _status(one: Any) -> Any:
    """The status of ``[status, details]``."""
    return one[0] if isinstance(one, list) and one else one

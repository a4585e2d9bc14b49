"""list, show, runs, report, data and doctor on a small benchmark of our own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., int]


@pytest.fixture
def cell(harness: Command, capsys: pytest.CaptureFixture[str]) -> Path:
    """A finished run of the reference."""
    assert harness("run", "--model", "reference", "--task", "capitals/plain", "--json") == 0
    return Path(json.loads(capsys.readouterr().out)["cells"][0]["path"])


@pytest.mark.parametrize("kind", ["tasks", "judges", "models", "reports"])
def test_lists(harness: Command, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness("list", kind) == 0
    said = capsys.readouterr().out
    names = {"tasks": "capitals/plain", "judges": "mt-bench/single-v1", "models": "Wizard", "reports": "comparison"}
    assert names[kind] in said


def test_a_broken_task_is_listed_as_broken(
    harness: Command, capitals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (capitals / "tasks" / "capitals" / "broken.toml").write_text('version = "one"\n')
    assert harness("list", "tasks") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "BROKEN" in said
    assert "capitals/plain" in said
    assert harness("show", "task", "capitals/broken") == 64
    assert harness("data", "list") == 0
    assert harness("doctor") == 0


def test_show_task(harness: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness("show", "task", "capitals/plain") == 0
    said = capsys.readouterr().out
    for part in ("Capitals of four countries", "sha256", "temperature", "exact-match", "ask spec", "score spec"):
        assert part in said
    assert "| What is the capital of France?" in said
    assert harness("show", "task", "capitals/plain", "--format", "alpaca") == 0
    assert "| ### Instruction:" in capsys.readouterr().out


def test_show_task_without_a_name(harness: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness("show", "task") == 64
    assert "harness list tasks" in capsys.readouterr().err


def test_show_run_and_item(harness: Command, cell: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness("show", str(cell)) == 0
    said = capsys.readouterr().out
    assert "reference · capitals/plain v1  complete" in said
    assert "correct 1.0000" in said
    assert harness("show", "reference/capitals/plain", "japan") == 0
    assert "Tokyo" in capsys.readouterr().out
    assert harness("show", "reference/capitals/plain", "japn") == 64
    assert "japan" in capsys.readouterr().err
    assert harness("show", "referense/capitals/plain") == 64


def test_runs(harness: Command, cell: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness("runs", catalog=False) == 0
    assert "capitals/plain" in capsys.readouterr().out
    assert harness("runs", "--json", catalog=False) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert Path(run["path"]) == cell
    assert harness("runs", "--runs", "none", catalog=False) == 0
    assert "no runs in none" in capsys.readouterr().out


def test_a_damaged_run_does_not_hide_the_others(
    harness: Command, cell: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = Path("results/runs/x/y/z/0")
    damaged.mkdir(parents=True)
    (damaged / "manifest.json").write_text("{")
    assert harness("runs", catalog=False) == 0
    streams = capsys.readouterr()
    assert "capitals/plain" in streams.out
    assert "left out" in streams.err


def test_report(harness: Command, cell: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness("report", "--out", "out") == 0
    assert harness("report", str(cell), "--out", "again") == 0
    assert Path("again/comparison.html").read_text().startswith("<!")
    capsys.readouterr()
    assert harness("report", "--out", "out", "--runs", "none") == 64
    assert harness("report", "--out", "out", "--report", "comparision") == 64
    assert "did you mean 'comparison'?" in capsys.readouterr().err


def test_data(harness: Command, capitals: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness("data", "list", "capitals/plain") == 0
    assert "capitals" in capsys.readouterr().out
    assert harness("data", "fetch", "capitals/plain") == 0
    assert harness("data", "verify", "capitals/*") == 0
    assert "capitals/plain: capitals ok, sha256" in capsys.readouterr().out


def test_data_of_a_task_that_cannot_be_had_offline(harness: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness("data", "fetch", "gsm8k/wizardmath-cot", "--offline") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert harness("data", "verify", "gsm8k/wizardmath-cot", "--offline") == 1
    assert "not in the cache" in capsys.readouterr().err


def test_every_data_failure_is_told(harness: Command, capitals: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (capitals / "tasks" / "capitals" / "capitals.jsonl").write_text("other bytes\n")
    assert harness("data", "fetch", "capitals/plain", "gsm8k/wizardmath-cot", "--offline") == 1
    capitals_line, gsm8k_line = capsys.readouterr().err.splitlines()
    assert "capitals" in capitals_line
    assert "gsm8k" in gsm8k_line


def test_rotten_data_is_repaired(
    harness: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(cache))
    assert harness("data", "fetch", "capitals/plain") == 0
    (cached,) = cache.rglob("capitals.jsonl")
    cached.chmod(0o644)
    cached.write_text("rot\n")
    assert harness("data", "verify", "capitals/plain") == 0
    assert "repaired" in capsys.readouterr().out


def test_doctor(harness: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-shown-1234")
    assert harness("doctor") == 0
    said = capsys.readouterr().out
    assert "sk-never-shown-1234" not in said
    assert "OPENAI_API_KEY: set" in said
    assert "capitals/plain" in said
    assert harness("doctor", "--quick", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["keys"] == {"HARNESS_ENDPOINT_KEY": False, "OPENAI_API_KEY": True}
    assert found["sandbox"]["level"] in {"bwrap", "landlock", None}
    assert {"reference", "replay", "openai"} <= set(found["engines"])
    assert "gsm8k/wizardmath-cot" in found["data"]


def _document(command: Command, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    """What a command prints with ``--json``: nothing else is on stdout, and the five common keys are there."""
    assert command(*arguments, "--json") == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {"format", "status", "exit", "cells", "error"} <= set(found)
    assert (found["format"], found["exit"], found["error"] is None) == (1, code, code == 0)
    return found


def test_documents_of_the_catalog(
    harness: Command, capitals: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (capitals / "tasks" / "capitals" / "broken.toml").write_text('version = "one"\n')
    tasks = {row["task"]: row for row in _document(harness, capsys, "list", "tasks")["tasks"]}
    assert tasks["capitals/plain"] == {
        "task": "capitals/plain",
        "version": 1,
        "items": 4,
        "title": "Capitals of four countries",
    }
    assert "broken.toml" in tasks["capitals/broken"]["problem"]
    for kind in ("suites", "judges", "models", "reports"):
        assert _document(harness, capsys, "list", kind)[kind]
    asked = _document(harness, capsys, "show", "task", "capitals/plain")["task"]
    assert asked["first"]["requests"][0]["prompt"] == "What is the capital of France?"
    assert asked["data"][0]["name"] == "capitals"
    assert len(asked["ask_spec"]) == len(asked["score_spec"]) == 64
    references = _document(harness, capsys, "check", "capitals/plain")["references"]
    assert (references["checked"], references["unexpected"]) == (4, [])


def test_documents_of_data(harness: Command, capsys: pytest.CaptureFixture[str]) -> None:
    (listed,) = _document(harness, capsys, "data", "list", "capitals/plain")["files"]
    assert (listed["data"], listed["records"], listed["from"] is not None) == ("capitals", 4, True)
    (fetched,) = _document(harness, capsys, "data", "fetch", "capitals/plain")["files"]
    assert Path(fetched["path"]).is_file()
    (verified,) = _document(harness, capsys, "data", "verify", "capitals/plain")["files"]
    assert (verified["state"], verified["sha256"]) == ("ok", listed["sha256"])
    failed = _document(harness, capsys, "data", "fetch", "gsm8k/wizardmath-cot", "--offline", code=1)
    assert failed["files"][0]["state"] == "failed"
    assert failed["error"]["remedy"]


def test_documents_of_runs(harness: Command, cell: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = _document(harness, capsys, "show", str(cell))["run"]
    assert run["manifest"] == json.loads((cell / "manifest.json").read_text())
    assert run["scorings"][0]["estimates"][0]["metric"] == "correct"
    item = _document(harness, capsys, "show", str(cell), "japan")["item"]
    (line,) = [
        row
        for row in map(json.loads, (cell / "completions.jsonl").read_text().splitlines())
        if row["sample"] == "japan"
    ]
    assert item["completions"] == [line]
    assert [score["value"] for score in item["scores"]] == [1.0]
    written = _document(harness, capsys, "report", "--out", "out")
    assert [row["n"] for row in written["comparison"]["rows"]] == [4]
    assert all(Path(path).is_file() for path in written["wrote"])

"""run, score and check on a small benchmark of our own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., int]
RUN = ("run", "--task", "capitals/plain", "--model")


def answers(path: Path, **texts: str) -> str:
    """A file to replay."""
    path.write_text("".join(json.dumps({"sample": name, "text": text}) + "\n" for name, text in texts.items()))
    return f"replay:{path}"


def test_a_run_ends_in_a_table_and_a_report(harness: Command, capsys: pytest.CaptureFixture[str]) -> None:
    code = harness(*RUN, "reference", "--model", "reference-with-faults", "--report", "out")
    streams = capsys.readouterr()
    assert code == 0, streams.err
    assert "100.0" in streams.out
    for name in ("md", "html", "png", "svg", "csv", "json"):
        assert Path(f"out/comparison.{name}").stat().st_size > 0
        assert f"wrote out/comparison.{name}" in streams.out
    assert "reference · capitals/plain: complete, 4 of 4, correct 100.0" in streams.err


def test_json_is_alone_on_stdout(harness: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness(*RUN, "reference", "--json") == 0
    streams = capsys.readouterr()
    document = json.loads(streams.out)
    assert list(document) == ["format", "status", "exit", "cells", "error"]
    assert (document["format"], document["status"], document["exit"], document["error"]) == (1, "complete", 0, None)
    (cell,) = document["cells"]
    assert list(cell) == [
        "path",
        "ask_id",
        "task",
        "model",
        "state",
        "expected",
        "done",
        "unscored",
        "errors",
        "score_id",
        "estimates",
        "published",
    ]
    assert Path(cell["path"]).is_dir()
    assert "capitals/plain" in streams.err


def test_the_same_command_asks_nothing_again(harness: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness(*RUN, "reference", "--json") == 0
    (first,) = json.loads(capsys.readouterr().out)["cells"]
    journal = Path(first["path"]) / "completions.jsonl"
    before = journal.read_bytes()
    assert harness(*RUN, "reference", "--json") == 0
    (second,) = json.loads(capsys.readouterr().out)["cells"]
    assert journal.read_bytes() == before
    assert second == first


def test_what_nobody_answered_is_unscored_and_3(
    harness: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = answers(tmp_path / "some.jsonl", france="Paris", japan="Kyoto")
    assert harness(*RUN, model, "--stage", "reply", "--format", "raw", "--json") == 3
    streams = capsys.readouterr()
    document = json.loads(streams.out)
    (cell,) = document["cells"]
    (estimate,) = cell["estimates"]
    assert (document["status"], document["exit"], cell["unscored"]) == ("unscored", 3, 2)
    assert (estimate["value"], estimate["n"], sum(estimate["unscored"].values())) == (0.5, 2, 2)
    assert estimate["bounds"] == {"low": 0.25, "high": 0.75}
    assert "the same command tries it again" in streams.err


def test_items_limit_and_globs(harness: Command, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("run", "--model", "reference", "--task", "capitals/*", "--json")
    assert harness(*command, "--limit", "1") == 0
    assert json.loads(capsys.readouterr().out)["cells"][0]["expected"] == 1
    assert harness(*command, "--items", "peru, kenya", "--runs", "other") == 0
    assert json.loads(capsys.readouterr().out)["cells"][0]["expected"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run", "--model", "reference", "--task", "capitals/plane"), 64, "plain"),
        (("run", "--model", "reference", "--task", "capital*s"), 64, "matches no task"),
        (("run", "--model", "referense", "--task", "capitals/plain"), 64, "reference"),
        (("run", "--model", "replay:no.jsonl", "--task", "capitals/plain"), 1, "no.jsonl"),
        (("run", "--model", "reference", "--task", "capitals/plain", "--items", "spain"), 64, "spain"),
        (("run", "--model", "reference", "--task", "capitals/plain", "--items", " , "), 64, "at least one item"),
        (("run", "--model", "reference", "--task", "capitals/plain", "--runs", "/proc/x"), 1, "/proc/x"),
        (("run", "--model", "reference", "--task", "capitals/plain", "--data-dir", "nowhere"), 64, "nowhere"),
        (("run", "--model", "http://127.0.0.1:1/v1#m", "--task", "capitals/plain", "--tries", "1"), 1, "127.0.0.1:1"),
        (("score", "nothing"), 64, "harness runs"),
        (("score", "no.jsonl", "--task", "capitals/plain"), 64, "no.jsonl: no such file"),
        (("score", __file__), 64, "--task"),
        (("score", "nothing", "--stage", "reply"), 64, "is a run"),
        (("run", "--model", "reference", "--task", "capitals/plain", "--temperature", "nan"), 64, "no number"),
        (("check", "capitals/plane"), 64, "plain"),
    ],
)
def test_bad_input_is_one_line(
    harness: Command, arguments: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert harness(*arguments) == code
    streams = capsys.readouterr()
    errors = [line for line in streams.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert said in errors[0]
    assert "unexpected" not in errors[0]
    assert streams.out == ""


def test_a_catalog_that_is_absent(harness: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness("list", "tasks", "--catalog", "nowhere", catalog=False) == 64
    assert "nowhere" in capsys.readouterr().err


def test_score_derives_again_and_asks_nothing(harness: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness(*RUN, "reference", "--json") == 0
    (cell,) = json.loads(capsys.readouterr().out)["cells"]
    assert harness("score", "reference/capitals/plain", "--json") == 0
    streams = capsys.readouterr()
    (again,) = json.loads(streams.out)["cells"]
    assert (again["ask_id"], again["score_id"], again["estimates"]) == (
        cell["ask_id"],
        cell["score_id"],
        cell["estimates"],
    )
    assert "scoring" in streams.err


def test_check_agrees_or_says_where_not(harness: Command, capitals: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness("check", "capitals/plain") == 0
    assert "4 of 4 references pass" in capsys.readouterr().out
    spec = capitals / "tasks" / "capitals" / "plain.toml"
    declared = spec.read_text().replace('metric = "correct"', 'metric = "correct"\nknown_reference_failures = ["peru"]')
    spec.write_text(declared)
    assert harness("check", "capitals/plain") == 1
    assert "declares that they fail: peru" in capsys.readouterr().out


def test_a_report_that_cannot_be_written_is_known_before_the_run(
    harness: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").touch()
    assert harness(*RUN, "reference", "--report", "file/sub") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --report file/sub: cannot be written")
    assert not Path("results").exists()


def test_a_report_that_fails_at_the_end_loses_no_result(
    harness: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device", "out/comparison.png")

    monkeypatch.setattr("harness.reporting.write", fails)
    assert harness(*RUN, "reference", "--report", "out", "--json") == 1
    streams = capsys.readouterr()
    document = json.loads(streams.out)
    assert (document["exit"], document["status"]) == (1, "error")
    assert "out/comparison.png: No space left" in document["error"]["message"]
    assert document["cells"][0]["done"] == 4
    assert "error: out/comparison.png" in streams.err


@pytest.mark.parametrize(("gone", "code"), [("stdout", 141), ("stderr", 0)])
def test_who_stops_reading_costs_no_report_and_no_document(
    capitals: Path, tmp_path: Path, gone: str, code: int
) -> None:
    words = [
        *RUN,
        "reference",
        "--catalog",
        str(capitals),
        "--report",
        "out",
        *(["--json"] if gone == "stderr" else []),
    ]
    read, write = os.pipe()
    os.close(read)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, gone: write}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "harness", *words], cwd=tmp_path, timeout=60, check=False, **streams
        )
    finally:
        os.close(write)
    assert done.returncode == code, done.stderr
    assert (tmp_path / "out" / "comparison.html").exists()
    if gone == "stderr":
        assert json.loads(done.stdout)["status"] == "complete"
    else:
        assert b"Traceback" not in done.stderr


def test_options_that_change_nothing_are_named(harness: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness(*RUN, "reference", "--stage", "reply", "--weights-id", "x", "--budget", "3") == 0
    said = capsys.readouterr().err
    for option in ("--stage", "--weights-id", "--budget"):
        assert f"{option} changes nothing" in said
    assert harness(*RUN, "reference") == 0
    assert "changes nothing" not in capsys.readouterr().err


def test_the_first_failure_of_each_kind_is_told(
    harness: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert harness(*RUN, answers(tmp_path / "few.jsonl", france="Paris"), "--stage", "reply") == 3
    told = [line for line in capsys.readouterr().err.splitlines() if "missing" in line]
    assert len(told) == 1
    assert "missing: few.jsonl: no answer to sample" in told[0]


def test_a_locale_without_unicode_gets_escapes(capitals: Path, tmp_path: Path) -> None:
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment.pop("PYTHONIOENCODING", None)
    command = [sys.executable, "-m", "harness", *RUN, "reference", "--catalog", str(capitals), "--runs", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "\\u2013" in done.stdout.decode("ascii")  # the dash where nothing is published


def test_an_unknown_scorer_names_task_and_key(
    harness: Command, capitals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = capitals / "tasks" / "capitals" / "plain.toml"
    spec.write_text(spec.read_text().replace('"exact-match"', '"exact-mach"'))
    assert harness(*RUN, "reference") == 64
    (line,) = capsys.readouterr().err.splitlines()
    assert "capitals/plain: scorer.name: unknown scorer 'exact-mach'; did you mean 'exact-match'?" in line

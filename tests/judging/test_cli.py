"""The commands that concern judges, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli.app import run_command


@pytest.fixture
def command(mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_DATA_DIR", str(mirror))
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    return mirror


def test_recorded_judgments_give_the_published_number(command: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = command / "mtbench" / "model_judgment" / "muhan421__fastchat-eval"
    answers = folder / "model_answer" / "claude-3-5-sonnet-20240620.jsonl.gz"
    run = ["run", "--model", f"replay:{answers}", "--task", "mt-bench/single-v1", "--no-judge", "--json"]
    assert run_command(run) == 3  # nothing is judged yet
    [cell] = json.loads(capsys.readouterr().out)["cells"]
    assert cell["unscored"] == 80
    score = ["score", cell["path"], "--verdicts", str(folder / "gpt-4_single.jsonl.gz"), "--json"]
    assert run_command(score) == 0
    [cell] = json.loads(capsys.readouterr().out)["cells"]
    found = {(one["metric"], json.dumps(one["slice"])): one["value"] for one in cell["estimates"]}
    assert found["score", "null"] == found["score_fastchat", "null"] == 9.20625
    assert len([key for key in found if "category" in key[1]]) == 8
    assert {'{"turn": "1"}', '{"turn": "2"}'} <= {key[1] for key in found}
    assert {one["value"] for one in cell["published"]} == {9.20625}
    assert run_command(["export", cell["path"], "--to", "out"]) == 0
    assert Path("out/model_judgment/gpt-4_single.jsonl").exists()


def test_audit_reports_and_writes(command: Path, capsys: pytest.CaptureFixture[str]) -> None:
    votes = command / "mtbench" / "human_judgments"
    args = ["audit", "mt-bench/pair-v2", "--evidence", str(votes / "gpt4_pair.jsonl.gz")]
    assert run_command(args) == 1  # votes by model need people's votes
    assert "--votes FILE" in capsys.readouterr().err
    assert run_command([*args, "--votes", str(votes / "human.jsonl.gz"), "--report", "audit"]) == 0
    assert "0.6597" in capsys.readouterr().out
    assert "Agreement with people" in Path("audit/audit.md").read_text()
    assert json.loads(Path("audit/audit.json").read_bytes())
    assert run_command(["audit", "mt-bench/pair-v2"]) == 64
    assert run_command(["audit", "mt-bench/pair"]) == 64


def test_a_dry_run_tells_calls_and_money(command: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = command / "mtbench" / "model_answer" / "wizardlm-13b.jsonl.gz"
    run = ["run", "--model", f"replay:{answers}", "--task", "mt-bench/single-v1", "--no-judge"]
    assert run_command(run) == 3
    capsys.readouterr()
    score = ["score", "wizardlm-13b/mt-bench/single-v1", "--judge-model", "gpt-4.1", "--dry-run"]
    assert run_command(score) == 0
    said = capsys.readouterr()
    assert "160 calls" in said.out + said.err
    assert "at most $" in said.out + said.err


@pytest.mark.parametrize("budget", ["nan", "-1", "much"])
def test_a_budget_that_is_no_amount_is_refused(budget: str, capsys: pytest.CaptureFixture[str]) -> None:
    # no amount is ever more than NaN, so that nothing would stop the spending
    assert run_command(["score", "any/run/there", "--judge-model", "gpt-4.1", "--budget", budget]) == 64
    assert "--budget" in capsys.readouterr().err


def test_evidence_without_verdicts_is_no_audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert run_command(["audit", "mt-bench/pair-v2", "--evidence", str(empty)]) == 1
    assert "holds no verdicts" in capsys.readouterr().err


def test_a_file_of_answers_is_judged_as_told(command: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = command / "mtbench" / "model_judgment" / "muhan421__fastchat-eval"
    answers = str(folder / "model_answer" / "claude-3-5-sonnet-20240620.jsonl.gz")
    score = ["score", answers, "--task", "mt-bench/single-v1"]
    for option in (["--dry-run"], ["--judge", "mt-bench/single-v1-corrected"]):
        assert run_command([*score, *option]) == 64  # the judge is not asked in spite of it
        assert f"{option[0]}: {answers} is a file, no run yet" in capsys.readouterr().err
    assert run_command([*score, "--verdicts", str(folder / "gpt-4_single.jsonl.gz"), "--json"]) == 0
    [cell] = json.loads(capsys.readouterr().out)["cells"]
    assert {one["value"] for one in cell["estimates"] if one["slice"] is None} == {9.20625}


def test_a_run_without_a_judge_says_how_to_go_on(command: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = command / "mtbench" / "model_answer" / "wizardlm-13b.jsonl.gz"
    run = ["run", "--model", f"replay:{answers}", "--task", "mt-bench/single-v1", "--no-judge", "--limit", "1"]
    assert run_command(run) == 3
    said = capsys.readouterr().err
    assert "harness score RUN" in said
    assert "the same command" not in said


@pytest.mark.parametrize(
    ("task", "file", "lines"),
    [
        ("evol-instruct/review", "wizardlm_wrap_reviews_gpt3.5.json.gz", (218, 1780.0, 1775.0, 50, 135, 33, 128)),
        ("vicuna-80/review", "vicuna_wrap_reviews_gpt4.json.gz", (80, 633.25, 605.5, 44, 15, 21, 12)),
    ],
)
def test_a_file_of_reviews_is_answers_baseline_and_verdicts(
    command: Path, capsys: pytest.CaptureFixture[str], task: str, file: str, lines: tuple[float, ...]
) -> None:
    path = command / "evol_instruct" / "cherry_vs_alpaca" / file
    assert run_command(["run", "--model", f"replay:{path}#cherry", "--task", task, "--no-judge"]) == 3
    capsys.readouterr()
    score = ["score", f"cherry/{task}", "--judge", f"{task}-both-orders", "--verdicts", str(path), "--json"]
    assert run_command(score) == 0
    [cell] = json.loads(capsys.readouterr().out)["cells"]
    whole = {one["metric"]: one for one in cell["estimates"] if one["slice"] is None}
    n = whole["relative"]["n"]
    found = [round(n * whole[name]["value"], 6) for name in ("score", "reference_score", "won", "tied", "lost")]
    assert (n, *found, round(n * whole["contradicting"]["value"])) == lines
    assert whole["relative"]["value"] == pytest.approx(100 * lines[1] / lines[2])


def test_annotations_are_answers_and_verdicts_under_their_models_name(
    command: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = command / "alpaca_eval" / "results" / "phi-2" / "alpaca_eval_gpt4" / "annotations.json.gz"
    assert run_command(["score", str(path), "--task", "alpaca-eval/gpt4", "--verdicts", str(path), "--json"]) == 3
    [cell] = json.loads(capsys.readouterr().out)["cells"]
    assert cell["model"] == "phi-2"
    whole = {one["metric"]: one for one in cell["estimates"] if one["slice"] is None}
    for name in ("win", "lc_win", "discrete_win"):
        assert (whole[name]["n"], whole[name]["unscored"]) == (799, {"no-verdict": 6})


def test_a_judge_of_another_benchmark_is_one_line(command: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = command / "mtbench" / "model_answer" / "wizardlm-13b.jsonl.gz"
    run_command(["run", "--model", f"replay:{answers}", "--task", "mt-bench/single-v1", "--no-judge"])
    capsys.readouterr()
    reviews = command / "evol_instruct" / "cherry_vs_alpaca" / "wizardlm_wrap_reviews_gpt3.5.json.gz"
    score = ["score", "wizardlm-13b/mt-bench/single-v1", "--judge", "evol-instruct/review", "--verdicts", str(reviews)]
    assert run_command(score) == 64
    assert "none of the baseline's answers is to an item" in capsys.readouterr().err

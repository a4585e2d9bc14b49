"""Files of verdicts by themselves give their protocols' published figures."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import run_command

from .conftest import write_lines

JUDGMENTS = "mtbench/model_judgment/{}/gpt-4_single.jsonl.gz"
BOARDS = {
    "alpaca-eval/gpt4": ("alpaca_eval_gpt4", "data_AlpacaEval/alpaca_eval_gpt4_leaderboard.csv"),
    "alpaca-eval/weighted-gpt4-turbo": (
        "weighted_alpaca_eval_gpt4_turbo",
        "data_AlpacaEval_2/weighted_alpaca_eval_gpt4_turbo_leaderboard.csv",
    ),
}


@pytest.fixture
def told(mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """What ``harness grade verdicts`` says of one file, by its tables' titles."""
    monkeypatch.setenv("HARNESS_DATA_DIR", str(mirror))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))

    def ask(path: Path, judge: str) -> dict[str, dict[str, Any]]:
        assert run_command(["grade", "verdicts", str(path), "--judge", judge, "--json", "--offline"]) == 0
        [found] = json.loads(capsys.readouterr().out)["files"].values()
        return {table["title"]: {row.get("model", row.get("part")): row for row in table["rows"]} for table in found}

    return ask


def test_single_judgments(mirror: Path, told: Any) -> None:
    medusa = told(mirror / JUDGMENTS.format("FasterDecoding__Medusa"), "mt-bench/single-v1")
    row = medusa["mean ratings, as FastChat counts them"]["vicuna-7b-v1.3"]
    assert (row["turn_1"], row["turn_2"], row["average"]) == (6.73125, 5.475, 6.103125)
    assert (row["valid"], row["invalid"], row["differ_from_recorded"]) == (160, 0, 0)
    assert len(medusa["by category, both turns"]["vicuna-7b-v1.3"]) == 9
    claude = told(mirror / JUDGMENTS.format("muhan421__fastchat-eval"), "mt-bench/single-v1")
    rows = claude["mean ratings, as FastChat counts them"]
    assert {name: row["average"] for name, row in rows.items()} == {
        "claude-3-5-sonnet-20240620": 9.20625,
        "claude-3-opus-20240229": 8.675,
    }


@pytest.mark.parametrize("model", ["lmsys--vicuna-7b-v1.3", "gpt-3.5-turbo-0613", "WizardLM--WizardCoder-15B-V1.0"])
def test_fastevals_replies(mirror: Path, told: Any, model: str) -> None:
    folder = mirror / "fasteval" / "mt-bench" / model
    with gzip.open(folder / "scores.json.gz", "rt") as stream:
        published = json.load(stream)
    found = told(folder / "judge-replies.json.gz", "mt-bench/single-v1")
    [row] = found["mean ratings, as FastChat counts them"].values()
    assert row["average"] == pytest.approx(published["average"], abs=1e-12)
    [categories] = found["by category, both turns"].values()
    assert {name: value for name, value in categories.items() if name != "model"} == pytest.approx(
        published["categories"], abs=1e-12
    )


def test_judgments_as_others_write_them(tmp_path: Path, told: Any) -> None:
    """-1, zeros, ratings beyond the scale, doubled rows, a judge as a plain name, no prompt, no judgment at all."""
    common = {"question_id": 81, "model": "m", "judge": ["j", "single-v1"], "turn": 1, "tstamp": 0}
    rows = [
        {**common, "judgment": "Rating: [[8]]", "score": 8},
        {**common, "judgment": "Rating: [[8]]", "score": 8},
        {**common, "judgment": "$ERROR$", "score": -1, "turn": 2},
        {**common, "judgment": None, "score": -1, "question_id": "82"},
        {**common, "judgment": "[[0]]", "score": 0, "judge": "j", "question_id": 83},
        {**common, "judgment": "[[10/10]] or [9.5]", "score": 9.5, "question_id": 84},
        {**common, "judgment": "[[100]]", "score": 100, "turn": 2, "question_id": 85},
        {**common, "judgment": "[[3]]", "score": 4, "model": "other"},
    ]
    write_lines(tmp_path / "j.jsonl", rows)
    found = told(tmp_path / "j.jsonl", "mt-bench/single-v1")["mean ratings, as FastChat counts them"]
    assert found["m"]["average"] == (8 + 8 + 0 + 9.5 + 100) / 5  # FastChat checks no range
    assert (found["m"]["turn_2"], found["m"]["valid"], found["m"]["invalid"]) == (100, 5, 2)
    assert (found["m"]["differ_from_recorded"], found["other"]["differ_from_recorded"]) == (0, 1)


def test_games_of_pairs(tmp_path: Path, told: Any) -> None:
    verdicts = [("[[A]]", "[[B]]"), ("[[A]]", "[[A]]"), ("[[C]]", "[[B]]"), ("[[B]]", "[[A]]"), ("[[A]]", "?")]
    rows = [
        {
            "question_id": 81 + number, "model_1": "m", "model_2": "gpt-3.5-turbo", "turn": 1, "judge": ["j", "p"],
            "g1_judgment": first, "g2_judgment": second, "g1_winner": "", "g2_winner": "",
        }
        for number, (first, second) in enumerate(verdicts)
    ]  # fmt: skip
    write_lines(tmp_path / "p.jsonl", [*rows, rows[0]])
    [(title, found)] = told(tmp_path / "p.jsonl", "mt-bench/pair-v2").items()
    assert "1 without a verdict" in title
    row = found["m"]
    assert (row["win"], row["loss"], row["tie"]) == (2, 1, 2)  # the doubled row counts twice, as in FastChat
    assert row["win_rate_adjusted"] == pytest.approx(3 / 5)


@pytest.mark.parametrize("judge", BOARDS)
@pytest.mark.parametrize("model", ["claude-2", "phi-2", "wizardlm-13b"])
def test_leaderboard_rows(mirror: Path, told: Any, judge: str, model: str) -> None:
    evaluator, board = BOARDS[judge]
    with (mirror / "alpaca_eval" / "leaderboards" / board).open(newline="") as stream:
        published = {row[""]: row for row in csv.DictReader(stream)}[model]
    file = mirror / "alpaca_eval" / "results" / model / evaluator / "annotations.json.gz"
    row = told(file, judge)["AlpacaEval's leaderboard"][model]
    for name in ("win_rate", "standard_error", "discrete_win_rate"):
        assert row[name] == pytest.approx(float(published[name]), abs=1e-8), name
    for name in ("n_wins", "n_wins_base", "n_draws", "n_total", "avg_length"):
        assert row[name] == int(published[name]), name
    assert row["length_controlled_winrate"] == pytest.approx(float(published["length_controlled_winrate"]), abs=1e-6)
    assert row["differ_from_logprobs"] == 0


def test_annotations_as_others_write_them(tmp_path: Path, told: Any) -> None:
    """Whole and broken preferences, old draws, nulls, NaN, what lies outside; newer field names; raw text."""
    common = {
        "output_1": "base",
        "output_2": "four",
        "generator_2": "m",
        "annotator": "weighted_alpaca_eval_gpt4_turbo",
    }
    logprobs = {"logprobs": {"content": [{"top_logprobs": [{"token": "m", "logprob": 0.0}]}]}}
    preferences: list[Any] = [1, 2, 1.0, 1.5, 0, 0.0, None, float("nan"), 3, 1.75, 1.25, 2.0]
    rows = [{**common, "instruction": f"i{n}", "preference": one} for n, one in enumerate(preferences)]
    rows[0]["raw_completion"] = "some text"
    rows[1]["preference_raw_completion"] = logprobs  # says 1 or 2 by the order in which they were shown
    rows[2]["raw_completion"] = {"logprobs": None}
    rows[9]["raw_completion"] = None
    (tmp_path / "annotations.json").write_text(json.dumps(rows))
    row = told(tmp_path / "annotations.json", "alpaca-eval/weighted-gpt4-turbo")["AlpacaEval's leaderboard"]["m"]
    assert (row["n_wins"], row["n_wins_base"], row["n_draws"], row["n_total"], row["n_null"]) == (3, 3, 3, 9, 3)
    assert row["win_rate"] == pytest.approx(100 * (1 + 1.5 + 0.75 + 0.25 + 1) / 9)
    assert row["discrete_win_rate"] == pytest.approx(100 * (3 + 1.5) / 9)
    assert row["avg_length"] == 0  # 12 outputs of 4 characters over 805 instructions


@pytest.mark.parametrize(
    ("file", "judge", "row", "parts"),
    [
        (
            "wizardlm_wrap_reviews_gpt3.5.json.gz",
            "evol-instruct/review-both-orders",
            {"items": 218, "first": 1780.0, "second": 1775.0, "win": 50, "tie": 135, "lose": 33, "contradicting": 128},
            {"by Skill": 29, "by Difficulty": 11},
        ),
        (
            "vicuna_wrap_reviews_gpt4.json.gz",
            "vicuna-80/review-both-orders",
            {"items": 80, "first": 633.25, "second": 605.5, "win": 44, "tie": 15, "lose": 21, "contradicting": 12},
            {"by category": 9},
        ),
    ],
)
def test_reviews_in_both_orders(
    mirror: Path, told: Any, file: str, judge: str, row: dict[str, Any], parts: dict[str, int]
) -> None:
    found = told(mirror / "evol_instruct" / "cherry_vs_alpaca" / file, judge)
    total = found["points of the first side and of the second"]["all"]
    assert {name: total[name] for name in row} == row
    assert (total["unreadable"], total["differ_from_recorded"]) == (0, 0)
    assert {title: len(found[title]) for title in parts} == parts
    if "by Difficulty" in found:
        assert found["by Difficulty"][">=8"]["items"] == 63
    for title in parts:
        assert sum(one["first"] for name, one in found[title].items() if name != ">=8") == total["first"]


def test_reviews_as_others_write_them(tmp_path: Path, told: Any) -> None:
    firsts = ["8 9", "8.5 9", "8,9", "0 10", "8, 9", "8/10 7/10", "85 90", "I cannot", "8 9 ", ""]
    rows = [
        {
            "Answer1": "a", "Answer2": "b", "review": f"{first}\nbecause", "scores": "[-1, -1]",
            "review_reverse": "7 7", "scores_reverse": "[7.0, 7.0]",
        }
        for first in firsts
    ]  # fmt: skip
    rows[0]["scores"], rows[1]["scores"], rows[6]["scores"] = "[8.0, 9.0]", [8.5, 9], "[85, 90]"
    (tmp_path / "r.json").write_text(json.dumps({"Meta_Info": {}, "data": rows}))
    total = told(tmp_path / "r.json", "evol-instruct/review-both-orders")
    row = total["points of the first side and of the second"]["all"]
    assert (row["items"], row["unreadable"], row["differ_from_recorded"]) == (4, 6, 1)
    assert row["first"] == (8 + 8.5 + 8 + 0 + 4 * 7) / 2


def test_reviews_of_the_first_generation(tmp_path: Path, told: Any) -> None:
    """One order only, the reference model first: its published figure is the second side's percent."""
    rows = [
        {"review_id": str(n), "question_id": n, "text": text, "score": score, "reviewer_id": "gpt-4"}
        for n, (text, score) in enumerate([("8 9\nfine", [8, 9]), ("10 7", [10, 7]), ("(7, 8)", [7, 8])], 1)
    ]
    write_lines(tmp_path / "review.jsonl", rows)
    total = told(tmp_path / "review.jsonl", "vicuna-80/review")["points of the first side and of the second"]["all"]
    assert (total["items"], total["first"], total["second"]) == (2, 18, 16)
    assert total["second_percent"] == pytest.approx(100 * 16 / 18)
    assert (total["unreadable"], total["differ_from_recorded"]) == (1, 1)  # mended by hand in the file


@pytest.mark.parametrize("judge", ["mt-bench/single-v1", "alpaca-eval/gpt4"])
def test_an_empty_file_is_no_table(
    mirror: Path, tmp_path: Path, judge: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_DATA_DIR", str(mirror))
    (tmp_path / "empty.json").write_text("[]")
    assert run_command(["grade", "verdicts", str(tmp_path / "empty.json"), "--judge", judge, "--offline"]) == 1
    assert "holds no verdicts" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        ("mt-bench/pair-v2", "not of kind 'pair'"),
        ("mt-bench/single", "mt-bench/single-v1"),
        ("alpaca-eval/gpt4", "no 'instruction'"),
    ],
)
def test_verdicts_of_another_kind_are_one_line(
    mirror: Path, judge: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_DATA_DIR", str(mirror))
    file = mirror / JUDGMENTS.format("FasterDecoding__Medusa")
    assert run_command(["grade", "verdicts", str(file), "--judge", judge, "--offline"]) in (1, 64)
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") <= 2
    assert "Traceback" not in error

"""Files that others published, as they are."""

import pytest

from harness.formats import read_completions


def test_wizardcoders_published_completions(mirror):
    replay = read_completions(mirror / "wizardcoder" / "T0.0_N1_humaneval_wizardcoder33b_v1.1.jsonl.gz", None)
    assert (replay.form, replay.stage, len(replay.rows)) == ("human-eval", "continuation", 164)
    assert {row.sample for row in replay.rows} == {f"HumanEval/{n}" for n in range(164)}
    first = next(row for row in replay.rows if row.sample == "HumanEval/0")
    assert first.text.startswith("from typing import List\n\ndef has_close_elements(")
    assert "### Response" not in first.text
    assert any("'all_code'" in note for note in replay.notes)


@pytest.mark.parametrize(("benchmark", "rows"), [("humaneval", 164), ("mbpp", 399)])
def test_qwens_published_completions(mirror, benchmark, rows):
    folder = mirror / "evalplus" / "published_results" / "qwen2.5-coder" / "7b-base"
    replay = read_completions(folder / benchmark / "generated.jsonl.gz", None)
    assert (replay.form, replay.stage, len(replay.rows)) == ("human-eval", "continuation", rows)
    assert {row.attempt for row in replay.rows} == {0}


def test_mt_bench_answers(mirror):
    replay = read_completions(mirror / "mtbench" / "model_answer" / "wizardlm-13b.jsonl.gz", None)
    assert (replay.form, replay.stage, replay.model, len(replay.rows)) == ("fastchat", "reply", "wizardlm-13b", 160)
    assert {(row.attempt, row.turn) for row in replay.rows} == {(0, 0), (0, 1)}
    assert {row.sample for row in replay.rows} == {str(n) for n in range(81, 161)}


@pytest.mark.parametrize(("model", "rows"), [("wizardlm-13b", 805), ("phi-2", 803)])
def test_alpaca_eval_outputs(mirror, model, rows):
    replay = read_completions(mirror / "alpaca_eval" / "results" / model / "model_outputs.json.gz", None)
    assert (replay.form, replay.stage, replay.model, len(replay.rows)) == ("alpaca-eval", "reply", model, rows)
    assert replay.rows[-1].sample == str(rows - 1)
    assert replay.rows[0].asked == "What are the names of some famous actors that started their careers on Broadway?"


def test_a_data_set_is_no_completions(mirror):
    from harness.errors import DataError

    with pytest.raises(DataError, match="not known; its keys are 'question', 'answer'"):
        read_completions(mirror / "gsm8k" / "test.jsonl.gz", None)

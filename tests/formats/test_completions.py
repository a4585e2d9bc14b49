import gzip
import json
import os
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.formats import read_completions


@pytest.fixture
def write(tmp_path):
    """Write rows as JSON lines under a name, packed where it ends in .gz, and return the path."""

    def make(rows, name="file.jsonl") -> Path:
        text = (
            json.dumps(rows) if name.removesuffix(".gz").endswith(".json") else "\n".join(map(json.dumps, rows)) + "\n"
        )
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return make


@pytest.fixture
def raw(tmp_path):
    """Write bytes as they are."""

    def make(content: bytes, name="file.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return make


def keys(replay):
    return [(row.sample, row.attempt, row.turn, row.text) for row in replay.rows]


# --- plain -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.json.gz", "a.txt"])
def test_plain_rows_in_every_packing(write, name):
    replay = read_completions(write([{"sample": "a", "text": "x"}, {"sample": 7, "text": "y"}], name), None)
    assert keys(replay) == [("a", 0, 0, "x"), ("7", 0, 0, "y")]
    assert (replay.form, replay.stage) == ("plain", "reply")
    assert "stage 'reply'" in replay.notes[0]


def test_plain_repeats_are_attempts_and_turns_are_apart(write):
    rows = [{"sample": "a", "turn": turn, "text": f"{n}.{turn}"} for n in range(2) for turn in range(2)]
    assert keys(read_completions(write(rows), None)) == [
        ("a", 0, 0, "0.0"),
        ("a", 0, 1, "0.1"),
        ("a", 1, 0, "1.0"),
        ("a", 1, 1, "1.1"),
    ]


def test_plain_attempts_as_written(write):
    rows = [{"sample": "a", "attempt": 3, "text": "x", "reasoning": "r"}, {"sample": "a", "attempt": 1, "text": "y"}]
    replay = read_completions(write(rows), None)
    assert keys(replay) == [("a", 3, 0, "x"), ("a", 1, 0, "y")]
    assert [row.reasoning for row in replay.rows] == ["r", None]


def test_a_declared_stage_is_no_guess_and_an_explicit_one_overrides(write):
    path = write([{"sample": "a", "text": "x", "stage": "program"}])
    assert (read_completions(path, None).stage, read_completions(path, None).notes) == ("program", ())
    assert read_completions(path, "reply").rows[0].stage == "reply"


def test_text_is_kept_to_the_character(raw):
    texts = ["\0", "\ud800 lone", "a\r\n\u2028\x0cb", "", "🧙", "x" * 3_000_000]
    lines = [json.dumps({"sample": n, "text": text}) for n, text in enumerate(texts)]
    lines.append('{"sample": 6, "text": "raw \u2028 and \ud800"}')
    replay = read_completions(raw("\n".join(lines).encode("utf-8", "surrogatepass")), None)
    assert [row.text for row in replay.rows] == [*texts, "raw \u2028 and \ud800"]


def test_a_byte_order_mark_and_blank_lines_are_no_rows(raw):
    content = b'\xef\xbb\xbf{"sample": 1, "text": "x"}\r\n\r\n\n{"sample": 2, "text": "y"}'
    assert len(read_completions(raw(content), None).rows) == 2


# --- human-eval and EvalPlus -----------------------------------------------------------------------------------------


def test_human_eval_completions_continue_the_prompt(write):
    rows = [{"task_id": "H/0", "completion": "a"}, {"task_id": "H/1", "completion": "b"}] * 2
    replay = read_completions(write(rows), None)
    assert (replay.form, replay.stage) == ("human-eval", "continuation")
    assert keys(replay) == [("H/0", 0, 0, "a"), ("H/1", 0, 0, "b"), ("H/0", 1, 0, "a"), ("H/1", 1, 0, "b")]
    assert "stage 'continuation'" in replay.notes[0]


def test_evalplus_solutions_are_programs(write):
    replay = read_completions(write([{"task_id": "H/0", "solution": "a", "_identifier": "x"}]), None)
    assert (replay.form, replay.stage) == ("evalplus", "program")
    assert "stage 'program'" in replay.notes[0]


def test_an_explicit_stage_is_not_announced(write):
    replay = read_completions(write([{"task_id": "H/0", "completion": "a"}]), "program")
    assert (replay.stage, replay.notes) == ("program", ())


def test_rows_with_both_are_announced_and_the_stage_chooses(write):
    path = write([{"task_id": "H/0", "completion": "c", "solution": "s"}])
    assert read_completions(path, None).rows[0].text == "s"
    assert read_completions(path, "program").rows[0].text == "s"
    assert read_completions(path, "continuation").rows[0].text == "c"
    assert any("both" in note for note in read_completions(path, "continuation").notes)


def test_a_file_that_mixes_both_keeps_the_stage_of_each_row(write):
    replay = read_completions(write([{"task_id": 1, "completion": "c"}, {"task_id": 2, "solution": "s"}]), None)
    assert [row.stage for row in replay.rows] == ["continuation", "program"]
    assert len(replay.notes) == 2


# --- FastChat, AlpacaEval, lm-eval -----------------------------------------------------------------------------------


def test_fastchat_choices_are_attempts(write):
    choices = [{"index": 1, "turns": ["b0", "b1"]}, {"index": 0, "turns": ["a0", "a1"]}]
    replay = read_completions(write([{"question_id": 81, "model_id": "m", "choices": choices}]), None)
    assert keys(replay) == [("81", 1, 0, "b0"), ("81", 1, 1, "b1"), ("81", 0, 0, "a0"), ("81", 0, 1, "a1")]
    assert (replay.form, replay.stage, replay.model) == ("fastchat", "reply", "m")


def test_alpaca_eval_rows_have_their_number_as_id(write):
    rows = [{"instruction": f"q{n}", "output": f"a{n}", "generator": "m"} for n in range(3)]
    replay = read_completions(write(rows, "model_outputs.json"), None)
    assert keys(replay) == [("0", 0, 0, "a0"), ("1", 0, 0, "a1"), ("2", 0, 0, "a2")]
    assert [row.asked for row in replay.rows] == ["q0", "q1", "q2"]
    assert (replay.form, replay.model) == ("alpaca-eval", "m")
    assert any("no ids" in note for note in replay.notes)


def test_two_models_in_one_file_are_refused(write):
    with pytest.raises(DataError, match="2 models in one file"):
        read_completions(write([{"instruction": "q", "output": "a", "generator": name} for name in "mn"]), None)


@pytest.mark.parametrize("responses", [[["x", "y"]], ["x", "y"], [["x"], ["y"]]])
def test_lm_eval_responses_are_attempts(write, responses):
    replay = read_completions(write([{"doc_id": 0, "doc": {}, "resps": responses}]), None)
    assert keys(replay) == [("0", 0, 0, "x"), ("0", 1, 0, "y")]
    assert replay.form == "lm-eval"


@pytest.mark.parametrize(
    ("record", "sample"), [({"task_id": 11}, "11"), ({"task_id": "Mbpp/11"}, "Mbpp/11"), ({"question": "?"}, "0")]
)
def test_lm_eval_documents_have_the_name_that_their_record_gives(write, record, sample):
    replay = read_completions(write([{"doc_id": 0, "doc": record, "resps": [["x"]]}]), None)
    assert keys(replay) == [(sample, 0, 0, "x")]


def test_lm_eval_filters_do_not_double_a_document(write):
    rows = [{"doc_id": n, "resps": [[f"r{n}"]], "filter": f} for f in ("strict", "flexible") for n in range(2)]
    replay = read_completions(write(rows), None)
    assert keys(replay) == [("0", 0, 0, "r0"), ("1", 0, 0, "r1")]
    assert any("2 rows repeat" in note for note in replay.notes)
    rows[-1]["resps"] = [["other"]]
    with pytest.raises(DataError, match=r"file\.jsonl:4: document 1 has other responses"):
        read_completions(write(rows), None)


def test_lm_eval_likelihoods_are_refused(write):
    with pytest.raises(DataError, match="log-likelihoods"):
        read_completions(write([{"doc_id": 0, "resps": [[[-1.5, False]], [[-2.5, False]]]}]), None)


# --- a cell of ours --------------------------------------------------------------------------------------------------


CELL_ROW = {"sample": "H/0", "attempt": 0, "turn": 0, "prompt_sha256": "0", "text": "x", "stage": "continuation"}


@pytest.mark.parametrize("by", ["folder", "file"])
def test_a_cell_declares_its_stages_and_its_model(write, by):
    journal = write([CELL_ROW, {**CELL_ROW, "attempt": 1, "finish_reason": "length"}], "cell/completions.jsonl")
    (journal.parent / "manifest.json").write_text(json.dumps({"model": {"name": "m"}}))
    replay = read_completions(journal if by == "file" else journal.parent, None)
    assert (replay.form, replay.stage, replay.model, replay.notes) == ("harness-cell", "continuation", "m", ())
    assert [row.finish_reason for row in replay.rows] == [None, "length"]
    assert replay.path == journal


def test_a_torn_tail_of_a_cell_is_left_out_but_a_torn_line_is_not(write):
    journal = write([CELL_ROW], "cell/completions.jsonl")
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"sample": "H/1", "te')
    assert len(read_completions(journal.parent, None).rows) == 1
    journal.write_bytes(whole + b'{"sample": "H/1", "te\n' + whole.replace(b"H/0", b"H/2"))
    with pytest.raises(DataError, match=r"completions\.jsonl:2: not JSON"):
        read_completions(journal.parent, None)


def test_a_cells_likelihoods_are_kept(write):
    row = {**CELL_ROW, "kind": "loglikelihood", "logprobs": {"total": -1.5, "tokens": 2, "greedy": True}}
    [read] = read_completions(write([row], "cell/completions.jsonl"), None).rows
    assert read.logprobs is not None
    assert read.logprobs.total == -1.5
    with pytest.raises(DataError, match="'logprobs' is not readable"):
        read_completions(write([{**row, "logprobs": {"total": "x"}}], "cell/completions.jsonl"), None)


# --- what is wrong with a file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{"sample": "a", "text": "x"}, {"sample": "b", "txt": "x"}],
            r":2: no 'text' \(is 'txt' meant\?\); .*'sample'",
        ),
        ([{"sample": "a", "text": "x"}, {"text": "x"}], r":2: no 'sample'; its keys are 'text'"),
        ([{"sample": "a", "text": None}], r":1: 'text' is null, not a string"),
        ([{"sample": None, "text": "x"}], r":1: 'sample' is null, not an id"),
        ([{"sample": True, "text": "x"}], r":1: 'sample' is true, not an id"),
        ([{"sample": "", "text": "x"}], r":1: 'sample' is an empty string"),
        ([{"sample": 1.5, "text": "x"}], r":1: 'sample' is the number 1.5"),
        ([{"sample": "a", "text": "x", "attempt": -1}], r":1: 'attempt' is the number -1"),
        ([{"sample": "a", "text": "x", "turn": "0"}], r":1: 'turn' is a string"),
        ([{"sample": "a", "text": "x", "stage": "answer"}], r"stage 'answer' is none of reply, continuation, program"),
        ([{"sample": "a", "text": "x", "attempt": 0}] * 2, r":2: sample 'a', attempt 0, turn 0 occurs twice .*:1\)"),
        ([{"task_id": "a", "completion": "x"}, {"task_id": "a"}], r":2: neither 'completion' nor 'solution'"),
        ([{"task_id": "a", "completion": ["x"]}], r":1: 'completion' is a list"),
        ([{"question_id": 1, "choices": []}], r":1: 'choices' is a list"),
        ([{"question_id": 1, "choices": ["x"]}], r":1: choice 0 is a string"),
        ([{"question_id": 1, "choices": [{"turns": [None]}]}], r":1: choice 0 has no list of texts"),
        ([{"question_id": 1, "choices": [{"turns": ["x"], "index": "a"}]}], r":1, choice 0: 'index' is a string"),
        ([{"question_id": 1, "choices": [{"turns": ["x"]}]}] * 2, r":2: sample '1', attempt 0, turn 0 occurs twice"),
        ([{"doc_id": 0, "resps": []}], r":1: 'resps' is empty"),
        ([{"doc_id": 0, "resps": "x"}], r":1: 'resps' is a string"),
        ([{"doc_id": 0, "resps": [[1]]}], r":1: 'resps' holds the number 1"),
        ([{"doc_id": 0, "resps": ["x"]}, {"doc_id": 1}], r":2: no 'resps'"),
        (
            [{"question": "q", "answer": "a"}],
            r":1: a form of file that is not known; its keys are 'question', 'answer'",
        ),
        ([{f"k{n}": 0 for n in range(40)}], r"'k11' and 28 more"),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_keys(write, rows, message):
    with pytest.raises(DataError, match=message):
        read_completions(write(rows), None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no completions"),
        (b"[]", "holds no completions"),
        (b'{"sample": 1, "text": "x"}\n{"sample"', r"file.jsonl:2: not JSON"),
        (b'{\n  "sample": 1\n}', "its keys are 'sample'"),
        (b'{\n  "sample": 1\n', "file.jsonl: not JSON .*at line 3"),
        (b'{"sample": 1, "text": "x"}\n7\n', r"file.jsonl:2: the number 7, not an object"),
        (b'[{"sample": 1, "text": "x"}, 7]', r"file.jsonl: item 1: the number 7"),
        (b'[{"sample": 1, "text": "x"}', r"file.jsonl: not JSON .*is the file complete"),
        (b'{"sample": 1, "text": "\xff"}\n', r"file.jsonl:1: not JSON"),
        (gzip.compress(b'{"sample": 1, "text": "x"}', mtime=0)[:-4], "gzip file is damaged"),
        (b"[" * 200_000, "nested too deeply"),
    ],
)
def test_a_bad_file_is_one_clear_line(raw, content, message):
    with pytest.raises(DataError, match=message) as caught:
        read_completions(raw(content), None)
    assert "\n" not in str(caught.value)


def test_a_missing_file_names_the_nearest(write, tmp_path):
    write([], "samples.jsonl")
    with pytest.raises(DataError, match=r"did you mean 'samples\.jsonl'"):
        read_completions(tmp_path / "sample.jsonl", None)
    with pytest.raises(DataError, match="no such file"):
        read_completions(tmp_path / "nowhere" / "sample.jsonl", None)


def test_a_folder_that_is_no_cell_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"a folder without completions\.jsonl"):
        read_completions(tmp_path, None)


def test_a_pipe_is_refused_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe: a pipe or device") as caught:
        read_completions(tmp_path / "pipe", None)
    assert "save it to a file" in caught.value.remedy

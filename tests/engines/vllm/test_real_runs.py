"""On real vLLM: whole runs, and runs whose servers are killed, stopped and killed again and again."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from harness.engines.vllm.warden import descendants
from tests.engines.vllm.real import START_SECONDS, Run, start
from tests.engines.vllm.test_warden import gone
from tests.engines.vllm_fixture import Checkpoints

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * START_SECONDS)]

HUMANEVAL = "humaneval/zero-shot"
GSM8K = "gsm8k/wizardmath-cot"
ITEMS = 60
ASKED = ("--task", HUMANEVAL, "--limit", str(ITEMS), "--concurrency", "4", "--max-new-tokens", "64")


@pytest.fixture(scope="module")
def undisturbed(
    vllm_command: Path, checkpoints: Checkpoints, mirror: Path, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """Items of HumanEval and GSM8K by two servers."""
    runs = tmp_path_factory.mktemp("undisturbed") / "runs"
    run = start(
        vllm_command,
        runs,
        "--model",
        checkpoints.vicuna,
        *ASKED,
        "--task",
        GSM8K,
        "--data-dir",
        mirror,
        "--replicas",
        "2",
    )
    assert run.finish() == 0, run.said()
    return run


def test_humaneval_and_gsm8k_end_to_end(undisturbed: Run) -> None:
    for task in (HUMANEVAL, GSM8K):
        manifest = undisturbed.manifest(task)
        assert manifest["state"] == "complete"
        assert manifest["model"]["identity"] == "sha256"
        assert len(undisturbed.records(task)) == ITEMS
        assert {record["value"] for record in undisturbed.records(task).values()} <= {0.0, 1.0}
    # the checkpoint's generation_config.json asks for 5 tokens at temperature 1.5
    assert max(record["completion_tokens"] for record in undisturbed.records(HUMANEVAL).values()) > 5
    said = undisturbed.said()
    assert said.count("starting vLLM for vicuna") == 1  # one engine for both tasks
    logs = sorted((undisturbed.runs / "vicuna").glob("vllm-*.log"))
    assert len(logs) == 2
    assert "vLLM 0." in said
    assert "token ids checked" in said
    assert "pip install tokenizers" not in said  # compared with the checkpoint's own tokenizer


def test_a_server_that_is_killed_stopped_and_killed_again(
    undisturbed: Run, vllm_command: Path, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    asked = ("--model", checkpoints.vicuna, *ASKED, "--vllm-restarts", "2", "--vllm-stall-timeout", "10")
    run = start(vllm_command, tmp_path / "runs", *asked)
    for restarts, (share, number) in enumerate(((0.25, signal.SIGKILL), (0.4, signal.SIGSTOP), (0.55, signal.SIGKILL))):
        run.wait_for(lambda wanted=restarts: run.said().count("is ready again") == wanted)
        _at(run, share)
        os.kill(run.servers()[0], number)
    assert run.finish() == 1
    assert "gave no sign of life for 10 s; starting it again (2 of 2)" in run.said()
    (error,) = [line for line in run.said().splitlines() if line.startswith("error: ")]
    assert "it was started again 2 times" in error
    manifest = run.manifest(HUMANEVAL)
    assert (manifest["state"], manifest["invocations"][-1]["exit"]) == ("partial", 1)
    kept = (run.cell(HUMANEVAL) / "completions.jsonl").read_bytes()
    assert ITEMS * 0.55 <= len(kept.splitlines()) < ITEMS

    again = start(vllm_command, tmp_path / "runs", *asked)
    assert again.finish() == 0, again.said()
    assert (again.cell(HUMANEVAL) / "completions.jsonl").read_bytes().startswith(kept)
    assert again.records(HUMANEVAL) == undisturbed.records(HUMANEVAL)


def test_nothing_is_left_after_kill_9_of_a_run_with_an_adapter(
    undisturbed: Run, vllm_command: Path, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    asked = ("--model", checkpoints.vicuna, "--lora", checkpoints.adapter, *ASKED)
    run = start(vllm_command, tmp_path / "runs", *asked)
    _at(run, 0.25)
    below = descendants(run.process.pid)
    assert run.servers()
    run.process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    run.process.wait()
    assert gone(below, 10 - (time.monotonic() - killed))

    assert run.manifest(HUMANEVAL)["model"]["name"] == "vicuna+adapter"
    assert run.cell(HUMANEVAL).name != undisturbed.cell(HUMANEVAL).name
    base = undisturbed.records(HUMANEVAL)
    answers = {key: record["text"] for key, record in run.records(HUMANEVAL).items() if "text" in record}
    assert any(text != base[key]["text"] for key, text in answers.items())


def test_a_changed_tokenizer_is_another_cell(
    undisturbed: Run, vllm_command: Path, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    changed = tmp_path / "vicuna"
    shutil.copytree(checkpoints.vicuna, changed)
    tokenizer = json.loads((changed / "tokenizer.json").read_text())
    tokenizer["model"]["merges"].pop()
    (changed / "tokenizer.json").write_text(json.dumps(tokenizer))
    run = start(vllm_command, tmp_path / "runs", "--model", changed, *ASKED, "--limit", "2")
    assert run.finish() == 0, run.said()
    ours, theirs = run.manifest(HUMANEVAL)["model"], undisturbed.manifest(HUMANEVAL)["model"]
    assert ours["identity"] == theirs["identity"] == "sha256"
    assert ours["weights"] == theirs["weights"]
    assert ours["tokenizer"] != theirs["tokenizer"]
    assert run.cell(HUMANEVAL).name != undisturbed.cell(HUMANEVAL).name


def _at(run: Run, share: float) -> None:
    """Wait until so much of the journal is written, and see that it is not more than three quarters."""
    run.wait_for(lambda: run.journaled() >= ITEMS * share)
    assert run.journaled() <= ITEMS * 3 // 4

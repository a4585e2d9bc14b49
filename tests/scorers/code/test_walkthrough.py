"""docs/code-benchmarks.md: a benchmark of one's own, as the page has it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from harness.cli import main


def test_the_walk_through_of_the_docs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (repository / "docs" / "code-benchmarks.md").read_text(encoding="utf-8")
    walk = page[page.index("## Another benchmark of Python functions") :]
    blocks = dict(re.findall(r"```(json|toml|)\n(.*?)```", walk, re.DOTALL))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my" / "tasks" / "mine"
    folder.mkdir(parents=True)
    data = blocks["json"].encode()
    (folder / "mine.jsonl").write_bytes(data)
    spec = blocks["toml"].replace("<sha256 of mine.jsonl>", hashlib.sha256(data).hexdigest())
    (folder / "first.toml").write_text(spec, encoding="utf-8")
    commands = [line.partition("#")[0].split() for line in blocks[""].splitlines()]
    assert [command[:2] for command in commands] == [["harness", "check"], ["harness", "run"]]
    for command in commands:
        assert main(command[1:]) == 0
    told = capsys.readouterr().out
    assert "mine/first: 1 of 1 references pass" in told
    assert "100.0 %" in told

"""docs/code-benchmarks.md: a benchmark of one's own, as the page has it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from harness.cli import main


def test_the_walk_through_of_the_docs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (repository / "docs" / "code-benchmarks.md").read_text(encoding="utf-8")
    walk = page[page.index("## Another benchmark of Python functions") :]
    blocks = re.findall(r"^```(json|toml|)\n(.*?)^```", walk, re.DOTALL | re.MULTILINE)
    (_, records), (_, declared), (_, shell), (_, changed) = blocks
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my" / "tasks" / "mine"
    folder.mkdir(parents=True)
    data = records.encode()
    (folder / "mine.jsonl").write_bytes(data)
    spec = declared.replace("<sha256 of mine.jsonl>", hashlib.sha256(data).hexdigest())
    (folder / "first.toml").write_text(spec, encoding="utf-8")
    commands = [line.partition("#")[0].split() for line in shell.splitlines()]
    assert [command[:2] for command in commands] == [["harness", "check"], ["harness", "run"], ["harness", "run"]]
    for command in commands[:2]:  # the last one needs a checkpoint
        assert main(command[1:]) == 0
    told = capsys.readouterr().out
    assert "mine/first: 1 of 1 references pass" in told
    assert "100.0 %" in told

    replaced = "|".join(map(re.escape, re.findall(r"^\[\w+\]", changed, re.MULTILINE)))
    plain = spec.replace('stage = "continuation"\n', "")
    kept = re.sub(rf"(?:{replaced})\n.*?(?=^\[|\Z)", "", plain, flags=re.DOTALL | re.MULTILINE)
    (folder / "chat.toml").write_text(kept + changed, encoding="utf-8")
    (tmp_path / "replies.jsonl").write_text(
        json.dumps({"sample": "Mine/0", "text": "Sure: `def twice(a): return a + a`"}) + "\n", encoding="utf-8"
    )
    for command in (["check", "mine/chat"], ["score", "replies.jsonl", "--task", "mine/chat"]):
        assert main([*command, "--catalog", "my"]) == 0
    told = capsys.readouterr().out
    assert "mine/chat: 1 of 1 references pass" in told
    assert "100.0 %" in told

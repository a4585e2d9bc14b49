"""A small benchmark of our own, and a run of it: what most commands need."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import main

COUNTRIES = {"France": "Paris", "Japan": "Tokyo", "Peru": "Lima", "Kenya": "Nairobi"}

SPEC = """
version = 1
title = "Capitals of four countries"
metric = "correct"

[dataset]
name = "capitals"
source = "file:capitals.jsonl"
sha256 = "{sha256}"
records = 4
id = "id"
licence = "CC0-1.0"

[prompt]
turns = ["What is the capital of {{country}}?"]

[sampling]
temperature = 0.0
max_new_tokens = 16

[scorer]
name = "exact-match"
options = {{ gold = "{{capital}}" }}

[reference]
text = "{{capital}}"
stage = "reply"
"""


@pytest.fixture
def capitals(tmp_path: Path) -> Path:
    """A catalog folder with the task ``capitals/plain`` and its data."""
    folder = tmp_path / "own" / "tasks" / "capitals"
    folder.mkdir(parents=True)
    rows = [
        json.dumps({"id": country.lower(), "country": country, "capital": capital})
        for country, capital in COUNTRIES.items()
    ]
    data = "".join(f"{row}\n" for row in rows).encode()
    (folder / "capitals.jsonl").write_bytes(data)
    (folder / "plain.toml").write_text(SPEC.format(sha256=hashlib.sha256(data).hexdigest()))
    return tmp_path / "own"


@pytest.fixture
def harness(capitals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command, in an empty folder; ``catalog=True`` adds the small benchmark's."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)

    def command(*arguments: str, catalog: bool = True) -> int:
        return main([*arguments, *(("--catalog", str(capitals)) if catalog else ())])

    return command

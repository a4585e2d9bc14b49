from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.catalog import Catalog

TASK = """\
version = 1
title = "Sums of two numbers"
metric = "correct"

[dataset]
name = "sums"
source = "file:sums.jsonl"
sha256 = "{sha256}"

[prompt]
turns = ["{question}"]

[sampling]
temperature = 0.0
max_new_tokens = 16

[scorer]
name = "exact"
""".replace("{sha256}", "ab" * 32)


@pytest.fixture
def task_text() -> str:
    """A valid task, to change one thing in."""
    return TASK


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's catalog folder with the task ``sums/plain``."""
    (tmp_path / "tasks" / "sums").mkdir(parents=True)
    (tmp_path / "tasks" / "sums" / "plain.toml").write_text(TASK)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[[str], Catalog]:
    """Write the text of ``sums/plain`` and load the catalog."""

    def load(text: str) -> Catalog:
        (folder / "tasks" / "sums" / "plain.toml").write_text(text)
        return Catalog.load([folder])

    return load

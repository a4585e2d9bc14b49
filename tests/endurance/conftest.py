"""Tasks of our own, of any size."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

SPEC = """
version = 1
title = "Numbers"
metric = "correct"

[dataset]
name = "numbers"
source = "file:numbers.jsonl"
sha256 = "{sha256}"

[prompt]
turns = ["What is item {{n}}?"]
format = "raw"

[sampling]
temperature = 0.0
max_new_tokens = 16

[scorer]
name = "exact-match"
options = {{ gold = "It is {{n}}." }}

[reference]
text = "It is {{n}}."
stage = "reply"
"""


@pytest.fixture
def numbers(tmp_path: Path) -> Callable[[int], Path]:
    """Makes a catalog folder with the task ``numbers/plain`` of so many items."""

    def make(items: int) -> Path:
        folder = tmp_path / "own" / "tasks" / "numbers"
        folder.mkdir(parents=True)
        data = "".join(json.dumps({"n": number}) + "\n" for number in range(items)).encode()
        (folder / "numbers.jsonl").write_bytes(data)
        (folder / "plain.toml").write_text(SPEC.format(sha256=hashlib.sha256(data).hexdigest()))
        return tmp_path / "own"

    return make


@pytest.fixture
def sums(code_task: Callable[..., Path]) -> Callable[[int], Path]:
    """Adds the task ``own/human-eval`` of so many functions to the same catalog folder."""

    def make(items: int) -> Path:
        records = [
            {
                "task_id": f"sums/{n}",
                "prompt": f'def add(x):\n    """Add item {n}."""\n',
                "entry_point": "add",
                "canonical_solution": f"    return x + {n}\n",
                "test": f"def check(candidate):\n    assert candidate(1) == {n + 1}\n",
            }
            for n in range(items)
        ]
        return code_task(records, scorer="human-eval", metric="pass")

    return make

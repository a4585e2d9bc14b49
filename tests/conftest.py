"""Fixtures that tests of several packages use."""

import hashlib
import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["tests.engines.vllm_fixture", "tests.parallel"]

REPOSITORY = Path(__file__).resolve().parents[1]

CODE_TASK = """
version = 1
title = "Own"
metric = "{metric}"
stage = "continuation"

[dataset]
name = "own"
source = "file:own.jsonl"
sha256 = "{sha256}"
id = "task_id"

[prompt]
turns = ["{{prompt}}"]
format = "raw"

[sampling]
temperature = 0.0
max_new_tokens = 64

[scorer]
name = "{scorer}"

[reference]
text = "{{canonical_solution}}"
"""

# A shell's background job ignores SIGINT, and so would every process that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def mirror() -> Path:
    """A folder of published benchmark data: HARNESS_TEST_DATA, or shared/data beside the checkout."""
    named = os.environ.get("HARNESS_TEST_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no mirror of benchmark data at {folder}; name one with HARNESS_TEST_DATA")
    return folder


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees the user's settings or writes in the user's cache or another test's."""
    for name in ("HARNESS_RUNS", "HARNESS_DATA_DIR", "HARNESS_ENDPOINT_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def code_task(tmp_path: Path) -> Callable[..., Path]:
    """Adds the task ``own/SCORER``, functions to complete, and its data to one catalog folder; gives that folder."""

    def add(records: Sequence[Mapping[str, Any]], *, scorer: str, metric: str) -> Path:
        folder = tmp_path / "own" / "tasks" / "own"
        folder.mkdir(parents=True, exist_ok=True)
        data = "".join(f"{json.dumps(record)}\n" for record in records).encode()
        (folder / "own.jsonl").write_bytes(data)
        text = CODE_TASK.format(sha256=hashlib.sha256(data).hexdigest(), scorer=scorer, metric=metric)
        (folder / f"{scorer}.toml").write_text(text)
        return tmp_path / "own"

    return add

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.types import Completion, DatasetFacts, ErrorRecord, Manifest, ModelFacts, Sampling, Score, TaskFacts

ASK = "a1b2c3d4" + "0" * 56


@pytest.fixture
def manifest() -> Manifest:
    return Manifest(
        ask_id=ASK,
        state="partial",
        task=TaskFacts(name="toy/plain", version=1),
        model=ModelFacts(name="toy-model", identity="declared"),
        datasets=(DatasetFacts(name="toy", sha256="0" * 64, records=3),),
        sampling=Sampling(temperature=0.0, max_new_tokens=16),
        seed=0,
        expected=3,
    )


@pytest.fixture
def completion() -> Callable[..., Completion]:
    def make(sample: str = "0", attempt: int = 0, turn: int = 0, **fields: Any) -> Completion:
        given = {"prompt": "Q", "prompt_sha256": "ab" * 32, "text": "A", "finish_reason": "stop", **fields}
        return Completion(sample=sample, attempt=attempt, turn=turn, **given)

    return make


@pytest.fixture
def error() -> Callable[..., ErrorRecord]:
    def make(sample: str = "0", code: str = "http-500") -> ErrorRecord:
        return ErrorRecord(sample=sample, attempt=0, turn=0, where="request", code=code, message="no")

    return make


@pytest.fixture
def score() -> Callable[..., Score]:
    def make(sample: str = "0", value: float | None = 1.0, attempt: int = 0, metric: str = "pass") -> Score:
        reason = "unscored" if value is None else "ok" if value else "wrong"
        return Score(sample=sample, attempt=attempt, turn=0, metric=metric, value=value, reason=reason)

    return make


@pytest.fixture
def cell_folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "toy-model" / "toy" / "plain" / ASK[:8]

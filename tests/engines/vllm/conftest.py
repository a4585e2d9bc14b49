"""A checkpoint of a few bytes and a stand-in for vLLM, for what needs no model."""

import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.engines import EngineOptions
from harness.engines.vllm.options import VllmOptions

FAKE = Path(__file__).with_name("fake_vllm.py")
Options = Callable[..., EngineOptions]


def save_weights(path: Path, fill: bytes = b"\x01", size: int = 64 * 1024) -> None:
    """A well-formed safetensors file of one tensor of ``size`` bytes."""
    header = json.dumps({"w": {"dtype": "BF16", "shape": [size // 2], "data_offsets": [0, size]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + fill * size)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A folder that looks like a checkpoint."""
    folder = tmp_path / "ckpt-100"
    folder.mkdir()
    config = {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 512, "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text('{"model": {}}')
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}))
    save_weights(folder / "model.safetensors")
    return folder


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    """Engine options with which the stand-in is started; ``fake`` says how it behaves."""

    def make(fake: dict[str, Any] | None = None, **changes: Any) -> EngineOptions:
        monkeypatch.setenv("FAKE_VLLM", json.dumps(fake or {}))
        own = {"command": f"{sys.executable} {FAKE}", "logs": tmp_path / "runs", "start_timeout": 30.0}
        return EngineOptions(concurrency=8, vllm=VllmOptions(**(own | changes)))

    return make

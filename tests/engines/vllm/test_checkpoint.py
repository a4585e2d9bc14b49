"""What a checkpoint says of itself, what it lacks, and which one it is."""

import hashlib
import json
import math
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.engines.vllm import digests, hub
from harness.engines.vllm.adapter import read_adapter
from harness.engines.vllm.checkpoint import Checkpoint, read_checkpoint
from harness.errors import EngineError
from tests.engines.vllm.conftest import save_weights


def read(folder: Path) -> Checkpoint:
    return read_checkpoint(folder, folder.name)


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def save_tensors(path: Path, shapes: dict[str, list[int]]) -> None:
    """A well-formed safetensors file of zeros."""
    header: dict[str, object] = {}
    end = 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end := end + 4 * math.prod(shape)]}
    raw = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(end))


def test_context_and_number_format_are_the_configurations(checkpoint: Path) -> None:
    found = read(checkpoint)
    assert (found.context, found.dtype, found.template, found.special("bos_token")) == (512, "float32", None, "<s>")
    change(checkpoint / "tokenizer_config.json", model_max_length=256)
    assert read(checkpoint).context == 256
    change(checkpoint / "tokenizer_config.json", model_max_length=1e30)
    assert read(checkpoint).context == 512


def test_number_format_is_else_the_weights(checkpoint: Path) -> None:
    change(checkpoint / "config.json", dtype=None, max_position_embeddings=None)
    found = read(checkpoint)
    assert (found.context, found.dtype) == (None, "bfloat16")
    change(checkpoint / "config.json", torch_dtype="torch.float16")
    assert read(checkpoint).dtype == "float16"
    change(checkpoint / "config.json", text_config={"dtype": "float32", "max_position_embeddings": 99})
    assert (read(checkpoint).dtype, read(checkpoint).context) == ("float32", 99)


def test_templates_lie_in_several_places(checkpoint: Path) -> None:
    change(checkpoint / "tokenizer_config.json", chat_template=[{"name": "default", "template": "D"}])
    assert read(checkpoint).template == "D"
    change(checkpoint / "tokenizer_config.json", chat_template="T")
    assert read(checkpoint).template == "T"
    (checkpoint / "chat_template.json").write_text(json.dumps({"chat_template": "J"}))
    assert read(checkpoint).template == "J"
    (checkpoint / "chat_template.jinja").write_text("F")
    assert read(checkpoint).template == "F"


def truncate(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-5])


def index(folder: Path) -> None:
    names = {"a": "model.safetensors", "b": "model-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def adapter(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "adapter_config.json").write_text("{}")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "config.json").unlink(), "no config.json"),
        (lambda f: (f / "config.json").write_text("{"), "config.json: not JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "holds no JSON object"),
        (lambda f: change(f / "config.json", architectures=[]), "names no architectures"),
        (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer"),
        (lambda f: (f / "tokenizer.json").write_text("x"), "tokenizer.json: not JSON"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "tokenizer.json: holds no tokenizer"),
        (lambda f: (f / "chat_template.jinja").write_bytes(b"\xff"), "chat_template.jinja: cannot be read"),
        (lambda f: (f / "model.safetensors").unlink(), "no weights"),
        (lambda f: (f / "model.safetensors").write_text("version https://git-lfs"), "no safetensors file"),
        (truncate, "its header promises"),
        (index, r"model-2.safetensors is missing \(1 of 2 files"),
        (adapter, "a LoRA adapter, no checkpoint"),
    ],
)
def test_what_is_missing_or_damaged_is_named(checkpoint: Path, spoil: Callable[[Path], object], said: str) -> None:
    spoil(checkpoint)
    with pytest.raises(EngineError, match=said) as caught:
        digests.quick(read(checkpoint))
    assert caught.value.remedy


def test_the_quick_identity_tells_two_steps_of_one_run_apart(checkpoint: Path, tmp_path: Path) -> None:
    before = digests.quick(read(checkpoint))
    assert digests.quick(read(checkpoint)) == before
    save_weights(checkpoint / "model.safetensors", b"\x02")
    after = digests.quick(read(checkpoint))
    assert after != before
    change(checkpoint / "config.json", rope_theta=5)
    assert digests.quick(read(checkpoint)) != after
    moved = checkpoint.rename(tmp_path / "elsewhere")
    assert digests.quick(read(moved)) == digests.quick(read(moved))


def test_tokenizer_and_template_are_hashed_apart(checkpoint: Path) -> None:
    before = digests.tokenizer(read(checkpoint))
    change(checkpoint / "tokenizer_config.json", chat_template="T")
    assert digests.tokenizer(read(checkpoint)) == before
    (checkpoint / "tokenizer.json").write_text('{"model": {"changed": 1}}')
    assert digests.tokenizer(read(checkpoint)) != before


def test_the_full_digest_is_one_that_a_person_can_repeat(checkpoint: Path, tmp_path: Path) -> None:
    save_weights(checkpoint / "model-2.safetensors", b"\x03")
    found = digests.full(read(checkpoint).weights, tmp_path / "digests")
    told = subprocess.run("sha256sum *.safetensors | sha256sum", shell=True, cwd=checkpoint, capture_output=True)
    assert found == told.stdout.split()[0].decode()


def test_the_full_digest_is_remembered_by_size_and_time(checkpoint: Path, tmp_path: Path) -> None:
    weights = read(checkpoint).weights
    first = digests.full(weights, tmp_path / "digests")
    (entry,) = (tmp_path / "digests").iterdir()
    change(entry, sha256="0" * 64)
    trusted = digests.full(weights, tmp_path / "digests")
    assert trusted == hashlib.sha256(f"{'0' * 64}  model.safetensors\n".encode()).hexdigest()
    save_weights(weights[0], b"\x01")
    assert digests.full(weights, tmp_path / "digests") == first


def test_hashing_can_be_given_up(checkpoint: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(digests.HashingStoppedError):
        digests.full(read(checkpoint).weights, tmp_path / "digests", stop)


def test_a_hub_id_is_found_in_the_cache(checkpoint: Path, tmp_path: Path) -> None:
    commit = "ab" * 20
    place = tmp_path / "hub" / "models--wiz--coder"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    (place / "snapshots").mkdir()
    environ = {"HF_HUB_CACHE": str(tmp_path / "hub")}
    assert hub.snapshot("wiz/coder", environ) is None
    folder = checkpoint.rename(place / "snapshots" / commit)
    assert hub.snapshot("wiz/coder", environ) == (folder, commit)
    assert hub.snapshot(f"wiz/coder@{commit}", environ) == (folder, commit)
    assert hub.snapshot("wiz/coder@v2", environ) is None
    assert hub.snapshot("wiz/coder@../../x", environ) is None
    assert hub.cache({"HF_HOME": "/h"}) == Path("/h/hub")


async def test_a_hub_id_that_is_not_there_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        EngineError, match="HF_HUB_OFFLINE is set — download it first: hf download wiz/coder --revision v2"
    ):
        await hub.fetch("wiz/coder@v2", None, print)


def test_an_adapter_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "tuned"
    folder.mkdir()
    with pytest.raises(EngineError, match=r"no adapter_config\.json there"):
        read_adapter(folder, tmp_path / "digests")
    (folder / "adapter_config.json").write_text(json.dumps({"r": 12}))
    with pytest.raises(EngineError, match=r"no adapter_model\.safetensors"):
        read_adapter(folder, tmp_path / "digests")
    save_weights(folder / "adapter_model.safetensors")
    found = read_adapter(folder, tmp_path / "digests")
    assert (found.name, found.rank, found.rank_allowed) == ("tuned", 12, 16)
    shapes = {f"m.{name}.lora_{part}.weight": shape for name in "qv" for part, shape in (("A", [4, 9]), ("B", [9, 4]))}
    save_tensors(folder / "adapter_model.safetensors", shapes)
    with pytest.raises(
        EngineError, match=r"r is 12, and adapter_model\.safetensors has rank 4 — copy the adapter again"
    ):
        read_adapter(folder, tmp_path / "digests")
    (folder / "adapter_config.json").write_text(json.dumps({"r": 4}))
    assert read_adapter(folder, tmp_path / "digests").rank_allowed == 8
    save_weights(folder / "adapter_model.safetensors", b"\x09")
    assert read_adapter(folder, tmp_path / "digests").sha256 != found.sha256

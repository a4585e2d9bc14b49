"""A LoRA adapter: its rank, its name and the digest of its files."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from harness.engines.vllm import digests
from harness.engines.vllm.checkpoint import safetensors_header
from harness.errors import EngineError

_FILES = ("adapter_model.safetensors", "adapter_model.bin", "adapter_model.pt")
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Values that vLLM's ``--max-lora-rank`` takes."""


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """A LoRA adapter.

    Attributes:
        name: For people and requests: the folder's name.
        folder: Where its files are.
        rank: As trained.
        sha256: Of configuration and weights.
    """

    name: str
    folder: Path
    rank: int
    sha256: str

    @property
    def rank_allowed(self) -> int:
        """The least of vLLM's bounds that admits this rank."""
        return next((bound for bound in _RANKS if bound >= self.rank), self.rank)


def read_adapter(folder: Path, cache: Path) -> Adapter:
    """Read an adapter's folder.

    Raises:
        EngineError: A file is missing or unreadable.
    """
    file = folder / "adapter_config.json"
    try:
        config = json.loads(file.read_bytes())
        rank = config["r"]
    except OSError as error:
        raise EngineError(
            f"--lora {folder}: no adapter_config.json there", "name the folder that PEFT saved the adapter to"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{file}: no configuration of a LoRA adapter", "save the adapter again with PEFT") from error
    weights = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if weights is None:
        raise EngineError(f"{folder}: no {_FILES[0]}", "save the adapter again with PEFT", code="vllm-missing-file")
    if not isinstance(rank, int) or rank < 1:
        raise EngineError(f"{file}: r is no rank", "save the adapter again with PEFT")
    if not config.get("rank_pattern") and not config.get("target_parameters"):  # else modules differ in rank
        _check_rank(file, rank, weights)
    return Adapter(
        name=folder.resolve().name, folder=folder.resolve(), rank=rank, sha256=digests.full((file, weights), cache)
    )


def _check_rank(file: Path, rank: int, weights: Path) -> None:
    """Refuse weights of another rank: vLLM loads them, and scales by the rank that the configuration states.

    Raises:
        EngineError: They have one.
    """
    if weights.suffix != ".safetensors":
        return
    header = json.loads(safetensors_header(weights))
    shapes = [entry.get("shape") for name, entry in header.items() if name.endswith("lora_A.weight")]
    there = {shape[0] for shape in shapes if isinstance(shape, list) and shape}
    if there - {rank}:
        raise EngineError(
            f"{file}: r is {rank}, and {weights.name} has rank {', '.join(map(str, sorted(there)))}",
            "copy the adapter again: configuration and weights are of two adapters",
            code="vllm-lora",
        )

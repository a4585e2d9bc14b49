"""A checkpoint on disk: where it is, what it says of itself, and whether it is whole."""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import EngineError

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tekken.json",
    "spiece.model",
)
_VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json", "spiece.model")
_LONGEST_HEADER = 100 * 2**20
_CONTEXT_KEYS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
    "model_max_length",
)
"""Where configurations keep the context, as vLLM looks for it; the smallest holds."""
_DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint's files say.

    Attributes:
        name: For people and folders: the hub id, or the folder's name.
        folder: Where the files are.
        revision: Commit of the hub; None for a folder.
        config: config.json.
        tokenizer_config: tokenizer_config.json; empty where absent.
        template: The chat template's text; None where it has none.
        weights: The files that vLLM loads, by name.
    """

    name: str
    folder: Path
    revision: str | None
    config: Mapping[str, Any]
    tokenizer_config: Mapping[str, Any]
    template: str | None
    weights: tuple[Path, ...]

    @property
    def text_config(self) -> Mapping[str, Any]:
        """The language model's part of the configuration."""
        inner = self.config.get("text_config")
        return inner if isinstance(inner, dict) else self.config

    @property
    def context(self) -> int | None:
        """Longest context in tokens that the configuration states; None where it states none.

        Without stretching: a rope scaling in the configuration allows more, on request.
        """
        found = [self.text_config.get(key) for key in _CONTEXT_KEYS]
        found.append(self.tokenizer_config.get("model_max_length"))  # vLLM heeds it too
        lengths = [int(value) for value in found if isinstance(value, int | float) and 0 < value < 2**31]
        return min(lengths) if lengths and any(value is not None for value in found[:-1]) else None

    @property
    def dtype(self) -> str | None:
        """The number format that the configuration states, else the one that most of the weights have."""
        for config in (self.text_config, self.config):
            for key in ("dtype", "torch_dtype"):
                value = config.get(key)
                if isinstance(value, str) and value.removeprefix("torch.") not in ("", "auto"):
                    return value.removeprefix("torch.")
        kinds: Counter[str] = Counter()
        for path in self.weights[:1]:
            if path.suffix == ".safetensors":
                header = json.loads(safetensors_header(path))
                kinds.update(value["dtype"] for key, value in header.items() if key != "__metadata__")
        return next((_DTYPES[kind] for kind, _ in kinds.most_common() if kind in _DTYPES), None)

    def special(self, token: str) -> str:
        """Text of a special token (``bos_token``); empty where there is none."""
        value = self.tokenizer_config.get(token)
        if isinstance(value, dict):
            value = value.get("content")
        return value if isinstance(value, str) else ""


def read_checkpoint(folder: Path, name: str, revision: str | None = None) -> Checkpoint:
    """Read what a folder says of itself, and check that vLLM can find everything it needs.

    Raises:
        EngineError: Something is missing or unreadable; names the file.
    """
    if not folder.is_dir():
        raise EngineError(f"{folder}: no such folder", "name a checkpoint's folder, or a hub id (OWNER/NAME)")
    if not (folder / "config.json").is_file():
        raise _not_a_checkpoint(folder)
    config = _json(folder / "config.json")
    if not config.get("architectures"):
        raise EngineError(
            f"{folder / 'config.json'}: names no architectures", "save the model with its transformers class"
        )
    if not any((folder / file).is_file() for file in _VOCABULARIES):
        raise EngineError(
            f"{folder}: no tokenizer ({', '.join(_VOCABULARIES[:3])})",
            "save the tokenizer beside the weights: tokenizer.save_pretrained(FOLDER)",
            code="vllm-missing-file",
        )
    tokenizer_config = _json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").exists() else {}
    if (folder / "tokenizer.json").exists() and "model" not in _json(folder / "tokenizer.json"):
        raise EngineError(
            f"{folder / 'tokenizer.json'}: holds no tokenizer",
            "save the tokenizer beside the weights: tokenizer.save_pretrained(FOLDER)",
            code="vllm-tokenizer",
        )
    return Checkpoint(
        name=name,
        folder=folder,
        revision=revision,
        config=config,
        tokenizer_config=tokenizer_config,
        template=_template(folder, tokenizer_config),
        weights=_weights(folder),
    )


def safetensors_header(path: Path) -> bytes:
    """The JSON header of a safetensors file, checked against the file's size.

    Raises:
        EngineError: The file is no safetensors file, or shorter than its header says.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            (length,) = struct.unpack("<Q", file.read(8))
            raw = file.read(min(length, _LONGEST_HEADER))
            header = json.loads(raw)
            ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
    except OSError as error:
        raise EngineError(f"{path}: cannot be read ({error.strerror})", "check its permissions") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error) as error:
        raise EngineError(
            f"{path}: no safetensors file",
            "copy the checkpoint again (a git-lfs pointer is no file)",
            code="vllm-weights",
        ) from error
    if size != 8 + length + max(ends, default=0):
        raise EngineError(
            f"{path}: has {size:,} bytes, and its header promises {8 + length + max(ends, default=0):,}",
            "copy the checkpoint again",
            code="vllm-weights",
        )
    return raw


def _not_a_checkpoint(folder: Path) -> EngineError:
    if (folder / "adapter_config.json").is_file():
        return EngineError(
            f"{folder}: a LoRA adapter, no checkpoint", f"serve its base model: --model BASE --lora {folder}"
        )
    inside = sorted(path.parent.name for path in folder.glob("*/config.json"))
    hint = f"; it holds {', '.join(inside[:5])}" if inside else ""
    return EngineError(
        f"{folder}: no config.json{hint}",
        "name the folder that holds config.json, the weights and the tokenizer",
        code="vllm-missing-file",
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise EngineError(f"{path}: cannot be read ({error.strerror})", "check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise EngineError(
            f"{path}: not JSON ({error})", "copy the checkpoint again", code="vllm-missing-file"
        ) from error
    if not isinstance(value, dict):
        raise EngineError(f"{path}: holds no JSON object", "copy the checkpoint again", code="vllm-missing-file")
    return value


def _template(folder: Path, tokenizer_config: Mapping[str, Any]) -> str | None:
    """The default chat template, from the places that transformers reads, in its order."""
    text = folder / "chat_template.jinja"
    if text.is_file():
        try:
            return text.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise EngineError(
                f"{text}: cannot be read ({error})", "save the template as UTF-8", code="vllm-template"
            ) from error
    if (folder / "chat_template.json").is_file():
        value = _json(folder / "chat_template.json").get("chat_template")
    else:
        value = tokenizer_config.get("chat_template")
    if isinstance(value, list):  # several by name
        named = {one.get("name"): one.get("template") for one in value if isinstance(one, dict)}
        value = named.get("default")
    return value if isinstance(value, str) else None


def _weights(folder: Path) -> tuple[Path, ...]:
    """The files of the weights, chosen as vLLM does: safetensors, else .bin, else .pt; by an index where there is one.

    Raises:
        EngineError: There are none, or an index names one that is not there.
    """
    for pattern, index in (
        ("*.safetensors", "model.safetensors.index.json"),
        ("*.bin", "pytorch_model.bin.index.json"),
        ("*.pt", None),
    ):
        found = sorted(path for path in folder.glob(pattern) if path.name not in _NOT_WEIGHTS)
        if not found:
            continue
        if index is None or not (folder / index).is_file():
            return tuple(found)
        named = _json(folder / index).get("weight_map")
        names = sorted({name for name in named.values() if isinstance(name, str)}) if isinstance(named, dict) else []
        lacking = [name for name in names if not (folder / name).is_file()]
        if lacking:
            raise EngineError(
                f"{folder}: {lacking[0]} is missing ({len(lacking)} of {len(names)} files that {index} names)",
                "copy the checkpoint again",
                code="vllm-missing-file",
            )
        return tuple(folder / name for name in names) or tuple(found)
    raise EngineError(
        f"{folder}: no weights (*.safetensors, *.bin)", "copy the checkpoint again", code="vllm-missing-file"
    )


_NOT_WEIGHTS = frozenset({"training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "scheduler.bin"})

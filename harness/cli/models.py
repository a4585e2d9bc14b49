"""What ``--model`` and the options of our servers say, read for the runner."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.engines.vllm.options import VllmOptions

_DEFAULTS: Mapping[str, Any] = {
    "replicas": 1,
    "tensor_parallel": 1,
    "dtype": None,
    "max_model_len": None,
    "quantization": None,
    "lora": None,
    "vllm_args": (),
    "vllm_env": (),
}
"""Options that mean something for checkpoints alone, with the values they have where nobody gave them."""

_JUDGING = ("judge_model", "batch", "budget", "prices", "baseline", "verdicts", "length_control_c", "no_judge")
"""Options that mean something where a judge scores."""


def expand_models(models: Sequence[str]) -> tuple[str, ...]:
    """Replace globs of paths (``ckpts/*``) by the checkpoints they match, in the order of their numbers.

    Raises:
        UsageError: A glob matches no checkpoint.
    """
    found: list[str] = []
    for model in models:
        if not set(model) & set("*?[") or re.match(r"[A-Za-z][\w+.-]*:", model) or Path(model).exists():
            found.append(model)
            continue
        matched = [path for path in glob.glob(model) if (Path(path) / "config.json").is_file()]  # noqa: PTH207
        if not matched:
            raise UsageError(f"--model {model}: matches no checkpoint", "a checkpoint's folder holds config.json")
        found += sorted(matched, key=_natural)
    return tuple(dict.fromkeys(found))


def server_options(values: Mapping[str, Any], models: Sequence[str] | None = None) -> VllmOptions:
    """The options of the servers that we start.

    Args:
        values: A command's parameters.
        models: Of a run; where none is a checkpoint, options that would have no effect are refused.

    Raises:
        UsageError: They are given, and no model is a checkpoint.
    """
    from harness.engines.registry import is_checkpoint
    from harness.engines.vllm.options import VllmOptions

    given = [name for name, default in _DEFAULTS.items() if values.get(name, default) != default]
    if given and models is not None and not any(map(is_checkpoint, models)):
        option = "--" + given[0].replace("vllm_args", "vllm-arg").replace("_", "-")
        raise UsageError(
            f"{option}: concerns checkpoints that we serve, and no --model is one",
            "leave it out, or name a checkpoint's folder or hub id",
        )
    return VllmOptions(
        command=values["vllm_command"],
        replicas=values.get("replicas", 1),
        restarts=values.get("vllm_restarts", 0),
        start_timeout=values["vllm_start_timeout"],
        stall_timeout=values.get("vllm_stall_timeout", 120.0),
        tensor_parallel=values["tensor_parallel"],
        dtype=values["dtype"],
        max_model_len=values["max_model_len"],
        quantization=values["quantization"],
        lora=values["lora"],
        args=values["vllm_args"],
        env=values["vllm_env"],
        logs=values.get("runs"),
    )


def idle(values: Mapping[str, Any], models: Sequence[str], *, judged: bool) -> tuple[str, ...]:
    """What to say of options that were given and change nothing; plug-ins' engines may use any.

    Args:
        values: A command's parameters.
        models: Who is asked.
        judged: Whether a judge scores one of the tasks.
    """
    from harness.engines.registry import ENGINES, is_checkpoint

    schemes = {"vllm" if is_checkpoint(model) else model.partition(":")[0] for model in models}
    found = []
    if schemes <= ENGINES.keys():
        if values["stage"] is not None and "replay" not in schemes:
            found.append("--stage changes nothing: no --model is replay:PATH")
        for name, option in (("weights_id", "--weights-id"), ("api", "--api")):
            if values[name] not in (None, "auto") and not schemes & {"http", "https"}:
                found.append(f"{option} changes nothing: no --model is a server's URL")
    given = [name for name in _JUDGING if values[name] not in (None, False)]
    if given and not judged:
        found.append(f"--{given[0].replace('_', '-')} changes nothing: no judge scores these tasks")
    return tuple(found)


def _natural(path: str) -> list[tuple[int, str]]:
    """Sort key by which ``ckpt-200`` comes before ``ckpt-1000``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]

"""From what a person says (a folder or a hub id, and options) to how the servers are started."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from harness.datasets import default_cache
from harness.engines.vllm import hub, launch
from harness.engines.vllm.adapter import read_adapter
from harness.engines.vllm.checkpoint import Checkpoint, read_checkpoint
from harness.engines.vllm.launch import Launch
from harness.engines.vllm.options import VllmOptions
from harness.engines.vllm.tokens import environment_python
from harness.errors import EngineError, UsageError


def check_options(options: VllmOptions) -> int:
    """Check what needs nothing but the options; returns the sequences a server works on at once.

    Raises:
        UsageError: One is malformed.
    """
    for name, value, least in (
        ("--replicas", options.replicas, 1),
        ("--tensor-parallel", options.tensor_parallel, 1),
        ("--vllm-restarts", options.restarts, 0),
    ):
        if value < least:
            raise UsageError(f"{name} {value}: must be at least {least}")
    launch.parse_env(options.env)
    return launch.max_num_seqs(launch.parse_args(options.args))


async def resolve(target: str, options: VllmOptions) -> Launch:
    """Find the command and the checkpoint, and settle every value that vLLM would otherwise choose by itself.

    Raises:
        EngineError: The command, the checkpoint or a part of them is missing; names it.
        UsageError: An option is malformed.
    """
    args = launch.parse_args(options.args)
    found = await _local(target)  # a wrong path is told before a missing vLLM
    program = launch.program_of(options)
    checkpoint = found or await _from_hub(target, program)
    template = args.get("chat-template")
    if isinstance(template, str):
        checkpoint = msgspec.structs.replace(checkpoint, template=_read(template))
    adapter = None
    if options.lora is not None:
        adapter = await asyncio.to_thread(read_adapter, options.lora, default_cache() / "checkpoints")
        if adapter.name == checkpoint.name:
            adapter = msgspec.structs.replace(adapter, name=f"{adapter.name}-lora")
    context = options.max_model_len or checkpoint.context
    if context is None:
        raise EngineError(
            f"{checkpoint.folder / 'config.json'}: does not say how long a context the model takes",
            "say it with --max-model-len",
            code="vllm-context",
        )
    dtype = options.dtype or checkpoint.dtype
    if dtype is None:
        raise EngineError(
            f"{checkpoint.folder / 'config.json'}: does not say the weights' number format",
            "say it with --dtype (bfloat16, float16, float32)",
            code="vllm-dtype",
        )
    return Launch(
        program=program,
        checkpoint=checkpoint,
        adapter=adapter,
        dtype=dtype,
        context=context,
        options=options,
        args=args,
        env=launch.parse_env(options.env),
    )


async def _local(target: str) -> Checkpoint | None:
    """The checkpoint in a folder; None where ``target`` is a hub id."""
    folder = Path(target).expanduser()
    if folder.exists() or target.startswith((".", "/", "~")):
        found = folder.resolve()
        return await asyncio.to_thread(read_checkpoint, found, found.name)
    return None


async def _from_hub(target: str, program: tuple[str, ...]) -> Checkpoint:
    place = hub.snapshot(target)
    if place is None:
        place = await hub.fetch(target, environment_python(program), lambda text: print(text, file=sys.stderr))
    return await asyncio.to_thread(read_checkpoint, place[0], target.partition("@")[0], place[1])


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--vllm-arg chat-template={path}: cannot be read ({error})", "name a readable file"
        ) from error

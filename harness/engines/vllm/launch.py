"""The exact command line and environment of a server, and which part of them can change an answer."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.engines.vllm import digests
from harness.engines.vllm.adapter import Adapter
from harness.engines.vllm.checkpoint import Checkpoint
from harness.engines.vllm.options import VllmOptions
from harness.errors import EngineError, UsageError

MAX_NUM_SEQS = 256
"""Sequences that a server works on at once, unless ``--vllm-arg max-num-seqs`` says otherwise."""

_OWNED = {
    "model": "name the checkpoint with --model",
    "host": "the harness listens on 127.0.0.1",
    "port": "the harness takes a free port",
    "uds": "the harness takes a free port",
    "served-model-name": "the harness names the model",
    "api-key": "the harness makes a key for each server",
    "tokenizer": "put the tokenizer's files into the checkpoint's folder, so that its identity covers them",
    "revision": "write --model OWNER/NAME@REVISION",
    "tokenizer-revision": "write --model OWNER/NAME@REVISION",
    "hf-config-path": "put config.json into the checkpoint's folder, so that its identity covers it",
    "dtype": "use --dtype",
    "max-model-len": "use --max-model-len",
    "quantization": "use --quantization",
    "tensor-parallel-size": "use --tensor-parallel",
    "data-parallel-size": "use --replicas, which sends each request to the least loaded server",
    "enable-lora": "use --lora",
    "lora-modules": "use --lora",
    "seed": "each request carries its own seed; --seed changes them all",
    "config": "give its options with --vllm-arg, so that each is recorded",
    "ssl-keyfile": "the harness talks to its servers over 127.0.0.1",
    "ssl-certfile": "the harness talks to its servers over 127.0.0.1",
    "root-path": "the harness talks to its servers directly",
}
_NEUTRAL_ARGS = frozenset(
    {
        "pipeline-parallel-size", "distributed-executor-backend", "gpu-memory-utilization", "kv-cache-memory-bytes",
        "swap-space", "cpu-offload-gb", "max-num-seqs", "max-num-batched-tokens", "max-parallel-loading-workers",
        "disable-uvicorn-access-log", "uvicorn-log-level", "disable-log-stats", "enable-log-requests",
        "max-log-len", "download-dir", "trust-remote-code", "max-lora-rank", "max-loras", "max-cpu-loras",
        "api-server-count", "safetensors-load-strategy", "nnodes", "node-rank", "master-addr", "master-port",
    }
)  # fmt: skip
"""Options of parallelism, memory, speed and logging: in no identity. Any other is, also one that nobody knows yet."""
_SETTINGS = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_MAX_STOP_STRINGS": "1024"}
"""Every server reports to nobody, and takes all stop strings of a task (vLLM 0.32 takes four)."""
_NEUTRAL_ENV = (
    "VLLM_MAX_STOP_STRINGS",
    "VLLM_API_KEY", "VLLM_NO_USAGE_STATS", "VLLM_DO_NOT_TRACK", "VLLM_USAGE_", "VLLM_LOGGING_", "VLLM_LOG_",
    "VLLM_CONFIGURE_LOGGING", "VLLM_CACHE_ROOT", "VLLM_CONFIG_ROOT", "VLLM_ASSETS_CACHE", "VLLM_HOST_IP", "VLLM_PORT",
    "VLLM_RPC_", "VLLM_CPU_KVCACHE_SPACE", "VLLM_CPU_OMP_THREADS_BIND", "VLLM_CPU_NUM_OF_RESERVED_CPU",
    "VLLM_ENABLE_V1_MULTIPROCESSING", "VLLM_WORKER_MULTIPROC_METHOD", "VLLM_HTTP_TIMEOUT_KEEP_ALIVE",
    "VLLM_ENGINE_ITERATION_TIMEOUT_S", "VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS", "VLLM_KEEP_ALIVE_ON_ENGINE_DEATH",
    "VLLM_USE_MODELSCOPE", "VLLM_PLUGINS_", "VLLM_SERVER_DEV_MODE", "VLLM_TRACE_", "VLLM_DEBUG_",
)  # fmt: skip
_SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_OTHERS_KEYS = frozenset({"OPENAI_API_KEY", "HARNESS_ENDPOINT_KEY"})
"""Keys of other services, which a server has no use for."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How servers of one checkpoint are started.

    Attributes:
        program: The command that takes ``serve``.
        checkpoint: What is served.
        adapter: The LoRA adapter, or None.
        dtype: As passed.
        context: As passed, in tokens.
        options: What the command line says.
        args: ``--vllm-arg`` as option -> value; True and False for flags.
        env: ``--vllm-env``.
    """

    program: tuple[str, ...]
    checkpoint: Checkpoint
    adapter: Adapter | None
    dtype: str
    context: int
    options: VllmOptions
    args: Mapping[str, str | bool]
    env: Mapping[str, str]

    @property
    def served(self) -> str:
        """The name that requests ask for."""
        return self.adapter.name if self.adapter is not None else self.checkpoint.name

    def command(self, port: int, host: str = "127.0.0.1") -> list[str]:
        """The whole command line of a server on ``port``."""
        told = [
            *self.program,
            "serve",
            str(self.checkpoint.folder),
            *("--served-model-name", self.checkpoint.name),
            *("--host", host, "--port", str(port)),
            *("--dtype", self.dtype, "--max-model-len", str(self.context), "--seed", "0"),
            *("--tensor-parallel-size", str(self.options.tensor_parallel)),
        ]
        if self.options.quantization is not None:
            told += ["--quantization", self.options.quantization]
        if self.adapter is not None:
            told += ["--enable-lora", "--lora-modules", f"{self.adapter.name}={self.adapter.folder}"]
        for key, value in {**self._defaults(), **self.args}.items():
            told += [f"--{key}"] if value is True else [f"--no-{key}"] if value is False else [f"--{key}", str(value)]
        return told

    def _defaults(self) -> dict[str, str | bool]:
        """What we always say, because vLLM's own default changes numbers silently or costs time."""
        told: dict[str, str | bool] = {
            "generation-config": "vllm",
            "enable-prefix-caching": True,
            "max-num-seqs": str(max_num_seqs(self.args)),
            "disable-uvicorn-access-log": True,
        }
        if self.adapter is not None:
            told["max-lora-rank"] = str(self.adapter.rank_allowed)
        return told

    def environment(self, key: str, devices: Sequence[str] | None = None) -> dict[str, str]:
        """A server's environment: ours, without other services' keys, with ``key`` as its own.

        Args:
            key: The key that requests must carry; not on the command line, which every user of the machine can read.
            devices: The GPUs it may use; None: all.
        """
        given = {name: value for name, value in os.environ.items() if name not in _OTHERS_KEYS}
        given |= {**_SETTINGS, "PYTHONUNBUFFERED": "1"}
        if key:
            given["VLLM_API_KEY"] = key
        if devices is not None:
            given["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
        return given | dict(self.env)

    def settings(self) -> dict[str, Any]:
        """What of all this can change an answer; goes in the ``ask_id``."""
        args = {**self._defaults(), **self.args}
        found: dict[str, Any] = {
            "engine": "vllm",
            "dtype": self.dtype,
            "max_model_len": self.context,
            "args": {name: value for name, value in args.items() if name not in _NEUTRAL_ARGS},
        }
        if self.options.quantization is not None:
            found["quantization"] = self.options.quantization
        for name in ("chat-template", "generation-config"):
            found["args"] |= _file_argument(args.get(name), name)
        numeric = {
            name: value
            for name, value in self._told().items()
            if name.startswith("VLLM_") and not name.startswith(_NEUTRAL_ENV)
        }
        if numeric:
            found["env"] = numeric
        return found

    def _told(self) -> dict[str, str]:
        """Environment variables that say something to vLLM: those it inherits, ours, and ``--vllm-env``."""
        inherited = {name: os.environ[name] for name in sorted(os.environ) if name.startswith("VLLM_")}
        return {**inherited, **_SETTINGS, **self.env}

    def shown(self, port: int | str = "PORT", host: str = "127.0.0.1") -> str:
        """The command as a person would type it, without secrets."""
        words = [
            f"{name}={shlex.quote(_masked(name, value))}"
            for name, value in self._told().items()
            if name != "VLLM_API_KEY"
        ]
        command = self.command(0, host)
        command[command.index("--port") + 1] = str(port)
        return " ".join([*words, shlex.join(command)])


def program_of(options: VllmOptions) -> tuple[str, ...]:
    """The command that takes ``serve``.

    Raises:
        EngineError: There is none, or it cannot be executed.
    """
    if options.command is None:
        beside = Path(sys.executable).with_name("vllm")
        found = str(beside) if os.access(beside, os.X_OK) else shutil.which("vllm")
        if found is None:
            raise EngineError(
                "no vllm command is installed here",
                "pip install vllm, name another environment's with --vllm-command /PATH/TO/bin/vllm (or "
                "HARNESS_VLLM_COMMAND), or ask a server that runs: --model http://HOST:PORT/v1#NAME",
                code="vllm-no-vllm",
            )
        return (found,)
    try:
        words = shlex.split(options.command)
    except ValueError as error:
        raise UsageError(f"--vllm-command: {error}", "quote it as for a shell") from error
    if not words:
        raise UsageError("--vllm-command is empty", "name the command that takes `serve`, such as /opt/vllm/bin/vllm")
    found = shutil.which(words[0])
    if found is None:
        exists = Path(words[0]).exists()
        what = "cannot be executed" if exists else "no such command"
        raise EngineError(
            f"--vllm-command {words[0]}: {what}",
            "name the `vllm` program itself" if exists else "check the spelling of the path",
            code="vllm-no-vllm",
        )
    return (found, *words[1:])


def parse_args(given: Sequence[str]) -> dict[str, str | bool]:
    """Read ``--vllm-arg``: ``key=value``; ``key`` and ``key=true`` for a flag, ``key=false`` for its ``--no-`` form.

    Raises:
        UsageError: The option is the harness's own business, or named twice.
    """
    found: dict[str, str | bool] = {}
    for one in given:
        key, equals, value = one.partition("=")
        key = key.strip().lstrip("-").replace("_", "-")
        flag = key.removeprefix("no-")
        if not key:
            raise UsageError(f"--vllm-arg {one}: names no option", "write --vllm-arg KEY=VALUE")
        owned = next((name for name in _OWNED if name.startswith(flag)), None)  # vLLM takes abbreviations
        if owned is not None:
            raise UsageError(f"--vllm-arg {key}: not to be set this way", _OWNED[owned])
        if flag in found:
            raise UsageError(f"--vllm-arg {key}: given twice", "give it once")
        if equals and value.lower() not in ("true", "false"):
            found[key] = value
        else:
            found[flag] = (value.lower() != "false") == (flag == key)
    return found


def max_num_seqs(args: Mapping[str, str | bool]) -> int:
    """Sequences that a server works on at once.

    Raises:
        UsageError: The option is no number.
    """
    value = args.get("max-num-seqs", str(MAX_NUM_SEQS))
    if not isinstance(value, str) or not value.isdigit() or int(value) < 1:
        raise UsageError(f"--vllm-arg max-num-seqs={value}: must be a number of at least 1")
    return int(value)


def parse_env(given: Sequence[str]) -> dict[str, str]:
    """Read ``--vllm-env NAME=VALUE``.

    Raises:
        UsageError: Not of that form, or the harness's own business.
    """
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name.replace("_", "a").isalnum():
            raise UsageError(f"--vllm-env {name}: has no value", "write --vllm-env NAME=VALUE")
        if name == "VLLM_API_KEY":
            raise UsageError("--vllm-env VLLM_API_KEY: not to be set this way", "the harness makes a key itself")
        found[name] = value
    return found


def _file_argument(value: str | bool | None, name: str) -> dict[str, Any]:
    """An option that may name a file counts by the file's content."""
    if not isinstance(value, str) or value in ("auto", "vllm"):
        return {}
    path = Path(value)
    path = path / "generation_config.json" if path.is_dir() else path
    try:
        return {name: digests.text(path.read_text(encoding="utf-8"))}
    except (OSError, ValueError) as error:
        raise UsageError(f"--vllm-arg {name}={value}: cannot be read ({error})", "name a readable file") from error


def _masked(name: str, value: str) -> str:
    return "***" if any(part in name.upper() for part in _SECRET) else value

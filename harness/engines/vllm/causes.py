"""From the end of a vLLM log to one line: what went wrong, and what to do about it.

`docs/vllm.md` lists every cause; its texts and this table change together.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from harness.plain import one_line

_TAIL = 256 * 1024
"""Bytes at the log's end that are read: tracebacks of several processes fit."""
_LONG = re.compile(r"(?<![^\r\n])([^\r\n]{2000})[^\r\n]+")
"""A line's characters after the 2,000th tell no cause, and a pattern with gaps would search them for minutes."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PREFIX = re.compile(
    r"^(?:\([^)]*\)\s*)*(?:(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\s+\d\d-\d\d \d\d:\d\d:\d\d\s+\[[^\]]*\]\s?)?"
)
_ERROR = re.compile(r"^(?:[\w.]+\.)?\w*(?:Error|Exception|Interrupt|Exit)\b(?::\s*\n)?.*|^.*\berror: .*", re.MULTILINE)
"""Some errors begin to speak in the line after their name."""
_SIGN = re.compile(
    r"^Traceback \(most recent|^vllm|\bvLLM\b|^(?:\([^)]*\) )?(?:INFO|WARNING|ERROR) \d\d-\d\d ", re.MULTILINE
)
"""What a log of vLLM has somewhere, and those of other programs mostly lack."""
_ADVICE = re.compile(r"--help\b|^warnings\.warn\(|\.py:\d+: \w*Warning: |^Unknown vLLM environment variable")
"""How programs go on after an error, and warnings of any run: not what went wrong, nor how far a start has come."""
_HARMLESS = re.compile(r"(?:\([^)]*\)\s*)*(?:DEBUG|INFO|WARNING) \d\d-\d\d ")
"""Lines that name options (``trust_remote_code=True``) and what might go wrong, but tell no error."""
_SEQUEL = re.compile(r"See root cause above|Engine core initialization failed")
_KILLED = 128 + 9


class Cause(msgspec.Struct, frozen=True):
    """Why a server ended.

    Attributes:
        code: Stable name.
        message: One line; where it comes from the log, in the log's own words.
        remedy: What to do.
    """

    code: str
    message: str
    remedy: str


_PATTERNS: tuple[tuple[str, str, str, str], ...] = (
    (
        "port",
        r"address already in use|error while attempting to bind on address",
        "the port was taken by another program",
        "run the same command again",
    ),
    (
        "arguments",
        r"unrecognized arguments:.*|error: argument .*|error: .*expected one argument.*",
        "this vLLM does not take an option",
        "correct the option that it names, or use vLLM 0.10.2 or newer",
    ),
    (
        "no-vllm",
        r"No module named '?vllm'?.*|PackageNotFoundError: .*vllm.*",
        "the command is there, but its Python environment has no vLLM",
        "install vllm there, or name another command with --vllm-command",
    ),
    (
        "context",
        (
            r"max_model_len \(?\d+\)? is greater than the derived.*"
            r"|max_model_len.{0,200}greater than.{0,200}max_position_embeddings.*"
        ),
        "the checkpoint cannot take so long a context",
        "give a smaller --max-model-len",
    ),
    (
        "memory",
        (
            r"larger than the (?:maximum number of tokens|available KV cache memory).*|To serve at least one request.*"
            r"|No available memory for the cache blocks.*"
        ),
        "out of memory: the context does not fit beside the weights",
        "give a smaller --max-model-len, more GPUs with --tensor-parallel, or --vllm-arg gpu-memory-utilization=0.95",
    ),
    (
        "memory",
        (
            r"CUDA out of memory.*|OutOfMemoryError.*|Free memory on device.*less than desired.*|HIP out of memory.*"
            r"|DefaultCPUAllocator: can't allocate memory.*|Cannot allocate memory.*|^MemoryError.*|not enough memory.*"
            r"|Available memory on node .* is less than (?:desired|requested).*"
        ),
        "out of memory",
        (
            "free the GPU of other programs, use more GPUs with --tensor-parallel, a smaller --max-model-len, "
            "--vllm-arg max-num-seqs=64, or (CPU) a smaller --vllm-env VLLM_CPU_KVCACHE_SPACE=1"
        ),
    ),
    (
        "cuda",
        (
            r"Failed to infer device type.*|No CUDA GPUs are available.*|Found no NVIDIA driver.*|libcuda\.so.*"
            r"|Torch not compiled with CUDA enabled.*|CUDA driver version is insufficient.*|libcudart\S*: cannot open.*"
            r"|no CUDA-capable device is detected.*|CUDA initialization.*"
        ),
        "this vLLM finds no GPU that it can use",
        (
            "check nvidia-smi and CUDA_VISIBLE_DEVICES; on a machine without a GPU, use the vllm-cpu build "
            "(--vllm-command)"
        ),
    ),
    (
        "gpus",
        (
            r"World size \(\d+\) is larger than the number of available GPUs.*|requires \d+ GPUs.*"
            r"|must be divisible by tensor parallel size.*|Ray does not allocate any GPUs.*"
        ),
        "the GPUs do not suit --tensor-parallel",
        "give a number of GPUs that the machine has and that divides the checkpoint's attention heads",
    ),
    (
        "dtype",
        (
            r"Bfloat16 is only supported on GPUs.*|torch\.\w+ is not supported for quantization method.*"
            r"|model type .* does not support .*float.*|Unknown dtype.*"
        ),
        "the number format does not suit this machine or checkpoint",
        "choose another with --dtype (float16 on older GPUs)",
    ),
    (
        "trust-remote-code",
        r"contains custom code which must be executed.*|trust_remote_code=True.*|set the option .?trust_remote_code.*",
        "the checkpoint brings Python code of its own",
        "read that code; if you trust it, add --vllm-arg trust-remote-code",
    ),
    (
        "architecture",
        (
            r"Model architectures \[.*\] (?:are not supported|failed to be inspected).*"
            r"|does not recognize this architecture.*|has no vLLM implementation.*|Cannot find model module.*"
            r"|No model architectures are specified.*"
        ),
        "this vLLM does not know the checkpoint's architecture",
        "use a newer vLLM (--vllm-command), or correct architectures in config.json",
    ),
    (
        "quantization",
        (
            r"Unknown quantization method.*|Quantization method specified in the model config.*"
            r"|quantization method .* not supported.*|Cannot find the config file for .*|invalid choice.*quantization.*"
        ),
        "the quantisation does not suit the checkpoint or this machine",
        "leave out --quantization to use the checkpoint's own, or choose a method that this GPU supports",
    ),
    (
        "lora",
        (
            r"LoRA rank \d+ is greater than.*|does not support LoRA.*|Loading lora .* failed.*"
            r"|expected target modules.*|No adapter found.*"
        ),
        "the LoRA adapter does not fit the checkpoint",
        "check that the adapter was trained on this checkpoint, and --vllm-arg max-lora-rank",
    ),
    (
        "gated",
        r"GatedRepoError.*|401 Client Error.*|403 Client Error.*|Access to model .* is restricted.*",
        "the hub refuses the checkpoint",
        "accept its licence on the hub and set HF_TOKEN",
    ),
    (
        "weights",
        (
            r"SafetensorError.*|Error while deserializing header.*|MetadataIncompleteBuffer.*|HeaderTooLarge.*"
            r"|Following weights were not initialized.*|Cannot find any model weights.*|size mismatch for.*"
            r"|There is no module or parameter named.*|PytorchStreamReader failed.*|Attempted to load weight.*"
            r"|start \(\d+\) \+ length \(\d+\) exceeds dimension size.*"
        ),
        "the weights are damaged, or do not belong to config.json",
        "copy the checkpoint again, or save it again",
    ),
    (
        "missing-file",
        (
            r"does not appear to have a file named.*|is not a local folder and is not a valid model identifier.*"
            r"|No such file or directory: .*|LocalEntryNotFoundError.*|Can't load (?:tokenizer|the configuration).*"
            r"|Couldn't instantiate the backend tokenizer.*|We couldn't connect to .*"
        ),
        "a file of the checkpoint is missing or unreadable",
        "copy the checkpoint again, with config.json and the tokenizer's files",
    ),
    (
        "template",
        r"TemplateSyntaxError.*|TemplateError.*|chat template .* (?:does not exist|is not a file).*",
        "the chat template is broken",
        "correct chat_template.jinja (or chat_template in tokenizer_config.json), or use another --format",
    ),
    (
        "tokenizer",
        (
            r"data did not match any variant of untagged enum.*|Exception: .*tokenizer.*"
            r"|Tokenizer class .* does not exist.*"
        ),
        "the tokenizer cannot be read",
        "copy the tokenizer's files again, or save them with a transformers release that this vLLM knows",
    ),
    (
        "disk",
        r"No space left on device.*",
        "the disk is full",
        "free some space (vLLM writes its caches to VLLM_CACHE_ROOT and TMPDIR)",
    ),
)
_COMPILED = tuple(
    (code, re.compile(pattern, re.IGNORECASE | re.MULTILINE), message, remedy)
    for code, pattern, message, remedy in _PATTERNS
)


def cause_of(text: str, status: int | None = None) -> Cause:
    """The cause that a log tells.

    Args:
        text: The log's end, as `tail` reads it.
        status: Exit status of the server; None where it did not end.
    """
    clean = "\n".join(_bare_line(line) for line in text.splitlines() if not _HARMLESS.match(line))
    for code, pattern, message, remedy in _COMPILED:
        found = pattern.search(clean)
        if found:
            said = one_line(_line_around(clean, found.start()), 200)
            return Cause(code, f"{message} ({said})" if said else message, remedy)
    if status == _KILLED:
        return Cause(
            "killed",
            "out of memory, most likely: the kernel or somebody killed it (SIGKILL)",
            "free memory, or give the server less: --max-model-len, --vllm-arg max-num-seqs=64",
        )
    if status == 127:
        return Cause("no-vllm", "the command cannot be started", "name one that exists with --vllm-command")
    errors = [line for line in _ERROR.findall(clean) if line.strip() and not _SEQUEL.search(line)]
    said = one_line(errors[-1], 200) if errors else one_line(last_line(text), 200)
    return Cause("unknown", said or "it said nothing", "read the log")


def cause_of_start(text: str, status: int) -> Cause:
    """The cause that the log of a server tells that was never ready: it may be no vLLM at all."""
    cause = cause_of(text, status)
    if cause.code != "unknown" or _SIGN.search(text):
        return cause
    return Cause(
        "no-vllm",
        f"the command ended with exit {status} and does not seem to be vLLM ({cause.message})",
        "name the `vllm` program with --vllm-command",
    )


def tail(log: Path, begin: int = 0) -> str:
    """The end of a log, from byte ``begin`` on at most, of each line its beginning; empty where it cannot be read."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(begin, size - _TAIL))
            return _LONG.sub(r"\1", file.read(_TAIL).decode("utf-8", "replace"))
    except OSError:
        return ""


def last_line(text: str) -> str:
    """The last line that says something, without vLLM's prefix."""
    for line in reversed(re.split(r"[\r\n]+", text[-8192:])):
        shown = _bare_line(line).strip()
        if shown and not _ADVICE.search(shown):
            return shown
    return ""


def _bare_line(line: str) -> str:
    return _PREFIX.sub("", _COLOUR.sub("", line), count=1)


def _line_around(text: str, place: int) -> str:
    begin = text.rfind("\n", 0, place) + 1
    end = text.find("\n", place)
    return text[begin : end if end >= 0 else len(text)]

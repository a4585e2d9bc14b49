"""The line that a log comes down to; the lines are vLLM's own, as its releases 0.10 to 0.32 print them."""

from pathlib import Path

import pytest

from harness.engines.vllm.causes import _PATTERNS, cause_of, cause_of_start, last_line, tail

LOGS = [
    ("memory", "(EngineCore pid=9) ERROR 11-21 10:00:00 [core.py:7] torch.OutOfMemoryError: CUDA out of memory. Tried"),
    ("memory", "ValueError: Free memory on device cuda:0 (3.1/79.1 GiB) on startup is less than desired GPU memory"),
    ("memory", "ValueError: To serve at least one request with the models's max seq len (131072), (16.00 GiB KV cache"),
    ("memory", "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`"),
    (
        "memory",
        "RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes",
    ),
    ("port", "OSError: [Errno 98] Address already in use"),
    ("arguments", "vllm: error: unrecognized arguments: --no-such-option"),
    ("arguments", "api_server.py: error: argument --dtype: invalid choice: 'x'"),
    ("no-vllm", "ModuleNotFoundError: No module named 'vllm'"),
    ("context", "  Value error, User-specified max_model_len (4096) is greater than the derived max_model_len (2048)"),
    ("cuda", "RuntimeError: Failed to infer device type, please set the environment variable"),
    ("cuda", "RuntimeError: No CUDA GPUs are available"),
    ("cuda", "ImportError: libcuda.so.1: cannot open shared object file: No such file or directory"),
    ("gpus", "  Value error, World size (4) is larger than the number of available GPUs (1) in this node."),
    ("gpus", "  Value error, Total number of attention heads (3) must be divisible by tensor parallel size (2)."),
    ("dtype", "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0."),
    ("trust-remote-code", "ValueError: The repository x contains custom code which must be executed to correctly load"),
    ("architecture", "  Value error, Model architectures ['NoSuchForCausalLM'] are not supported for now."),
    (
        "architecture",
        "ValueError: The checkpoint has model type `new` but Transformers does not recognize this architecture.",
    ),
    ("quantization", "  Value error, Unknown quantization method: awqq. Must be one of [...]"),
    ("lora", "ValueError: LoRA rank 64 is greater than max_lora_rank 16."),
    ("gated", "huggingface_hub.errors.GatedRepoError: 401 Client Error."),
    ("weights", "safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata"),
    ("weights", "ValueError: Following weights were not initialized from checkpoint: {'model.norm.weight'}"),
    ("weights", "RuntimeError: start (0) + length (512) exceeds dimension size (256)."),
    ("missing-file", "OSError: /m does not appear to have a file named config.json. Checkout"),
    ("template", "jinja2.exceptions.TemplateSyntaxError: unexpected end of template"),
    ("tokenizer", "Exception: data did not match any variant of untagged enum ModelWrapper at line 1"),
    ("disk", "OSError: [Errno 28] No space left on device"),
]


@pytest.mark.parametrize(("code", "line"), LOGS)
def test_known_causes(code: str, line: str) -> None:
    log = f"INFO 11-21 09:59:59 [api_server.py:1] starting\nTraceback (most recent call last):\n{line}\n[rank0]: bye\n"
    cause = cause_of(log, 1)
    assert cause.code == code
    assert cause.remedy
    assert "\n" not in cause.message
    assert line.rpartition("] ")[2][:30].strip() in cause.message


def test_every_cause_was_tried() -> None:
    assert {code for code, *_ in _PATTERNS} == {code for code, _ in LOGS}


def test_every_cause_is_in_the_documentation(repository: Path) -> None:
    page = (repository / "docs" / "vllm.md").read_text()
    for _, _, message, remedy in _PATTERNS:
        assert message in page, message
        assert remedy in page, remedy


def test_what_nobody_knows_is_told_in_the_logs_words() -> None:
    assert cause_of("INFO hello\nValueError: strange thing\nbye\n", 1).message == "ValueError: strange thing"
    sequel = "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n"
    assert cause_of("ValueError: strange thing\n" + sequel, 1).message == "ValueError: strange thing"
    assert cause_of("just this\n", 1).message == "just this"
    assert cause_of("", 1).message == "it said nothing"
    assert cause_of("", 137).code == "killed"
    assert cause_of("", 127).code == "no-vllm"


def test_an_error_may_begin_to_speak_in_a_later_line() -> None:
    log = (
        "(APIServer pid=7) RuntimeError: \n(APIServer pid=7) \n(APIServer pid=7)         Something was attempted\n"
        "(APIServer pid=7)         in two lines.\n"
        "(APIServer pid=5) RuntimeError: Engine core initialization failed. See root cause above.\n"
    )
    assert cause_of(log, 1).message == "RuntimeError: Something was attempted"
    assert cause_of("INFO hello\nAssertionError\n", 1).message == "AssertionError"


def test_options_and_warnings_are_no_causes() -> None:
    log = (
        "(EngineCore pid=3) INFO 11-21 10:00:00 [core.py:1] Initializing with config: trust_remote_code=True, dtype=x\n"
        "WARNING 11-21 10:00:01 [interface.py:2] ImportError('libcuda.so.1: cannot open shared object file')\n"
        "ValueError: strange thing\n"
    )
    assert cause_of(log, 1).message == "ValueError: strange thing"


def test_a_command_that_is_not_vllm_is_told_so() -> None:
    said = "ls: unrecognized option '--dtype'\nTry 'ls --help' for more information.\n"
    cause = cause_of_start(said, 2)
    assert cause.code == "no-vllm"
    assert cause.message == (
        "the command ended with exit 2 and does not seem to be vLLM (ls: unrecognized option '--dtype')"
    )
    assert "--vllm-command" in cause.remedy
    assert "exit 0 and does not seem to be vLLM (it said nothing)" in cause_of_start("", 0).message
    for own in (
        "(APIServer pid=7) INFO 11-21 10:00:00 [utils.py:1] hello\nbye\n",
        "Traceback (most recent call last):\nValueError: strange\n",
    ):
        assert cause_of_start(own, 1) == cause_of(own, 1)
        assert cause_of_start(own, 1).code == "unknown"
    assert cause_of_start("", 137).code == "killed"


@pytest.mark.parametrize(
    "line",
    [
        "max_model_len greater than " * 9000,
        "Model architectures [" * 12000,
        "Error: error: " * 18000,
        "OSError: No space left on device" + "x" * 200_000,
        "(a) " * 60000,
    ],
)
def test_hostile_long_lines_hide_no_cause(tmp_path: Path, line: str) -> None:
    log = tmp_path / "log"
    log.write_text(f"{line}\nOSError: [Errno 28] No space left on device\n")
    cause = cause_of(tail(log), 1)
    assert cause.code == "disk"
    assert len(cause.message) < 400


def test_many_hostile_lines_hide_no_cause(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(("max_model_len greater than " * 74 + "\n") * 100 + "OSError: No space left on device\n")
    assert cause_of(tail(log), 1).code == "disk"


def test_hostile_logs_are_one_safe_line() -> None:
    assert "\x1b" not in cause_of("RuntimeError: \x1b[31mred\x1b[0m \x07 " + "x" * 9999, 1).message
    assert len(cause_of("RuntimeError: " + "x" * 2**18, 1).message) < 400


def test_the_last_line_is_without_its_prefix(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "old\nINFO 11-21 12:00:00 [x.py:1] Loading shards:  50%\r\x1b[32m(Worker pid=3) Loading: 100%\x1b[0m\n\n"
    )
    assert last_line(tail(log)) == "Loading: 100%"
    assert last_line(tail(log, log.stat().st_size)) == ""
    warned = (
        "(APIServer pid=3) INFO:     Application shutdown complete.\n"
        "(APIServer pid=3) WARNING 11-21 12:00:00 [envs.py:1] Unknown vLLM environment variable detected: VLLM_X\n"
        "/usr/lib/python3.12/multiprocessing/resource_tracker.py:254: UserWarning: resource_tracker: 1 leaked\n"
        "  warnings.warn('resource_tracker: There appear to be %d '\n"
    )
    assert last_line(warned) == "INFO:     Application shutdown complete."
    assert tail(tmp_path / "none") == ""

"""The exact command, what of it is in the identity, and what is refused."""

import sys
from pathlib import Path
from typing import Any

import pytest

from harness.engines.vllm import gpus, launch
from harness.engines.vllm.launch import Launch
from harness.engines.vllm.options import VllmOptions
from harness.engines.vllm.resolve import check_options, resolve
from harness.errors import EngineError, HarnessError, UsageError


async def made(checkpoint: Path, **changes: Any) -> Launch:
    return await resolve(str(checkpoint), VllmOptions(**({"command": sys.executable} | changes)))


async def test_every_value_that_vllm_would_choose_is_said(checkpoint: Path) -> None:
    found = await made(checkpoint)
    command = " ".join(found.command(8123))
    assert f"serve {checkpoint} --served-model-name ckpt-100 --host 127.0.0.1 --port 8123" in command
    for said in ("--dtype float32", "--max-model-len 512", "--seed 0", "--generation-config vllm",
                 "--enable-prefix-caching", "--max-num-seqs 256"):  # fmt: skip
        assert said in command
    assert "reasoning" not in command
    environment = found.environment("secret-key")
    assert environment["VLLM_API_KEY"] == "secret-key"
    assert (environment["VLLM_NO_USAGE_STATS"], environment["DO_NOT_TRACK"]) == ("1", "1")
    assert "secret-key" not in found.shown()


async def test_other_services_keys_stay_here(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    environment = (await made(checkpoint)).environment("k")
    assert "OPENAI_API_KEY" not in environment
    assert environment["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"tensor_parallel": 2}, True),
        ({"replicas": 3, "restarts": 1, "start_timeout": 5.0}, True),
        ({"args": ("gpu-memory-utilization=0.5", "max_num_seqs=8")}, True),
        ({"env": ("VLLM_LOGGING_LEVEL=DEBUG", "OMP_NUM_THREADS=3")}, True),
        ({"dtype": "bfloat16"}, False),
        ({"max_model_len": 256}, False),
        ({"quantization": "fp8"}, False),
        ({"args": ("enforce-eager",)}, False),
        ({"args": ("enable-prefix-caching=false",)}, False),
        ({"args": ("generation-config=auto",)}, False),
        ({"args": ('speculative-config={"method": "ngram"}',)}, False),
        ({"env": ("VLLM_ATTENTION_BACKEND=FLASHINFER",)}, False),
    ],
)
async def test_what_can_change_an_answer_is_in_the_identity(
    checkpoint: Path, changes: dict[str, Any], same: bool
) -> None:
    assert ((await made(checkpoint, **changes)).settings() == (await made(checkpoint)).settings()) is same


async def test_inherited_settings_count_too(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (await made(checkpoint)).settings()
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    assert (await made(checkpoint)).settings() == before
    monkeypatch.setenv("VLLM_USE_FLASHINFER_SAMPLER", "1")
    monkeypatch.setenv("VLLM_API_KEY", "sk-own")
    assert (await made(checkpoint)).settings() != before
    shown = (await made(checkpoint)).shown()  # as typed, it does the same elsewhere
    assert "VLLM_USE_FLASHINFER_SAMPLER=1" in shown
    assert "VLLM_API_KEY" not in shown


def test_flags_and_values() -> None:
    given = ("xa_b=1", "--xc", "no-xd", "xe=true", "xf=false", 'xg={"x": true}')
    expected = {"xa-b": "1", "xc": True, "xd": False, "xe": True, "xf": False, "xg": '{"x": true}'}
    assert launch.parse_args(given) == expected


async def test_flags_are_passed_as_vllm_takes_them(checkpoint: Path) -> None:
    command = (await made(checkpoint, args=("enable-prefix-caching=false", "enforce-eager"))).command(1)
    assert "--no-enable-prefix-caching" in command
    assert "--enable-prefix-caching" not in command
    assert "--enforce-eager" in command


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"args": ("port=1",)}, "--vllm-arg port: .*free port"),
        ({"args": ("no-enable-lora",)}, "use --lora"),
        ({"args": ("max-model=9",)}, "use --max-model-len"),  # vLLM would take it for the whole name
        ({"args": ("data-parallel-size=2",)}, "use --replicas"),
        ({"args": ("api_key=x",)}, "makes a key"),
        ({"args": ("=x",)}, "names no option"),
        ({"args": ("xa=1", "xa=2")}, "given twice"),
        ({"args": ("max-num-seqs=many",)}, "must be a number"),
        ({"env": ("A",)}, "has no value"),
        ({"env": ("VLLM_API_KEY=x",)}, "makes a key itself"),
        ({"replicas": 0}, "--replicas 0"),
        ({"tensor_parallel": 0}, "--tensor-parallel 0"),
        ({"restarts": -1}, "--vllm-restarts -1"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_options(VllmOptions(**changes))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/no/such/vllm", "no such command"),
        ("", "is empty"),
        ("'", "No closing quotation"),
        (__file__, "cannot be executed"),
    ],
)
def test_a_command_that_is_none(command: str, said: str) -> None:
    with pytest.raises(HarnessError, match=said):
        launch.program_of(VllmOptions(command=command))


def test_without_vllm_the_ways_to_get_it_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"pip install vllm.*--vllm-command.*http://HOST:PORT/v1#NAME"):
        launch.program_of(VllmOptions())


def test_a_command_of_several_words() -> None:
    found = launch.program_of(VllmOptions(command=f"{sys.executable} -m 'a b'"))
    assert found == (sys.executable, "-m", "a b")


async def test_a_context_or_number_format_that_nobody_says(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text('{"architectures": ["X"]}')
    with pytest.raises(EngineError, match="say it with --max-model-len"):
        await made(checkpoint)
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")
    with pytest.raises(EngineError, match="say it with --dtype"):
        await made(checkpoint, max_model_len=64)
    assert (await made(checkpoint, max_model_len=64, dtype="float16")).dtype == "float16"


async def test_a_secret_setting_is_masked(checkpoint: Path) -> None:
    assert "HF_TOKEN='***'" in (await made(checkpoint, env=("HF_TOKEN=abc",))).shown()


def test_gpus_are_split() -> None:
    assert gpus.split(2, 2, ["0", "1", "2", "3"]) == [["0", "1"], ["2", "3"]]
    assert gpus.split(1, 2, ["0", "1", "2"]) == [None]
    assert gpus.split(2, 1, []) == [None, None]
    with pytest.raises(EngineError, match="2 servers of 4 GPUs need 8, and 4 are visible"):
        gpus.split(2, 4, ["0", "1", "2", "3"])
    assert gpus.found({"CUDA_VISIBLE_DEVICES": "GPU-1, 3"}) == ["GPU-1", "3"]
    assert gpus.found({"CUDA_VISIBLE_DEVICES": ""}) == []

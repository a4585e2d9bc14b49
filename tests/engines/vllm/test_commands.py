"""``harness run`` and ``harness serve`` on checkpoints: resumption, many models, and what is left after ``kill -9``."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.engines.vllm.server import free_port
from tests.engines.vllm.conftest import FAKE, save_weights
from tests.engines.vllm.test_engine import processes_of
from tests.engines.vllm.test_warden import gone

pytestmark = pytest.mark.timeout(120)

TASK = """
version = 1
title = "Numbers"
metric = "correct"

[dataset]
name = "numbers"
source = "file:numbers.jsonl"
sha256 = "{sha256}"
id = "id"

[prompt]
turns = ["{{q}}"]

[sampling]
temperature = 0.0
max_new_tokens = 16

[scorer]
name = "exact-match"
options = {{ gold = "{{a}}" }}
"""
Run = Callable[..., int]


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A catalog with the task ``numbers/plain`` of 60 items."""
    import hashlib

    folder = tmp_path / "own" / "tasks" / "numbers"
    folder.mkdir(parents=True)
    rows = [json.dumps({"id": str(n), "q": f"What is {n} + 1?", "a": str(n + 1)}) for n in range(60)]
    data = "".join(f"{row}\n" for row in rows).encode()
    (folder / "numbers.jsonl").write_bytes(data)
    (folder / "plain.toml").write_text(TASK.format(sha256=hashlib.sha256(data).hexdigest()))
    return tmp_path / "own"


@pytest.fixture
def arguments(catalog: Path, tmp_path: Path) -> list[str]:
    """What every command of these tests says."""
    return [
        *("--task", "numbers/plain", "--catalog", str(catalog), "--runs", str(tmp_path / "runs")),
        *("--vllm-command", f"{sys.executable} {FAKE}", "--format", "raw"),
    ]


@pytest.fixture
def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """``harness run`` with these arguments; ``fake`` says how the stand-in behaves."""

    def call(*models: str, fake: dict[str, Any] | None = None, more: tuple[str, ...] = ()) -> int:
        monkeypatch.setenv("FAKE_VLLM", json.dumps(fake or {}))
        return main(["run", "--model", *models, *arguments, *more])

    return call


def cells(tmp_path: Path) -> list[Path]:
    return sorted(path.parent for path in (tmp_path / "runs").glob("*/*/*/*/manifest.json"))


def manifest(cell: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((cell / "manifest.json").read_text())
    return found


def test_a_checkpoint_is_served_and_its_identity_completed(
    run: Run, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(checkpoint)) == 0
    (cell,) = cells(tmp_path)
    found = manifest(cell)
    assert (found["state"], found["model"]["name"], found["model"]["identity"]) == ("complete", "ckpt-100", "sha256")
    told = subprocess.run("sha256sum *.safetensors | sha256sum", shell=True, cwd=checkpoint, capture_output=True)
    assert found["model"]["weights"] == told.stdout.split()[0].decode()
    (invocation,) = found["invocations"]
    assert (invocation["engine"]["version"], invocation["engine"]["replicas"]) == ("0.0.fake", 1)
    assert f"serve {checkpoint} --served-model-name ckpt-100" in invocation["engine"]["command"]
    assert list((tmp_path / "runs" / "ckpt-100").glob("vllm-*.log"))
    assert not processes_of(checkpoint)

    capsys.readouterr()
    assert run(str(checkpoint), fake={"exit": 1}) == 0  # complete: no server is started
    assert "nothing to ask" in capsys.readouterr().err


def test_a_changed_checkpoint_is_another_cell(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    def asked() -> int:
        assert run(str(checkpoint), more=("--limit", "1")) == 0
        return len(cells(tmp_path))

    assert asked() == 1
    save_weights(checkpoint / "model.safetensors", b"\x07")
    assert asked() == 2
    (checkpoint / "tokenizer.json").write_text('{"model": {"other": 1}}')
    assert asked() == 3
    (checkpoint / "chat_template.jinja").write_text("{{ messages[0].content }}")
    assert asked() == 4
    shutil.copytree(checkpoint, checkpoint.parent / "elsewhere" / checkpoint.name)
    assert run(str(checkpoint.parent / "elsewhere" / checkpoint.name), more=("--limit", "1")) == 0
    assert len(cells(tmp_path)) == 4  # the same files in another place are the same model


def test_an_adapter_is_another_cell(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "tuned"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"r": 8}')
    found = []
    for fill in (b"\x01", b"\x02"):
        save_weights(adapter / "adapter_model.safetensors", fill)
        assert run(str(checkpoint), more=("--limit", "1", "--lora", str(adapter))) == 0
        found = [manifest(cell)["model"] for cell in cells(tmp_path)]
    assert [model["name"] for model in found] == ["ckpt-100+tuned"] * 2
    assert len({model["declared"]["lora"] for model in found}) == 2
    assert len({model["weights"] for model in found}) == 1  # the base is the same


def test_a_revision_of_the_hub_is_its_commit(
    run: Run, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    place = tmp_path / "hub" / "models--own--model"
    (place / "refs").mkdir(parents=True)
    commits = {"main": "a" * 40, "step-2": "b" * 40}
    for reference, commit in commits.items():
        shutil.copytree(checkpoint, place / "snapshots" / commit)
        (place / "refs" / reference).write_text(commit)
    for named in ("own/model", "own/model@step-2", f"own/model@{commits['main']}"):
        assert run(named, more=("--limit", "1")) == 0
    found = [manifest(cell) for cell in cells(tmp_path)]
    assert {(one["model"]["identity"], one["model"]["weights"]) for one in found} == {
        ("revision", commit) for commit in commits.values()
    }
    assert len(found) == 2  # `main` and its commit are one cell


def test_an_always_dying_server_ends_with_everything_kept(
    run: Run, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dying = {"die_after": 10, "seconds": 0.02}
    assert run(str(checkpoint), fake=dying, more=("--vllm-restarts", "1", "--concurrency", "4", "--json")) == 1
    streams = capsys.readouterr()
    document = json.loads(streams.out)
    assert document["error"]["code"] == "engine-gone"
    assert "started again 1 times" in document["error"]["message"]
    (cell,) = cells(tmp_path)
    kept = (cell / "completions.jsonl").read_text().splitlines()
    assert 10 <= len(kept) < 60
    assert (manifest(cell)["state"], manifest(cell)["invocations"][-1]["exit"]) == ("partial", 1)
    assert not processes_of(checkpoint)

    assert run(str(checkpoint)) == 0
    assert manifest(cell)["state"] == "complete"
    assert (cell / "completions.jsonl").read_text().splitlines()[: len(kept)] == kept


def test_models_are_served_one_after_the_other(
    run: Run, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for step in (20, 3):
        shutil.copytree(checkpoint, checkpoint.with_name(f"ckpt-{step}"))
        save_weights(checkpoint.with_name(f"ckpt-{step}") / "model.safetensors", bytes([step]))
    assert run(str(checkpoint.with_name("ckpt-*")), more=("--limit", "2")) == 0
    said = capsys.readouterr().err
    places = [said.index(f"starting vLLM for ckpt-{step}") for step in (3, 20, 100)]
    assert places == sorted(places)
    assert said.index("ckpt-3 · numbers/plain: complete") < said.index("starting vLLM for ckpt-20")
    # as a shell would expand it
    assert run(str(checkpoint.with_name("ckpt-3")), str(checkpoint.with_name("ckpt-20")), more=("--limit", "2")) == 0
    assert len(cells(tmp_path)) == 3


def test_a_failing_model_does_not_keep_the_next_from_its_turn(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    other = checkpoint.with_name("ckpt-200")
    shutil.copytree(checkpoint, other)
    dying_first = {"die_after": 0, "lives": str(lives), "die_until": 2}
    assert run(str(checkpoint), str(other), fake=dying_first, more=("--vllm-restarts", "0", "--limit", "2")) == 1
    states = {manifest(cell)["model"]["name"]: manifest(cell)["state"] for cell in cells(tmp_path)}
    assert states == {"ckpt-100": "partial", "ckpt-200": "complete"}


def test_a_broken_checkpoint_among_several_does_not_keep_the_others_from_their_turn(
    run: Run, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for step in (50, 200):
        shutil.copytree(checkpoint, checkpoint.with_name(f"ckpt-{step}"))
        save_weights(checkpoint.with_name(f"ckpt-{step}") / "model.safetensors", bytes([step]))
    broken = checkpoint / "model.safetensors"
    broken.write_bytes(broken.read_bytes()[:1000])
    assert run(str(checkpoint.with_name("ckpt-*")), more=("--limit", "2", "--json")) == 1
    streams = capsys.readouterr()
    found = json.loads(streams.out)
    assert [(cell["model"], cell["state"]) for cell in found["cells"]] == [
        ("ckpt-50", "complete"),
        ("ckpt-200", "complete"),
    ]
    assert (found["exit"], found["error"]["code"]) == (1, "vllm-weights")
    (line,) = [line for line in streams.err.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: {broken}: has 1,000 bytes, and its header promises ")

    for step in (50, 200):
        (checkpoint.with_name(f"ckpt-{step}") / "config.json").write_text("{")
    assert run(str(checkpoint.with_name("ckpt-*")), more=("--limit", "2")) == 1
    said = capsys.readouterr().err
    assert all(f"ckpt-{step}/" in said for step in (50, 100, 200))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--lora", "x"), "--lora: concerns checkpoints"),
        (("--vllm-arg", "a=1"), "--vllm-arg: concerns checkpoints"),
        (("--dtype", "float16"), "--dtype: concerns checkpoints"),
    ],
)
def test_options_without_effect_are_refused(
    arguments: list[str], more: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--model", "reference", *arguments[:6], *more]) == 64
    assert said in capsys.readouterr().err


def test_a_checkpoint_without_a_known_format_is_asked_by_none(
    arguments: list[str], checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--model", str(checkpoint), *arguments[:-2]]) == 64
    assert "nobody knows the chat format" in capsys.readouterr().err


@pytest.mark.parametrize("when", ["starting", "asking"])
def test_nothing_is_left_after_kill_9(arguments: list[str], checkpoint: Path, tmp_path: Path, when: str) -> None:
    fake: dict[str, Any] = {"children": 2, "seconds": 0.2} | ({"delay": 60} if when == "starting" else {})
    command = [sys.executable, "-m", "harness", "run", "--model", str(checkpoint), *arguments, "--concurrency", "2"]
    environment = os.environ | {"FAKE_VLLM": json.dumps(fake)}
    with (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen(command, env=environment, stdout=err, stderr=err)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end and not _reached(when, process.pid, tmp_path):
            time.sleep(0.05)
        pids = [pid for pid in processes_of(checkpoint) if pid != process.pid]
        assert len(pids) >= 2, (tmp_path / "err").read_text()
        descendants = _below(process.pid)
        assert len(descendants) >= 4
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert gone(descendants, 10)
    assert not processes_of(checkpoint)


def test_ctrl_c_stops_the_servers_and_the_same_command_resumes(
    arguments: list[str], run: Run, checkpoint: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "harness", "run", "--model", str(checkpoint), *arguments, "--concurrency", "2"]
    environment = os.environ | {"FAKE_VLLM": json.dumps({"children": 1, "seconds": 0.2})}
    with (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen(command, env=environment, stdout=err, stderr=err)
    while not _reached("asking", process.pid, tmp_path):
        assert process.poll() is None, (tmp_path / "err").read_text()
        time.sleep(0.05)
    below = _below(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(40) == 130
    assert gone(below, 0)
    (cell,) = cells(tmp_path)
    assert manifest(cell)["state"] == "partial"
    assert run(str(checkpoint)) == 0
    assert manifest(cell)["model"]["identity"] == "sha256"


def test_answers_of_other_weights_in_the_cell_are_told(
    run: Run, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The quick identity samples the weights: what it may miss is found by the full digest."""
    file = checkpoint / "model.safetensors"
    save_weights(file, size=2**20)
    assert run(str(checkpoint), more=("--limit", "2")) == 0
    data = bytearray(file.read_bytes())
    data[30_000] ^= 1  # between two of the sampled blocks
    file.write_bytes(data)
    assert run(str(checkpoint)) == 1
    assert "holds answers of other weights" in capsys.readouterr().err
    (cell,) = cells(tmp_path)
    assert manifest(cell)["invocations"][-1]["exit"] == 1


def test_serve_prints_and_serves(checkpoint: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = ["serve", str(checkpoint), "--vllm-command", f"{sys.executable} {FAKE}"]
    assert main([*command, "--print"]) == 0
    printed = capsys.readouterr().out
    assert f"serve {checkpoint} --served-model-name ckpt-100 --host 127.0.0.1 --port 8000" in printed
    port = free_port()  # another server of this machine may have 8000
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", *command, "--port", str(port)], stdout=out, stderr=out
        )
    said = f"once it is ready: harness run --model http://127.0.0.1:{port}/v1#ckpt-100"
    while not processes_of(checkpoint) or len(_below(process.pid)) < 2 or said not in (tmp_path / "out").read_text():
        time.sleep(0.05)
    below = _below(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130, (tmp_path / "out").read_text()
    assert gone(below, 10)


def _reached(when: str, process: int, tmp_path: Path) -> bool:
    if when == "starting":
        return len(_below(process)) >= 4
    return any(len(file.read_bytes().splitlines()) > 5 for file in (tmp_path / "runs").rglob("completions.jsonl"))


def _below(root: int) -> list[int]:
    from harness.engines.vllm.warden import descendants

    return descendants(root)


def test_a_configuration_that_names_a_published_model_gives_its_format(
    arguments: list[str], checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"_name_or_path": "WizardLM/WizardLM-13B-V1.2"}))
    monkeypatch.setenv("FAKE_VLLM", "{}")
    assert main(["run", "--model", str(checkpoint), *arguments[:-2], "--limit", "1"]) == 0
    assert "it is asked as WizardLM-13B-V1.2: vicuna_v1.1" in capsys.readouterr().err

"""The engine's life with servers that are slow, die, hang and lie; a stand-in speaks vLLM's protocol."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from harness.engines.vllm.engine import Vllm
from harness.errors import EngineError, RequestError
from harness.types import Completion, Message, Sampling
from tests.engines.mock_server import generate, make_task
from tests.engines.vllm.conftest import Options
from tests.engines.vllm.test_warden import alive, gone

pytestmark = pytest.mark.timeout(120)


async def started(engine: Vllm, notes: list[str] | None = None, **task: Any) -> Vllm:
    """The engine, entered, prepared for a task and started."""
    await engine.__aenter__()
    await engine.prepare(make_task(**task), (), task.pop("chat_format", "raw"))
    await engine.start((notes if notes is not None else []).append)
    return engine


async def ask_all(engine: Vllm, count: int) -> list[Completion]:
    asked = [engine.ask(generate(f"prompt {n}", sample=f"own/{n}")) for n in range(count)]
    return list(await asyncio.gather(*asked))


def texts(completions: list[Completion]) -> list[str]:
    return [one.text for one in completions]


def processes_of(folder: Path) -> list[int]:
    """Processes that serve the checkpoint in this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in command and alive(int(entry.name)):
                found.append(int(entry.name))
    return found


async def test_it_starts_answers_and_leaves_nothing(checkpoint: Path, options: Options) -> None:
    notes: list[str] = []
    engine = await started(Vllm(str(checkpoint), options({"children": 2})), notes)
    try:
        completion = await engine.ask(generate("Say it."))
        assert (len(completion.text), completion.finish_reason, completion.max_tokens) == (8, "stop", 16)
        assert (engine.facts.name, engine.facts.version) == ("vllm", "0.0.fake")
        pids = processes_of(checkpoint)
        assert pids
    finally:
        await engine.__aexit__(None, None, None)
    assert gone(pids, 0)
    assert not processes_of(checkpoint)
    assert any("starting vLLM for ckpt-100; log: " in note for note in notes)
    assert any("token ids checked" in note for note in notes)


async def test_the_key_is_in_no_command_line_and_no_record(checkpoint: Path, options: Options) -> None:
    engine = await started(Vllm(str(checkpoint), options()))
    try:
        key = engine._key
        assert len(key) > 20
        shown = [(Path("/proc") / str(pid) / "cmdline").read_bytes() for pid in processes_of(checkpoint)]
        assert shown
        assert not any(key.encode() in one for one in shown)
        assert key not in str(engine.facts) + str(engine.model) + str(engine.settings())
    finally:
        await engine.__aexit__(None, None, None)


@pytest.mark.parametrize("fault", ["die_after", "hang_after"])
async def test_a_lost_server_is_started_again_and_answers_the_same(
    checkpoint: Path, options: Options, tmp_path: Path, fault: str
) -> None:
    calm = await started(Vllm(str(checkpoint), options({"seconds": 0.01})))
    undisturbed = texts(await ask_all(calm, 40))
    await calm.__aexit__(None, None, None)

    fake = {"seconds": 0.01, fault: 15, "lives": str(tmp_path / "lives"), "die_until": 3}
    notes: list[str] = []
    engine = await started(Vllm(str(checkpoint), options(fake, stall_timeout=2.0)), notes)
    try:
        answered = await ask_all(engine, 40)
    finally:
        await engine.__aexit__(None, None, None)
    assert texts(answered) == undisturbed
    assert (tmp_path / "lives").read_text() == "3"
    assert any(one.tries > 1 for one in answered)
    how = "ended" if fault == "die_after" else "gave no sign of life for 2 s"
    assert any(f"{how}" in note and "starting it again (1 of 3)" in note for note in notes)
    assert any("starting it again (2 of 3)" in note for note in notes)


async def test_a_server_that_always_dies_ends_clearly(checkpoint: Path, options: Options) -> None:
    engine = await started(Vllm(str(checkpoint), options({"die_after": 3}, restarts=1)))
    try:
        with pytest.raises(EngineError, match=r"vLLM of ckpt-100 ended: .*; it was started again 1 times") as caught:
            await ask_all(engine, 20)
    finally:
        await engine.__aexit__(None, None, None)
    assert caught.value.code == "engine-gone"
    assert "--vllm-restarts" in caught.value.remedy


async def test_several_servers_share_the_load(checkpoint: Path, options: Options) -> None:
    engine = await started(Vllm(str(checkpoint), options({"seconds": 0.05}, replicas=2)))
    try:
        assert engine._fleet is not None
        await ask_all(engine, 40)
        assert sorted(one.served for one in engine._fleet.replicas) == [20, 20]
        assert len({one.url for one in engine._fleet.replicas}) == 2
    finally:
        await engine.__aexit__(None, None, None)
    assert not processes_of(checkpoint)


async def test_one_of_several_servers_dies(checkpoint: Path, options: Options, tmp_path: Path) -> None:
    fake = {"seconds": 0.02, "die_after": 10, "lives": str(tmp_path / "lives"), "die_until": 2}
    engine = await started(Vllm(str(checkpoint), options(fake, replicas=2)))
    try:
        assert len(await ask_all(engine, 60)) == 60
    finally:
        await engine.__aexit__(None, None, None)


async def test_lengths_are_clamped_and_counted(checkpoint: Path, options: Options) -> None:
    engine = await started(Vllm(str(checkpoint), options(max_model_len=256)))
    try:
        sampling = Sampling(temperature=0.0, max_new_tokens=60)
        clamped = await engine.ask(generate("x" * 239, sampling=sampling))
        assert clamped.max_tokens == 256 - 240
        total = await engine.ask(generate("x" * 39, sampling=Sampling(temperature=0.0, max_total_tokens=50)))
        assert total.max_tokens == 10
        with pytest.raises(RequestError, match="the prompt has 301 tokens, which leaves no room of 256") as caught:
            await engine.ask(generate("x" * 300, sampling=sampling))
        assert caught.value.code == "prompt-too-long"
        await engine.stop()
        notes: list[str] = []
        await engine.identify(notes.append)
        assert "ckpt-100 on own/plain: 1 replies were clamped to what the context left" in notes
    finally:
        await engine.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("fake", "code", "said"),
    [
        (
            {"say": ["torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB."], "exit": 1},
            "vllm-memory",
            r"out of memory \(torch.OutOfMemoryError: CUDA out of memory",
        ),
        ({"say": ["vllm: error: unrecognized arguments: --x"], "exit": 2}, "vllm-arguments", "does not take"),
        ({"say": ["INFO 11-21 10:00:00 [a.py:1] odd", "ValueError: strange"], "exit": 1}, "vllm-unknown", "ValueErro"),
        ({"exit": 0}, "vllm-no-vllm", "ended with exit 0 and does not seem to be vLLM"),
    ],
)
async def test_a_server_that_does_not_start_says_why(
    checkpoint: Path, options: Options, fake: dict[str, Any], code: str, said: str
) -> None:
    engine = Vllm(str(checkpoint), options(fake))
    with pytest.raises(EngineError, match=f"vLLM of ckpt-100 did not start: .*{said}.*; log: .*[.]log") as caught:
        await started(engine)
    await engine.__aexit__(None, None, None)
    assert caught.value.code == code
    assert caught.value.remedy
    assert Path(caught.value.message.rpartition("; log: ")[2]).is_file()


async def test_a_start_takes_no_longer_than_it_may(checkpoint: Path, options: Options) -> None:
    engine = Vllm(str(checkpoint), options({"delay": 60, "say": ["Loading weights: 3 %"]}, start_timeout=10.0))
    begin = time.monotonic()
    with pytest.raises(EngineError, match="was not ready after 10 s; it last said: Loading weights: 3 %") as caught:
        await started(engine)
    assert time.monotonic() - begin < 45
    assert caught.value.code == "vllm-late"
    assert not processes_of(checkpoint)


async def test_a_context_too_short_for_anything_is_told(checkpoint: Path, options: Options) -> None:
    engine = Vllm(str(checkpoint), options(max_model_len=16))
    with pytest.raises(EngineError, match="ckpt-100: not even a line of text fits its context") as caught:
        await started(engine)
    await engine.__aexit__(None, None, None)
    assert caught.value.remedy == "give a longer --max-model-len"


async def test_leaving_in_the_middle_of_a_start_stops_it(checkpoint: Path, options: Options) -> None:
    engine = Vllm(str(checkpoint), options({"delay": 60}))
    start = asyncio.create_task(started(engine))
    while not processes_of(checkpoint):
        await asyncio.sleep(0.05)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    await engine.__aexit__(None, None, None)
    assert not processes_of(checkpoint)


async def test_messages_go_to_the_servers_template(checkpoint: Path, options: Options) -> None:
    (checkpoint / "chat_template.jinja").write_text(
        "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    )
    engine = Vllm(str(checkpoint), options())
    await engine.__aenter__()
    assert engine.model.chat_format == "tokenizer"
    prepared = await engine.prepare(make_task(), (), "tokenizer")
    assert any("own chat template" in note for note in prepared.notes)
    await engine.start(lambda text: None)
    try:
        messages = (Message(role="user", content="Hi"),)
        assert len((await engine.ask(generate(None, messages=messages))).text) == 8
    finally:
        await engine.__aexit__(None, None, None)


async def test_a_broken_template_and_a_missing_one_are_told_before_the_start(
    checkpoint: Path, options: Options
) -> None:
    engine = await Vllm(str(checkpoint), options()).__aenter__()
    with pytest.raises(EngineError, match="has no chat template, which format 'tokenizer' is"):
        await engine.prepare(make_task(), (), "tokenizer")
    (checkpoint / "chat_template.jinja").write_text("{% for m in messages %}")
    engine = await Vllm(str(checkpoint), options()).__aenter__()
    with pytest.raises(Exception, match="chat template"):
        await engine.prepare(make_task(), (), "tokenizer")


async def test_weights_that_change_while_they_are_served_are_not_vouched_for(
    checkpoint: Path, options: Options
) -> None:
    engine = await started(Vllm(str(checkpoint), options()))
    await engine.stop()
    file = checkpoint / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    with pytest.raises(EngineError, match="changed while"):
        await engine.identify(lambda text: None)
    assert engine.model.identity == "quick"
    await engine.__aexit__(None, None, None)

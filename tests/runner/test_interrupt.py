from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.runner import interrupt as interrupts
from harness.runner import invocation
from harness.runner.interrupt import Interrupt, InterruptedRunError

Lab = Any


async def test_the_first_two_signals_are_told_apart_and_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    heard = Interrupt()
    with heard.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(heard.first.wait(), 5)
        assert not heard.second.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(heard.second.wait(), 5)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    await asyncio.sleep(0)  # the timer that would have ended this process is off


@pytest.mark.parametrize("signals", [2, 3])
def test_who_ends_at_once_still_says_one_line(signals: int) -> None:
    hangs = (
        "import asyncio, time\n"
        "from harness.runner import interrupt\n"
        "async def run():\n"
        "    heard = interrupt.Interrupt()\n"
        "    interrupt._HURRY_SECONDS = 0.2 if SIGNALS == 2 else 60\n"
        "    with heard.listening():\n"
        "        for _ in range(600):\n"
        "            print('here', flush=True)\n"
        "            await asyncio.sleep(0.1)\n"
        "asyncio.run(run())\n"
    )
    program = [sys.executable, "-c", hangs.replace("SIGNALS", str(signals))]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(signals):
            process.stdout.readline()
            process.stdout.readline()  # the signal before was heard
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "error: interrupted — run the same command again to resume\n"


def test_who_ends_at_once_does_not_wait_for_a_pipe_that_nobody_reads() -> None:
    full = (
        "import os, signal\n"
        "from harness.runner import interrupt\n"
        "os.set_blocking(2, False)\n"
        "try:\n"
        "    while True: os.write(2, bytes(4096))\n"
        "except BlockingIOError:\n"
        "    os.set_blocking(2, True)\n"
        "interrupt._leave(signal.SIGINT)\n"
    )
    with subprocess.Popen([sys.executable, "-c", full], stderr=subprocess.PIPE) as process:
        try:
            assert process.wait(30) == 130
        finally:
            process.kill()


async def test_preparation_is_broken_off_by_a_signal(lab: Lab) -> None:
    async def hangs(*args: Any) -> Any:
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

    lab.engine.prepare = hangs
    outcome = await lab.run()
    assert outcome.interrupted
    assert outcome.cells == ()
    assert not lab.engine.open
    assert not lab.runs.exists()


async def test_a_download_is_broken_off_by_a_signal(lab: Lab) -> None:
    def downloads(task: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the signal came first")

    lab.data.samples = downloads
    outcome = await lab.run()
    assert outcome.interrupted
    with pytest.raises(InterruptedRunError), interrupts.breakable():
        os.kill(os.getpid(), signal.SIGTERM)


async def test_what_does_not_finish_within_the_grace_is_cancelled(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.runner.window.GRACE_SECONDS", 0.2)

    async def hangs(request: Any) -> str:
        if request.sample == "0":
            os.kill(os.getpid(), signal.SIGINT)
            return "y"
        await asyncio.sleep(60)
        return "z"

    lab.engine.reply = hangs
    outcome = await asyncio.wait_for(lab.run(), 10)
    assert outcome.interrupted
    (one,) = outcome.cells
    assert (one.state, one.done, one.unscored) == ("partial", 1, 5)
    assert lab.view(one).manifest.invocations[-1].exit == 130
    assert lab.engine.in_flight == 0


def test_the_commit_is_told_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert invocation.git_commit() is None
    for words in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *words], check=True, capture_output=True)
    found = invocation.git_commit()
    assert found is not None
    assert len(found) == 40
    monkeypatch.setenv("PATH", str(tmp_path))
    assert invocation.git_commit() is None

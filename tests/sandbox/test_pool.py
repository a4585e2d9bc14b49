"""Workers: the next trial waits beside the one at work, what one leaves is gone, and none pays for another."""

from __future__ import annotations

import asyncio
import mmap
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from harness.sandbox import Limits, Sandbox, Trial
from harness.sandbox.scratch import Scratch, remove_tree

TEST = "def check(candidate):\n    assert candidate(2) == 4\n"
RIGHT = "def solve(n): return n * n\n"


def trial(program: str, *, cpu: float = 2.0) -> Trial:
    limits = Limits(cpu_seconds=cpu, wall_seconds=cpu + 1)
    return Trial(program=program, entry_point="solve", helpers="", test=TEST, limits=limits)


async def test_a_waiting_trial_pays_nothing_for_the_one_before_it() -> None:
    async with Sandbox(workers=1) as sandbox:
        loop = asyncio.create_task(sandbox.run(trial("while True: pass", cpu=1.0)))
        await asyncio.sleep(0.05)
        waiting = await sandbox.run(trial(RIGHT, cpu=0.5))
        assert (await loop).kind == "cpu"
        assert waiting.status == "passed"
        assert waiting.wall_seconds < 0.5


async def test_a_waiting_trial_survives_the_death_of_the_worker() -> None:
    async with Sandbox(workers=1) as sandbox:
        slow = asyncio.create_task(sandbox.run(trial("import time\ntime.sleep(0.5)\n" + RIGHT)))
        waiting = asyncio.create_task(sandbox.run(trial(RIGHT)))
        await asyncio.sleep(0.2)
        process = sandbox._all[0]._lean._process
        assert process is not None
        process.kill()
        assert (await waiting).status == "passed"
        assert (await slow).status == "passed"


async def test_who_waits_behind_a_trial_that_leaves_something_is_not_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sandbox.pool._LIVES", 1)
    leaves = "import os, time\nos.mkdir('left')\ntime.sleep(0.2)\n" + RIGHT
    async with Sandbox(workers=1) as sandbox:
        programs = [leaves, RIGHT, leaves, leaves, RIGHT, RIGHT]
        outcomes = await asyncio.gather(*(sandbox.run(trial(program)) for program in programs))
    assert {outcome.status for outcome in outcomes} == {"passed"}


async def test_a_worker_runs_one_trial_at_a_time_whatever_it_imports() -> None:
    nap = "import time\nbegan = time.time()\ntime.sleep(0.15)\ndef solve(n): return n * n\n"
    async with Sandbox(workers=1) as sandbox:
        began = time.monotonic()
        outcomes = await asyncio.gather(*(sandbox.run(trial(nap + ("#numpy" if i % 2 else ""))) for i in range(4)))
        assert {outcome.status for outcome in outcomes} == {"passed"}
        assert time.monotonic() - began > 0.6


DISK = {
    "many files": "import itertools\nfor i in itertools.count(): open(str(i), 'w').close()",
    "many folders": "import itertools, os\nfor i in itertools.count(): os.mkdir(str(i))",
    "big files": """
import itertools
for i in itertools.count():
    with open(str(i), 'wb') as file: file.write(b'0' * (60 << 20))
""",
}


@pytest.mark.parametrize("level", ["landlock", None])
@pytest.mark.parametrize("name", DISK)
async def test_the_scratch_folder_is_bounded(name: str, level: str | None) -> None:
    async with Sandbox(workers=1, level=level) as sandbox:
        outcome = await sandbox.run(trial(DISK[name], cpu=20.0))
        assert outcome.status == "error", outcome
        assert outcome.kind in ("disk", "OSError"), outcome
        assert (await sandbox.run(trial(RIGHT))).status == "passed"


async def test_threads_are_bounded() -> None:
    program = """
import threading
threading.stack_size(64 << 10)
while True:
    try: threading.Thread(target=threading.Event().wait, daemon=True).start()
    except RuntimeError: pass
"""
    async with Sandbox(workers=1) as sandbox:
        outcome = await sandbox.run(trial(program, cpu=1.0))
        assert outcome.kind in ("threads", "cpu"), outcome
        assert (await sandbox.run(trial(RIGHT))).status == "passed"


LEFTOVERS = {
    "a folder": "import os\nos.makedirs('a/b/c')\nopen('a/b/c/left', 'w').write('x')",
    "a deep folder": "import os\nfor _ in range(1500): os.mkdir('d'); os.chdir('d')",
    "a closed folder": "import os\nos.umask(0o777)\nos.mkdir('closed')",
    "a name that is no text": "open(b'\\xff\\xfe', 'w').close()",
    "a link": "import os\nos.symlink('/etc', 'link')",
    "an environment variable": "import os\nos.environ['LEFT'] = '1'\nos.putenv('LEFT', '1')",
}


@pytest.mark.parametrize("level", ["landlock", None])
@pytest.mark.parametrize("name", LEFTOVERS)
async def test_nothing_is_left_for_the_next(name: str, level: str | None) -> None:
    look = "import os\nseen = os.listdir('.') + [os.environ.get('LEFT')]\n"
    look += "def solve(n): return n * n if seen == [None] else seen"
    async with Sandbox(workers=1, level=level) as sandbox:
        assert (await sandbox.run(trial(f"{LEFTOVERS[name]}\n{RIGHT}"))).status == "passed"
        outcome = await sandbox.run(trial(look))
        assert outcome.status == "passed", outcome


async def test_no_scratch_folder_is_left_on_the_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with Sandbox(workers=2, level="landlock") as sandbox:
        assert list(tmp_path.iterdir())
        await sandbox.run(trial(f"{LEFTOVERS['a deep folder']}\n{RIGHT}"))
        await sandbox.run(trial(f"{LEFTOVERS['a closed folder']}\n{RIGHT}"))
    assert list(tmp_path.iterdir()) == []


def test_a_tree_of_any_depth_and_mode_is_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.fchmod(below, 0o300)
        os.close(here)
        here = below
    os.close(here)
    remove_tree(str(top))
    assert not top.exists()


def test_a_full_scratch_folder_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sandbox.scratch.MAX_FILES", 50)
    scratch = Scratch()
    try:
        assert not scratch.overfull([])
        Path(scratch.path, "a").mkdir()
        for number in range(51):
            Path(scratch.path, "a", str(number)).touch()
        assert scratch.overfull([])
    finally:
        scratch.remove()


@pytest.mark.parametrize("still", ["open", "mapped"])
def test_files_without_a_name_fill_the_scratch_folder_too(monkeypatch: pytest.MonkeyPatch, still: str) -> None:
    monkeypatch.setattr("harness.sandbox.scratch.MAX_BYTES", 1 << 20)
    scratch = Scratch()
    try:
        with Path(scratch.path, "f").open("w+b") as file:
            file.write(b"x" * (2 << 20))
            file.flush()
            assert scratch.overfull([os.getpid()])
            Path(scratch.path, "f").unlink()
            assert scratch.overfull([os.getpid()])
            assert not scratch.overfull([os.getppid()])
            view = mmap.mmap(file.fileno(), 0) if still == "mapped" else None
            if view is not None:
                file.close()
                assert scratch.overfull([os.getpid()])
                view.close()
        assert not scratch.overfull([os.getpid()])
    finally:
        scratch.remove()


def test_a_folder_that_cannot_be_looked_into_counts_as_full(monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = Scratch()
    listed = os.scandir

    def refuses(path: str) -> Any:
        if path.endswith("closed"):
            raise PermissionError(path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuses)
    try:
        Path(scratch.path, "open").mkdir()
        assert not scratch.overfull([])
        Path(scratch.path, "closed").mkdir()
        assert scratch.overfull([])
        scratch.seen = "/nowhere"
        assert not scratch.overfull([])
    finally:
        monkeypatch.undo()
        scratch.remove()


async def test_who_waits_is_not_overtaken_by_who_has_just_finished() -> None:
    rounds: list[int] = []

    async def twice(sandbox: Sandbox) -> None:
        for number in (1, 2):
            await sandbox.run(trial(RIGHT))
            rounds.append(number)

    async with Sandbox(workers=1, level="landlock") as sandbox:
        await asyncio.gather(*(twice(sandbox) for _ in range(6)))
    assert rounds == [1] * 6 + [2] * 6

"""What a hostile program may take of the machine while it runs: memory, disk, processes; and that it is given back."""

import asyncio
import contextlib
import os
import resource
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.sandbox import Limits, Outcome, Sandbox, Trial
from harness.sandbox.attacks.attack import PROBLEMS
from tests.sandbox.hostile.collection import BY_NAME
from tests.sandbox.hostile.hiding import HIDING
from tests.sandbox.hostile.levels import refusal

LIMITS = Limits(cpu_seconds=4.0, wall_seconds=8.0)
DISK_BYTES = 1 << 30
DISK_FILES = 20_000
MEMORY_BYTES = 1 << 30
"""Address space of each of a worker's two processes."""


async def run(program: str, *, memory_bytes: int = 4 << 30) -> Outcome:
    problem = PROBLEMS["square"]
    trial = Trial(
        program=textwrap.dedent(program), entry_point="solve", helpers=problem.helpers, test=problem.test, limits=LIMITS
    )
    async with Sandbox(workers=1, memory_bytes=memory_bytes) as sandbox:
        outcome = await sandbox.run(trial)
        honest = Trial(program=problem.helpers, entry_point="solve", helpers="", test=problem.test, limits=LIMITS)
        assert (await sandbox.run(honest)).status == "passed"
    return outcome


class Peak:
    """The highest value of something that is measured over and over in a thread. Use as a context."""

    def __init__(self, measure: Callable[[], int]) -> None:
        self._measure = measure
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.first = measure()
        self.value = self.first

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.value = max(self.value, self._measure())


def scratch_files(folder: Path) -> list[Path]:
    found = []
    for path in folder.glob("harness-scratch-*"):
        try:
            found += [*path.iterdir()]
        except OSError:
            continue
    return found


def size(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0


def used_memory() -> int:
    """Bytes held by what this process has started, and by shared memory and files in memory."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    total = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Shmem:"))
    parents, resident = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                parents[int(entry.name)], resident[int(entry.name)] = int(fields[1]), int(fields[21])
    ours = {os.getpid()}
    for _ in range(5):
        ours |= {pid for pid, parent in parents.items() if parent in ours}
    return total + sum(resident[pid] for pid in ours if pid in resident) * resource.getpagesize()


@pytest.fixture
def scratch(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("scratch")
    folder.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("name", ["big files", "a big file"])
async def test_disk_space_is_bounded(scratch: Path, name: str) -> None:
    with Peak(lambda: sum(size(path) for path in scratch_files(scratch))) as peak:
        outcome = await run(BY_NAME[name].program)
    # Stopped for what it wrote, and not only because its time was up.
    assert outcome.kind in ("disk", "OSError"), outcome
    assert peak.value <= DISK_BYTES, f"{peak.value >> 20} MiB"
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("name", [attack.name for attack in HIDING])
def test_files_that_nobody_sees_are_bounded(scratch: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the level where the scratch folder is no file system of its own."""
    if reason := refusal("landlock"):
        pytest.skip(f"no level landlock here: {reason}")
    monkeypatch.setenv("HARNESS_SANDBOX", "landlock")
    outcome = asyncio.run(run(BY_NAME[name].program))
    # What cannot be sent is not kept either: then only its time is up.
    assert outcome.kind == "disk" or (name == "files on their way" and outcome.status == "timeout"), outcome
    assert list(scratch.iterdir()) == []


async def test_the_number_of_files_is_bounded(scratch: Path) -> None:
    with Peak(lambda: len(scratch_files(scratch))) as peak:
        began = time.monotonic()
        outcome = await run(BY_NAME["small files"].program)
        seconds = time.monotonic() - began
    assert outcome.kind in ("disk", "OSError"), outcome
    assert peak.value <= DISK_FILES
    assert seconds < 15
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("name", ["memory", "anonymous memory", "memory files", "a huge result"])
async def test_memory_is_bounded(name: str) -> None:
    with Peak(used_memory) as peak:
        outcome = await run(BY_NAME[name].program, memory_bytes=MEMORY_BYTES)
    assert outcome.status in ("error", "timeout", "wrong"), outcome
    # Unbounded, these take several GiB in the time they have.
    assert peak.value - peak.first <= 2 * MEMORY_BYTES, f"{(peak.value - peak.first) >> 20} MiB"


@pytest.mark.parametrize("name", ["a fork bomb", "a thread bomb"])
async def test_processes_are_bounded_and_gone(name: str) -> None:
    def tasks() -> int:
        return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])

    with Peak(tasks) as peak:
        outcome = await run(BY_NAME[name].program)
    assert outcome.status in ("error", "timeout", "wrong"), outcome
    assert peak.value - peak.first <= 1000
    await asyncio.sleep(0.2)
    assert tasks() - peak.first <= 100

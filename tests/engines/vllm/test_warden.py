"""Nothing that the harness starts outlives it."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.engines.vllm import warden

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")

TREE = '''
import os, signal, subprocess, sys, time
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
one = subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True, stdout=subprocess.PIPE)
one.stdout.readline()
leave = """import subprocess, sys
p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True,
                     stdout=subprocess.DEVNULL)
print(p.pid)"""
orphan = subprocess.run([sys.executable, "-c", leave], stdout=subprocess.PIPE, text=True)
print(os.getpid(), one.pid, orphan.stdout.strip(), flush=True)
time.sleep(600)
'''


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone(pids: list[int], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(map(alive, pids))


@pytest.fixture
def tree() -> Iterator[tuple[subprocess.Popen[str], int, list[int]]]:
    """A warden with a command, a child deaf to SIGTERM in a session of its own, and an orphaned grandchild."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-I", warden.__file__, "1", "--", sys.executable, "-c", TREE],
        stdin=reading,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    os.close(reading)
    assert process.stdout is not None
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert len(pids) == 3
    yield process, writing, pids
    for pid in [process.pid, *pids]:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_closed_pipe_ends_every_descendant(tree: tuple[subprocess.Popen[str], int, list[int]]) -> None:
    process, pipe, pids = tree
    assert all(map(alive, pids))
    os.close(pipe)
    assert process.wait(10) == 128 + signal.SIGTERM
    assert gone(pids, 0)


def test_what_a_dead_command_leaves_behind_is_ended(tree: tuple[subprocess.Popen[str], int, list[int]]) -> None:
    process, pipe, pids = tree
    os.kill(pids[0], signal.SIGKILL)
    assert process.wait(10) == 128 + signal.SIGKILL
    assert gone(pids, 0)
    os.close(pipe)


def test_a_stopped_command_is_ended_too(tree: tuple[subprocess.Popen[str], int, list[int]]) -> None:
    process, pipe, pids = tree
    os.kill(pids[0], signal.SIGSTOP)
    os.close(pipe)
    process.wait(10)
    assert gone(pids, 0)


@pytest.fixture
def short() -> Iterator[Path]:
    """A temporary folder with a short path."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_the_folder_of_sockets_is_removed(short: Path) -> None:
    code = f"import os; folder = os.environ['{warden.SOCKETS}']; open(folder + '/one', 'w').close(); print(folder)"
    command = [sys.executable, "-I", warden.__file__, "1", "--", sys.executable, "-c", code]
    reading, writing = os.pipe()
    env = {**os.environ, "TMPDIR": str(short)}
    env.pop(warden.SOCKETS, None)
    told = subprocess.run(command, stdin=reading, env=env, capture_output=True, text=True, check=True).stdout
    os.close(reading)
    os.close(writing)
    assert Path(told.strip()).parent == short
    assert list(short.iterdir()) == []


@pytest.mark.parametrize("length", [70, 71])
def test_paths_of_sockets_are_never_too_long(short: Path, length: int) -> None:
    temporary = short / ("t" * (length - len(str(short)) - len("//v-01234567")))
    temporary.mkdir()
    code = f"import os; print(os.environ.get('{warden.SOCKETS}'))"
    reading, writing = os.pipe()
    env = {**os.environ, "TMPDIR": str(temporary)}
    env.pop(warden.SOCKETS, None)
    command = [sys.executable, "-I", warden.__file__, "1", "--", sys.executable, "-c", code]
    told = subprocess.run(command, stdin=reading, env=env, capture_output=True, text=True, check=True).stdout.strip()
    os.close(reading)
    os.close(writing)
    assert len(told) == 70 if length == 70 else told == "None"
    assert list(temporary.iterdir()) == []


def test_a_full_disk_leaves_the_sockets_without_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: str) -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    monkeypatch.setattr(warden, "guard", lambda *_: 5)
    monkeypatch.delenv(warden.SOCKETS, raising=False)
    assert warden.main(["1", "--", "command"]) == 5
    assert warden.SOCKETS not in os.environ


def test_the_command_dies_with_its_warden(tree: tuple[subprocess.Popen[str], int, list[int]]) -> None:
    process, pipe, pids = tree
    process.kill()
    assert gone(pids[:1], 5)
    os.close(pipe)


def test_a_parent_that_is_gone_is_noticed_though_another_holds_the_pipe(tmp_path: Path) -> None:
    """A child forked by the harness inherits the pipe and would keep it open."""
    code = f"""
import os, subprocess, sys, time
reading, writing = os.pipe()
os.set_inheritable(writing, True)
log = open({str(tmp_path / "pid")!r}, "wb")
subprocess.Popen([sys.executable, "-I", {warden.__file__!r}, "1", "--", sys.executable, "-c",
                  "import os, time; print(os.getpid(), flush=True); time.sleep(600)"],
                 stdin=reading, stdout=log, start_new_session=True)
holder = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], close_fds=False, stdout=-3)
while not os.path.getsize({str(tmp_path / "pid")!r}): time.sleep(0.02)
print(holder.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, timeout=30)
    holder = int(done.stdout)
    try:
        assert gone([int((tmp_path / "pid").read_text())], 8)
    finally:
        os.kill(holder, signal.SIGKILL)


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 6)", 134)])
def test_the_status_is_the_commands_own(code: str, status: int) -> None:
    reading, writing = os.pipe()
    try:
        command = [sys.executable, "-I", warden.__file__, "1", "--", sys.executable, "-c", code]
        assert subprocess.run(command, stdin=reading, timeout=20).returncode == status
        absent = [sys.executable, "-I", warden.__file__, "1", "--", "/no/such/command"]
        told = subprocess.run(absent, stdin=reading, timeout=20, capture_output=True, text=True)
        assert (told.returncode, told.stderr) == (127, "cannot start /no/such/command: No such file or directory\n")
    finally:
        os.close(reading)
        os.close(writing)

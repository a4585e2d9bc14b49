"""Which level is chosen, by what holds when it is tried, as root and as an ordinary user."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import SandboxError, UsageError
from harness.sandbox import Sandbox, Trial, probe
from harness.sandbox.pool import LEVELS, candidates

TEST = "def check(candidate):\n    assert candidate(2) == 4\n"
RIGHT = Trial(program="def solve(n): return n * n", entry_point="solve", helpers="", test=TEST)
UNPRIVILEGED = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"]
PROBE = "from harness.sandbox import probe; found = probe(); print(found.level, found.reason)"


@pytest.fixture(autouse=True)
def _no_level_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_SANDBOX", raising=False)


def test_the_best_level_that_holds_is_chosen() -> None:
    assert probe().level in LEVELS


def test_a_level_may_be_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_SANDBOX", "landlock")
    assert probe().level == "landlock"
    assert candidates("landlock", unsafe=False) == ["landlock"]
    monkeypatch.setenv("HARNESS_SANDBOX", "lock")
    with pytest.raises(UsageError, match="'lock'"):
        Sandbox(workers=1)


def test_without_landlock_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sandbox.inside.jail.landlock_abi", lambda: 0)
    assert candidates(None, unsafe=True) == ["unsafe"]
    with pytest.raises(SandboxError, match="Landlock"):
        candidates(None, unsafe=False)


def test_bubblewrap_that_is_not_there_is_no_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sandbox.bwrap.installed", lambda: None)
    assert candidates(None, unsafe=False) == ["landlock"]
    with pytest.raises(SandboxError, match="install the package bubblewrap"):
        candidates("bwrap", unsafe=False)


async def test_bubblewrap_that_does_not_work_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'setting up uid map: Permission denied' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr("harness.sandbox.bwrap.installed", lambda: str(broken))
    async with Sandbox(workers=1) as sandbox:
        assert sandbox.level == "landlock"
        assert (await sandbox.run(RIGHT)).status == "passed"
    found = await asyncio.to_thread(probe)
    assert (found.level, found.reason[:43]) == ("landlock", "bwrap: the sandbox worker could not start: ")
    with pytest.raises(SandboxError, match="bwrap: the sandbox worker could not start"):
        async with Sandbox(workers=1, level="bwrap"):
            pass


async def test_a_canary_that_escapes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    escaped = Trial(program="def attack(): return ['read /etc/passwd']", entry_point="attack", helpers="", test=TEST)
    monkeypatch.setattr("harness.sandbox.pool.CANARY", escaped)
    with pytest.raises(SandboxError, match="an attack that must fail"):
        async with Sandbox(workers=1):
            pass


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
async def test_namespaces_hide_the_machine() -> None:
    program = """
import os
def solve(n):
    seen = [os.getpid() < 1000, os.path.exists("/home"), os.path.exists("/etc/passwd"), os.path.exists("/usr/bin")]
    size = os.statvfs(".").f_blocks * os.statvfs(".").f_frsize
    return n * n if seen == [True, False, False, False] and size <= 1 << 30 else (seen, size)
"""
    try:
        async with Sandbox(workers=1, level="bwrap") as sandbox:
            trial = Trial(program=program, entry_point="solve", helpers="", test=TEST)
            outcome = await sandbox.run(trial)
            assert outcome.status == "passed", outcome
            trial = Trial(program="while True: pass", entry_point="solve", helpers="", test=TEST)
            outcome = await sandbox.run(trial)
            assert (outcome.status, outcome.kind) == ("timeout", "cpu")
            assert 2.9 < outcome.cpu_seconds < 5.0
    except SandboxError as error:
        pytest.skip(str(error))


def probed(before: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Probe as another user, by a Python of our version that this user can execute; skips where there is none."""
    import msgspec

    places = [str(Path(__file__).parents[2]), str(Path(msgspec.__file__).parents[1])]
    code = f"import sys; sys.path[:0] = {places!r}; {PROBE}"
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    again = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'pass'], check=True)"
    for python in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        if subprocess.run([*UNPRIVILEGED, python, "-c", again], capture_output=True, check=False).returncode == 0:
            break
    else:
        pytest.skip("an ordinary user can execute no Python of this version")
    return subprocess.run(
        [*before, python, "-P", "-B", "-c", code],
        env={"PATH": os.environ["PATH"], **environment},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, to become nobody")
@pytest.mark.parametrize("level", LEVELS)
def test_an_ordinary_user_has_the_same_levels(level: str) -> None:
    found = probed(UNPRIVILEGED, {"HARNESS_SANDBOX": level})
    if level == "bwrap" and (shutil.which("bwrap") is None or "could not start" in found.stdout):
        pytest.skip(found.stdout)
    if not found.stdout and ("ermission denied" in found.stderr or "No module named" in found.stderr):
        pytest.skip(f"an ordinary user cannot start {sys.executable}")
    assert found.stdout.split()[:1] == [level], (found.stdout, found.stderr)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root, to forbid namespaces")
def test_where_namespaces_are_forbidden_landlock_is_chosen() -> None:
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    closed = ["unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh", "setpriv", "--no-new-privs"]
    closed += ["--bounding-set", "-all", "--inh-caps", "-all"]
    found = probed(closed, {})
    if "landlock" not in found.stdout and found.returncode != 0 and "harness" not in found.stderr:
        pytest.skip(f"namespaces cannot be forbidden here: {found.stderr}")
    assert found.stdout.split()[:1] == ["landlock"], (found.stdout, found.stderr)

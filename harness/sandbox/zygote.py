"""A zygote in its jail, seen from outside: it is started, runs one trial at a time, and its clocks are watched."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import json
import marshal
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import SandboxError
from harness.sandbox import paths
from harness.sandbox.trial import Limits, Outcome, Trial

PACKAGES = ("numpy",)
"""Installed packages that programs may import; what else happens to be installed must not change a verdict."""
_FIRST_USER = 1_000_000_000
"""Root's zygotes become this user plus their process id: users of their own, so that no worker, and no other program of
an ordinary user, shares their limits or can reach them."""
_NOBODY = 65534
_START_SECONDS = 60.0
_STARVED_FACTOR = 50.0
_MAX_PACKET = 1 << 16
_BOOT = "import sys; sys.path.insert(0, sys.argv[2]); from harness.sandbox.inside.zygote import main; main()"
_THREADS = 256


class ZygoteDiedError(Exception):
    """The zygote is gone; nothing is known of the trial."""


class Zygote:
    """A warm interpreter and its scratch folder.

    Args:
        level: ``landlock`` or ``unsafe``.
        preload: Modules to import before the first fork.
        memory_bytes: Address space of each process.
    """

    def __init__(self, level: str, preload: Sequence[str], memory_bytes: int) -> None:
        self._level = level
        self._memory_bytes = memory_bytes
        self._preload = preload
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._scratch: str | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._process is not None

    async def start(self) -> None:
        """Start the zygote and wait until it is behind its walls.

        Raises:
            SandboxError: It does not start, or the kernel refuses the walls.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._scratch = tempfile.mkdtemp(prefix="harness-scratch-")
        with theirs:
            self._process = subprocess.Popen(  # noqa: ASYNC220  starting takes a millisecond
                [sys.executable, "-s", "-P", "-S", "-B", "-c", _BOOT, str(theirs.fileno()), str(_import_root())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_environment(self._scratch),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        ours.setblocking(False)
        self._control = ours
        read = paths.readable(PACKAGES)
        closed = paths.needs_search_capability([*read, self._scratch])
        # Without that capability (a container may withhold it) root stays root, but without any capability.
        leaves_root = os.geteuid() == 0 and self._level != "unsafe" and (not closed or paths.may_search())
        user = _own_user(self._scratch, self._process.pid) if leaves_root else None
        configuration = {
            "level": self._level,
            "read": read,
            "scratch": self._scratch,
            "uid": user,
            "keep_search": user is not None and closed,
            "threads": _THREADS if user is not None else None,
            "memory_bytes": self._memory_bytes,
            "sys_path": _import_path(),
            "preload": list(self._preload),
        }
        answer: dict[str, Any] = {}
        with contextlib.suppress(ZygoteDiedError, TimeoutError):
            self._send(configuration)
            answer = await asyncio.wait_for(self._receive(), _START_SECONDS)
        if "ready" not in answer:
            self.stop()
            reason = answer.get("refused", "its process ended before it was ready")
            raise SandboxError(f"the sandbox worker could not start: {reason}", "run `harness doctor` for the cause")

    def stop(self) -> None:
        """End the zygote and everything it forked, and remove its scratch folder."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    async def run(self, trial: Trial) -> Outcome:
        """Run one trial.

        Raises:
            ZygoteDiedError: The zygote ended; start another and try again.
            SandboxError: The tests themselves are broken, or the machine gave the trial no processor.
        """
        began = time.monotonic()
        read_end, write_end = os.pipe()
        try:
            with contextlib.closing(_Descriptor(write_end)) as verdict_in:
                self._launch(trial, verdict_in.number)
            started = await self._receive()
            spent = await self._watch(started["started"], trial.limits, began)
            verdict = _read_verdict(read_end)
        except asyncio.CancelledError:
            self.stop()
            raise
        finally:
            os.close(read_end)
        done, limit = spent
        if not done["clean"]:
            self.stop()
        return _outcome(done, limit, verdict, time.monotonic() - began)

    def _launch(self, trial: Trial, verdict: int) -> None:
        program = _sealed({"source": trial.program, "entry_point": trial.entry_point})
        tests = _sealed({"tests": _compiled(trial.helpers, trial.test)})
        with contextlib.closing(program), contextlib.closing(tests):
            limits = msgspec.to_builtins(trial.limits)
            self._send({"run": limits}, [program.number, tests.number, verdict])

    async def _watch(self, pids: list[int], limits: Limits, began: float) -> tuple[dict[str, Any], str | None]:
        """Wait for the end of a trial; kill it when a limit is spent. Returns the zygote's word and the limit."""
        reply = asyncio.ensure_future(self._receive())
        limit: str | None = None
        pause = min(limits.cpu_seconds, limits.wall_seconds)
        try:
            while not (await asyncio.wait({reply}, timeout=pause))[0]:
                elapsed = time.monotonic() - began
                used = sum(_cpu_seconds(pid) for pid in pids)
                waited = sum(_run_queue_delay(pid) for pid in pids)
                if used >= limits.cpu_seconds:
                    limit = "cpu"
                elif elapsed - waited >= limits.wall_seconds:
                    limit = "wall"
                elif elapsed >= limits.wall_seconds * _STARVED_FACTOR:
                    limit = "starved"
                if limit is not None:
                    self._send({"kill": True})
                    break
                left = min(limits.cpu_seconds - used, limits.wall_seconds - (elapsed - waited))
                pause = max(left, 0.01)
            done = await reply
        finally:
            reply.cancel()
        if limit == "starved":
            raise SandboxError(
                f"a trial got {used:.1f} s of processor in {elapsed:.0f} s: the machine is too busy",
                "run again when it is less loaded, or with fewer --workers",
                code="starved",
            )
        return done, limit if done["killed"] else None

    def _send(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        if self._control is None:
            raise ZygoteDiedError
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], descriptors or [])
        except OSError as error:
            raise ZygoteDiedError from error

    async def _receive(self) -> dict[str, Any]:
        if self._control is None:
            raise ZygoteDiedError
        try:
            packet = await asyncio.get_running_loop().sock_recv(self._control, _MAX_PACKET)
        except OSError as error:
            raise ZygoteDiedError from error
        if not packet:
            raise ZygoteDiedError
        message: dict[str, Any] = json.loads(packet)
        return message


@functools.lru_cache(maxsize=256)
def _compiled(helpers: str, test: str) -> str:
    """Compile the tests (trusted code) once for all samples of a problem; the tester only has to load them."""
    try:
        with warnings.catch_warnings(action="ignore"):
            code = compile(helpers + "\n\n" + test, "<test>", "exec")
    except (SyntaxError, ValueError) as error:
        raise SandboxError(
            f"the tests cannot be compiled: {type(error).__name__}: {error}",
            "check the task's data set and its reference solution",
            code="broken-test",
        ) from error
    return base64.b64encode(marshal.dumps(code)).decode("ascii")


class _Descriptor:
    """A descriptor that knows how to close itself."""

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        os.close(self.number)


def _sealed(payload: dict[str, str]) -> _Descriptor:
    # A memory file and not a pipe: its size is no limit, and nothing waits for its reader.
    descriptor = os.memfd_create("payload", os.MFD_CLOEXEC)
    view = memoryview(json.dumps(payload).encode("ascii"))
    while view:
        view = view[os.write(descriptor, view) :]
    return _Descriptor(descriptor)


def _outcome(done: dict[str, Any], limit: str | None, verdict: dict[str, Any] | None, wall: float) -> Outcome:
    solution, tester = done["done"]
    cpu = solution["cpu_seconds"] + tester["cpu_seconds"]
    if limit is not None:
        return Outcome(status="timeout", kind=limit, cpu_seconds=cpu, wall_seconds=wall)
    if verdict is None:
        # The tester is ours: it dies only of what the solution sent (memory, processor time).
        text = f"the tester ended without a verdict (exit {tester['exit']})"
        return Outcome(status="error", kind="tester", message=text, cpu_seconds=cpu, wall_seconds=wall)
    if verdict["status"] == "broken":
        raise SandboxError(
            f"the tests cannot be loaded: {verdict['kind']}: {verdict['message']}",
            "check the task's data set and its reference solution",
            code="broken-test",
        )
    return Outcome(
        status=verdict["status"],
        kind=verdict["kind"],
        message=verdict["message"],
        cpu_seconds=cpu,
        wall_seconds=wall,
    )


def _read_verdict(descriptor: int) -> dict[str, Any] | None:
    body = b""
    while chunk := os.read(descriptor, _MAX_PACKET):
        body += chunk
    try:
        verdict: dict[str, Any] = json.loads(body)
    except ValueError:
        return None
    return verdict


def _cpu_seconds(pid: int) -> float:
    # The clock of another process, as clock_getcpuclockid(3) numbers it.
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _run_queue_delay(pid: int) -> float:
    """Return the seconds that the threads of a process waited for a processor."""
    total = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[1])
    return total / 1e9


def _own_user(scratch: str, pid: int) -> int:
    """Give the scratch folder to a user for one zygote alone; a container that maps few users has only nobody."""
    for user in (_FIRST_USER + pid, _NOBODY):
        with contextlib.suppress(OSError):
            os.chown(scratch, user, user)
            return user
    raise SandboxError("the scratch folder cannot be given to an ordinary user", f"check the file system of {scratch}")


def _import_root() -> Path:
    return Path(__file__).resolve().parents[2]


def _import_path() -> list[str]:
    folders = [*paths.standard_library(), *(folder.parent for name in PACKAGES for folder in paths.package(name))]
    return [str(folder) for folder in dict.fromkeys(folders)]


def _environment(scratch: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    fixed = {"PYTHONHASHSEED": "0", "HOME": scratch, "TMPDIR": scratch, "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    return {**kept, **threads, **fixed}

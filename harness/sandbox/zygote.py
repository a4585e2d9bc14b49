"""A zygote in its jail, seen from outside: it is started, given orders, and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import marshal
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.errors import SandboxError
from harness.sandbox import bwrap, paths
from harness.sandbox.clocks import Clocks
from harness.sandbox.errand import Done, Errand, Fate, ZygoteDiedError
from harness.sandbox.inside import protocol
from harness.sandbox.scratch import FIRST_USER, Scratch

PACKAGES = ("numpy",)
"""Installed packages that programs may import; what else happens to be installed must not change a verdict."""
_START_SECONDS = 60.0
_STARTS = 2
_BOOT = "import sys; sys.path.insert(0, sys.argv[2]); from harness.sandbox.inside.zygote import main; main()"
_BOOTED = ("__init__.py", "sandbox/__init__.py", "sandbox/inside")
"""What a zygote imports of the harness before its walls stand."""
_THREADS = 256


class Zygote:
    """A warm interpreter and its scratch folder. It carries out one errand after the other.

    Args:
        level: ``bwrap``, ``landlock`` or ``unsafe``.
        preload: Modules to import before the first fork.
        memory_bytes: Address space of each process.
        packages: Installed packages that can be read and imported.
        ours: Whether the harness's own source can be too.
    """

    def __init__(
        self,
        level: str,
        preload: Sequence[str],
        memory_bytes: int,
        *,
        packages: Sequence[str] = PACKAGES,
        ours: bool = False,
    ) -> None:
        self._level = level
        self._memory_bytes = memory_bytes
        self._preload = preload
        self._packages = packages
        self._ours = ours
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scratch: Scratch | None = None
        self._errands: deque[Errand] = deque()
        self._number = 0

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._process is not None

    async def start(self) -> None:
        """Start the zygote and wait until it is behind its walls; one that dies as it starts is started once more.

        Raises:
            SandboxError: It does not start, or the kernel refuses the walls.
        """
        answer: dict[str, Any] = {}
        for _ in range(_STARTS):
            answer = await self._launch()
            if answer:
                break
            self.stop()
        if "ready" not in answer:
            self.stop()
            reason = answer.get("refused", "its process ended before it was ready, twice")
            raise SandboxError(f"the sandbox worker could not start: {reason}", "run `harness doctor` for the cause")

    async def _launch(self) -> dict[str, Any]:
        """Start the process; returns what it says, nothing where it died."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._scratch = Scratch()
        read = paths.readable(self._packages) + ([str(_import_root() / "harness")] if self._ours else [])
        with theirs:
            self._process = subprocess.Popen(  # noqa: ASYNC220  starting takes a millisecond
                self._command(theirs.fileno(), read),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_environment(self._inner_scratch),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        ours.setblocking(False)
        self._control = ours
        self._loop = asyncio.get_running_loop()
        configuration = self._configuration(self._process.pid, self._scratch, read)
        try:
            answer = await self._introduce(ours, configuration)
        except asyncio.CancelledError:
            self.stop()
            raise
        if "ready" not in answer:
            return answer
        seen = self._outside([answer["ready"]])
        if not seen:
            return {} if self._process.poll() is not None else {"refused": "its process cannot be found in /proc"}
        if self._level == "bwrap":
            self._scratch.seen = f"/proc/{seen[0]}/root{bwrap.SCRATCH}"
        self._loop.add_reader(ours.fileno(), self._arrived)
        return answer

    async def _introduce(self, control: socket.socket, configuration: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            control.send(json.dumps(configuration).encode())
            async with asyncio.timeout(_START_SECONDS):
                packet = await asyncio.get_running_loop().sock_recv(control, protocol.MAX_PACKET)
            answer = json.loads(packet)
        return answer

    @property
    def _inner_scratch(self) -> str:
        if self._level == "bwrap" or self._scratch is None:
            return bwrap.SCRATCH
        return self._scratch.path

    def _command(self, control: int, read: Sequence[str]) -> list[str]:
        flags = ["-s", "-P", "-S", "-B", "-c", _BOOT, str(control), str(_import_root())]
        program = bwrap.installed() if self._level == "bwrap" else None
        if program is None:
            return [sys.executable, *flags]
        own = [str(_import_root() / "harness" / part) for part in _BOOTED]
        inner = [bwrap.interpreter(), *flags]
        return bwrap.command(program, inner, [*read, *own], user_namespace=os.geteuid() != 0)

    def _configuration(self, pid: int, scratch: Scratch, read: list[str]) -> dict[str, Any]:
        contained = self._level == "bwrap"
        closed = not contained and paths.needs_search_capability([*read, scratch.path])
        # Without that capability (a container may withhold it) root stays root, but without any capability.
        leaves_root = os.geteuid() == 0 and self._level != "unsafe" and (not closed or paths.may_search())
        user = None
        if leaves_root:
            user = FIRST_USER + pid if contained else scratch.give_to_user(pid)
        return {
            "level": self._level,
            "read": read,
            "scratch": self._inner_scratch,
            "uid": user,
            "own_scratch": contained,
            "keep_search": user is not None and closed,
            "threads": _THREADS if user is not None else None,
            "memory_bytes": self._memory_bytes,
            "sys_path": _import_path(self._packages),
            "preload": list(self._preload),
            "packages": list(self._packages),
        }

    def _outside(self, pids: Sequence[int]) -> list[int]:
        """The processes' ids as we know them."""
        if self._level != "bwrap" or self._process is None:
            return list(pids)
        return bwrap.outside(self._process.pid, pids)

    def stop(self) -> None:
        """End the zygote and everything it forked, and remove its scratch folder."""
        if self._control is not None:
            if self._loop is not None and not self._loop.is_closed():
                self._loop.remove_reader(self._control.fileno())
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._scratch is not None:
            self._scratch.remove()
            self._scratch = None
        while self._errands:
            errand = self._errands.popleft()
            errand.end(ZygoteDiedError(began=errand.began is not None))

    async def carry_out(
        self,
        kind: bytes,
        descriptors: Sequence[int],
        clocks: Callable[[Sequence[int], float], Clocks],
        *,
        cpu_seconds: float,
        file_bytes: int,
        first_look: float,
        look: Callable[[], object] | None = None,
    ) -> tuple[Done, Errand]:
        """Send an order, and wait for its end; orders that were sent before come first.

        Args:
            kind: ``protocol.TRIAL`` or ``protocol.BATCH``.
            descriptors: What its processes are given; they may be closed when this returns or raises.
            clocks: Makes the clocks of its processes, which began at the given time.
            cpu_seconds: Processor time after which the kernel itself ends a process, a backstop.
            file_bytes: Size of one file that the untrusted process may write.
            first_look: Seconds in which no limit can be spent.
            look: Is called before the clocks are looked at.

        Raises:
            ZygoteDiedError: The zygote ended.
            SandboxError: The machine gave the processes no processor.
        """
        if self._scratch is None:
            raise ZygoteDiedError(began=False)
        self._number = (self._number + 1) & 0xFFFFFFFF
        errand = Errand(self._number, clocks, self._scratch.overfull, look, self.stop)
        self._send(protocol.ORDER.pack(kind, errand.number, cpu_seconds, file_bytes), descriptors)
        self._errands.append(errand)
        errand.first_look = first_look
        if len(self._errands) == 1:
            self._begin()
        try:
            done = await errand.done
        except asyncio.CancelledError:
            self.stop()
            raise
        if errand.failure is not None:
            raise errand.failure
        return done, errand

    def _begin(self) -> None:
        errand = self._errands[0]
        errand.begin(lambda: self._say(protocol.WHO, errand.number))

    def _say(self, kind: bytes, number: int) -> None:
        with contextlib.suppress(ZygoteDiedError):
            self._send(protocol.ORDER.pack(kind, number, 0.0, 0), ())

    def _send(self, packet: bytes, descriptors: Sequence[int]) -> None:
        if self._control is None:
            raise ZygoteDiedError(began=False)
        try:
            socket.send_fds(self._control, [packet], list(descriptors))
        except OSError as error:
            # Before the loop tells us: who tries again at once must find it gone.
            self.stop()
            raise ZygoteDiedError(began=False) from error

    def _arrived(self) -> None:
        if self._control is None:
            return
        try:
            packet = self._control.recv(protocol.MAX_PACKET)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            self.stop()
            return
        kind, number, killed, clean, count, first, last = protocol.REPORT.unpack_from(packet)
        errand = self._errands[0] if self._errands else None
        if errand is None or errand.number != number:
            return
        if kind == protocol.PROCESSES:
            errand.watch(self._outside((first, last)[:count]), lambda: self._say(protocol.KILL, number))
            return
        self._errands.popleft()
        fates = protocol.FATE.iter_unpack(packet[protocol.REPORT.size :])
        errand.end(Done(killed, clean, tuple(Fate(*fate) for fate in fates)))
        if not clean:
            # Before the next begins: what only waits its turn is not the cause.
            self.stop()
        elif self._errands:
            self._begin()


def sealed(payload: dict[str, Any]) -> int:
    """Put what only one child may read into a memory file; returns its descriptor."""
    # No pipe: its size is no limit, and nothing waits for its reader.
    descriptor = os.memfd_create("payload", os.MFD_CLOEXEC)
    view = memoryview(marshal.dumps(payload))
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor


def _import_root() -> Path:
    return Path(__file__).resolve().parents[2]


def _import_path(packages: Sequence[str]) -> list[str]:
    folders = [*paths.standard_library(), *(folder.parent for name in packages for folder in paths.package(name))]
    return [str(folder) for folder in dict.fromkeys(folders)]


def _environment(scratch: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    fixed = {"PYTHONHASHSEED": "0", "HOME": scratch, "TMPDIR": scratch, "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    # Bound once, in the zygote, instead of in every fork.
    return {**kept, **threads, **fixed, "LD_BIND_NOW": "1"}

"""What a command costs with all that it starts: wall time, processor time and memory, sampled from ``/proc``.

The kernel's account of ended children lacks those that nobody reaps, as everything in a PID namespace is when its first
process is killed. So the living tree is looked at as well, every 50 ms: what each process and the children that it
reaped used. The larger of the two counts; what a killed process used since the last look is missed.

Memory is the highest sum of proportional set sizes (``smaps_rollup``: a page that n processes share counts 1/n in
each). A look costs the more the larger the processes are, so there are at least 0.1 s, and 20 times what the last
one took, between two; a process that lives shorter may be missed.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """Seconds of wall and processor time, MiB of memory at its peak, and the exit status."""

    wall: float
    cpu: float
    memory: float
    status: int


def tree(pid: int) -> list[int]:
    """A process and its descendants; those that end meanwhile are left out."""
    found = [pid]
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                for child in (thread / "children").read_text(encoding="ascii").split():
                    found += tree(int(child))
    return found


def cpu_seconds(pid: int) -> tuple[float, float]:
    """Processor time of a process itself, and of the children that it reaped; 0 where it is gone."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        own, system, children, children_system = (int(field) / _TICKS for field in fields[11:15])
        return own + system, children + children_system
    return 0.0, 0.0


def memory(pid: int) -> float:
    """Proportional set size in MiB; 0 where it is gone."""
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii", errors="replace").splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024
    return 0.0


def measured(command: Sequence[str], *, env: Mapping[str, str] | None = None, log: Path | None = None) -> Cost:
    """Run a command to its end.

    Args:
        command: What to run.
        env: Its whole environment; None: ours.
        log: Where its output goes; None: nowhere.
    """
    with (log or Path(os.devnull)).open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )  # fmt: skip
        watcher = _Watcher(process.pid)
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        watcher.ended.set()
        watcher.join()
        process.returncode = os.waitstatus_to_exitcode(status)
    cpu = max(usage.ru_utime + usage.ru_stime, watcher.cpu)
    return Cost(wall, cpu, watcher.memory, process.returncode)


class _Watcher(threading.Thread):
    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid = pid
        self.ended = threading.Event()
        self.cpu = self.memory = 0.0

    def run(self) -> None:
        look = own = below = 0.0
        while not self.ended.wait(0.05):
            pids = tree(self._pid)
            used = [cpu_seconds(pid) for pid in pids]
            own = max(own, used[0][0])
            below = max(below, used[0][1] + sum(map(sum, used[1:])))
            if (began := time.monotonic()) >= look:
                self.memory = max(self.memory, sum(map(memory, pids)))
                look = time.monotonic() + max(0.1, 20 * (time.monotonic() - began))
        self.cpu = own + below

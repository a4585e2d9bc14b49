"""The zygote: a warm, single-threaded interpreter in its jail that forks a solution and a tester for every trial.

It never sees a program, a test or an answer: those travel in descriptors that only the child concerned reads. It speaks
with the harness over a sequenced-packet socket, one JSON document a packet:

    harness: configuration          zygote: {"ready": ...} or {"refused": reason}
    harness: {"run": limits} + descriptors [solution's payload, tester's payload, verdict pipe]
                                    zygote: {"started": [solution pid, tester pid]}
    harness: {"kill": true}         (when a limit is spent)
                                    zygote: {"done": ...}
"""

from __future__ import annotations

import array
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from harness.sandbox.inside import jail, solution, tester, wire

MAX_PACKET = 1 << 16
MAX_VERDICT = 32 << 10
# Children use fixed descriptors: 0-2 are /dev/null, then the payload, the two channels, the verdict.
_PAYLOAD, _IN, _OUT, _VERDICT = 3, 4, 5, 6


class Walls:
    """The jail of one worker, prepared once.

    Args:
        configuration: ``level``, ``read``, ``scratch``, ``uid`` (None: stay), ``keep_search``, ``threads``.
    """

    def __init__(self, configuration: dict[str, Any]) -> None:
        self.scratch: str = configuration["scratch"]
        self.jailed = configuration["level"] == "landlock"
        # Inherited by every child; the limits on processor time and files are each child's own.
        jail.limit_resources(memory_bytes=configuration["memory_bytes"], threads=configuration["threads"])
        if configuration["uid"] is not None:
            jail.drop_user(configuration["uid"], keep_search=configuration["keep_search"])
        elif configuration["level"] == "landlock":
            jail.drop_capabilities()
        jail.die_with_parent()
        os.chdir(self.scratch)
        if self.jailed:
            read, write = configuration["read"], [self.scratch, "/dev/null"]
            self._solution = jail.Ruleset(read, write)
            jail.Ruleset(read, write).restrict()
            jail.deny_to_zygote()

    def enter(self, role: str, limits: dict[str, Any]) -> None:
        """Confine a forked child.

        Both inherit the zygote's walls. The solution gets more: rules that are a domain of its own, so that it cannot
        signal the tester, and no new processes. The tester runs trusted code only, and walls cost as much as a fork.
        """
        jail.die_with_parent()
        jail.limit_child(limits["cpu_seconds"], limits["file_bytes"] if role == "solution" else 0)
        if self.jailed and role == "solution":
            self._solution.restrict()
            jail.deny_to_child()


def main() -> None:
    """Serve trials on the descriptor named by the first argument until the harness closes it."""
    control = socket.socket(fileno=int(sys.argv[1]))
    configuration = json.loads(control.recv(MAX_PACKET << 4))
    sys.path[:] = configuration["sys_path"]
    preload(configuration["preload"])
    try:
        walls = Walls(configuration)
    except OSError as error:
        _say(control, {"refused": str(error)})
        return
    gc.collect()
    gc.freeze()
    _say(control, {"ready": os.getpid()})
    while True:
        packet, descriptors = _receive(control)
        if not packet:
            return
        message = json.loads(packet)
        if "run" in message and len(descriptors) == 3:
            _trial(control, walls, message["run"], descriptors)


def preload(modules: list[str]) -> None:
    """Import what completions import most, so that a fork finds it warm; an absent module is no error."""
    for name in modules:
        try:
            __import__(name)
        except ImportError:
            continue


def _say(control: socket.socket, message: dict[str, Any]) -> None:
    control.send(json.dumps(message).encode())


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    descriptors = array.array("i")
    packet, ancillary, _, _ = control.recvmsg(MAX_PACKET, socket.CMSG_SPACE(3 * descriptors.itemsize))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return packet, list(descriptors)


def _trial(control: socket.socket, walls: Walls, limits: dict[str, Any], descriptors: list[int]) -> None:
    program, tests, verdict = descriptors
    calls_out, calls_in = os.pipe()
    answers_out, answers_in = os.pipe()

    def run_solution(payload: dict[str, Any]) -> None:
        solution.serve(payload, _IN, _OUT)

    def run_tester(payload: dict[str, Any]) -> None:
        found = tester.grade(payload, _OUT, _IN)
        os.write(_VERDICT, json.dumps(found).encode()[:MAX_VERDICT])

    first = _fork("solution", walls, limits, [program, calls_out, answers_in], run_solution)
    second = _fork("tester", walls, limits, [tests, answers_out, calls_in, verdict], run_tester)
    for descriptor in (program, tests, verdict, calls_out, calls_in, answers_out, answers_in):
        os.close(descriptor)
    _say(control, {"started": [first, second]})
    killed = _await(control, first, second)
    outcome = [_reap(first), _reap(second)]
    _say(control, {"done": outcome, "killed": killed, "clean": _clean(walls.scratch)})


def _fork(
    role: str, walls: Walls, limits: dict[str, Any], descriptors: list[int], body: Callable[[dict[str, Any]], None]
) -> int:
    pid = os.fork()
    if pid == 0:
        _child(role, walls, limits, descriptors, body)
    return pid


def _child(
    role: str, walls: Walls, limits: dict[str, Any], descriptors: list[int], body: Callable[[dict[str, Any]], None]
) -> NoReturn:
    code = 1
    try:
        walls.enter(role, limits)
        # Above 100 first, so that no source is overwritten before it is copied.
        for index, descriptor in enumerate(descriptors):
            os.dup2(descriptor, 100 + index)
        for index in range(len(descriptors)):
            os.dup2(100 + index, _PAYLOAD + index)
        os.closerange(_PAYLOAD + len(descriptors), jail.MAX_DESCRIPTORS)
        with os.fdopen(_PAYLOAD, "rb") as payload:
            payload.seek(0)
            content = json.loads(payload.read())
        body(content)
        code = 0
    except (wire.WireError, OSError, EOFError):
        code = 3
    finally:
        os._exit(code)


def _await(control: socket.socket, first: int, second: int) -> bool:
    """Wait for the tester to end, or for the harness to say that a limit is spent; kill both."""
    watched = os.pidfd_open(second)
    poller = select.poll()
    poller.register(watched, select.POLLIN)
    poller.register(control, select.POLLIN)
    ready = {descriptor for descriptor, _ in poller.poll()}
    os.close(watched)
    killed = False
    if watched not in ready:
        killed = True
        if not control.recv(MAX_PACKET):
            os.kill(first, signal.SIGKILL)
            os.kill(second, signal.SIGKILL)
            os._exit(0)
    for pid in (first, second):
        os.kill(pid, signal.SIGKILL)
    return killed


def _reap(pid: int) -> dict[str, Any]:
    _, status, usage = os.wait4(pid, 0)
    return {
        "exit": os.waitstatus_to_exitcode(status),
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "memory_bytes": usage.ru_maxrss * 1024,
    }


def _clean(folder: str) -> bool:
    """Empty the scratch folder; False when something resists, so that the harness replaces the worker."""
    try:
        with os.scandir(folder) as entries:
            leftovers = list(entries)
        for entry in leftovers:
            if entry.is_dir(follow_symlinks=False):
                # Rare, and not worth carrying in every fork.
                import shutil

                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
    except (OSError, RecursionError):
        return False
    return True

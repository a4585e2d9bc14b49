"""Keeps one command and everything it starts from outliving the harness. Run as a script, with the standard library.

``python -I warden.py GRACE -- COMMAND...``, in a session of its own. Standard input is a pipe whose other end the
harness holds. When it closes (the harness has closed it, ended, crashed or been killed by ``kill -9``), or when the
parent process is gone, every descendant gets SIGTERM and, GRACE seconds later, SIGKILL. The warden is the reaper of
orphans among its descendants (``prctl(2)``, PR_SET_CHILD_SUBREAPER), so that one that has left its parent, its process
group and its session is still found. Should the command end by itself, what it leaves behind is ended the same way.
vLLM's sockets lie in a folder that is removed at the end; without one it leaves them in the temporary folder.

Exit status: the command's, 128 plus the signal's number where a signal ended it, 127 where it cannot be started.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
SOCKETS = "VLLM_RPC_BASE_PATH"
"""Names the folder of vLLM's sockets (vllm/envs.py)."""
_LONGEST = 107 - len("/") - 36
"""Bytes that the folder's name may have: a socket's path has 107 at most, and vLLM names each by a UUID."""
_LOOK = 0.25
"""Seconds between two looks at child and parent."""


def main(arguments: list[str]) -> int:
    """Run a command until it ends or nobody holds the other end of standard input."""
    sockets = _folder_of_sockets()
    if sockets is not None:
        os.environ.setdefault(SOCKETS, sockets)
    try:
        return guard(float(arguments[0]), arguments[2:])
    finally:
        if sockets is not None:
            shutil.rmtree(sockets, ignore_errors=True)


def _folder_of_sockets() -> str | None:
    """A new folder; None where none can be made (a full disk), or sockets in it would have too long a path."""
    try:
        folder = tempfile.mkdtemp(prefix="v-")
    except OSError:
        return None
    if len(os.fsencode(folder)) <= _LONGEST:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    return None


def guard(grace: float, command: list[str]) -> int:
    """Run a command, and end everything that it started.

    Args:
        grace: Seconds between SIGTERM and SIGKILL.
        command: Its command line.

    Returns:
        The exit status.
    """
    parent = os.getppid()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    stopping = _stop_signals()
    warden = os.getpid()
    try:
        child = subprocess.Popen(  # noqa: S603  (the user's own command, without a shell)
            command,
            stdin=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=lambda: _child_setup(warden),  # noqa: PLW1509  (single-threaded)
        )
    except OSError as error:
        print(f"cannot start {command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        return 127
    status: int | None = None
    while status is None:
        gone, _, _ = select.select([0, stopping], [], [], _LOOK)
        if gone or os.getppid() != parent:
            break
        status = _reaped(child.pid)
    found = end_all(grace, child.pid)
    return status if status is not None else found if found is not None else 128 + signal.SIGTERM


def end_all(grace: float, child: int) -> int | None:
    """End every descendant; returns the exit status of ``child`` where it is among them."""
    status: int | None = None
    killing = time.monotonic() + grace
    told: set[int] = set()
    while True:
        found = _reaped(child)
        status = found if found is not None else status
        alive = descendants(os.getpid())
        if not alive:
            return status
        force = time.monotonic() >= killing
        for pid in alive:
            if force or pid not in told:
                told.add(pid)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL if force else signal.SIGTERM)
        time.sleep(0.02 if force else 0.1)


def descendants(root: int) -> list[int]:
    """Processes below ``root``, zombies left out."""
    children: dict[int, list[int]] = {}
    for pid, parent, state in _processes():
        if state not in "ZX":
            children.setdefault(parent, []).append(pid)
        else:
            children.setdefault(parent, [])
    found: list[int] = []
    ahead = list(children.get(root, ()))
    while ahead:
        pid = ahead.pop()
        found.append(pid)
        ahead += children.get(pid, ())
    return found


def _processes() -> list[tuple[int, int, str]]:
    """Every process as (id, parent, state letter)."""
    if not os.path.isdir("/proc/self"):  # noqa: PTH112  (macOS)
        told = subprocess.run(["/bin/ps", "-axo", "pid=,ppid=,stat="], capture_output=True, text=True, check=False)
        rows = [line.split() for line in told.stdout.splitlines()]
        return [(int(row[0]), int(row[1]), row[2][0]) for row in rows if len(row) == 3]
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                rest = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        found.append((int(name), int(rest[1]), rest[0].decode()))
    return found


def _reaped(child: int) -> int | None:
    """Reap what has ended; the exit status of ``child`` where it is among that."""
    status = None
    while True:
        try:
            pid, wait = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == child:
            code = os.waitstatus_to_exitcode(wait)
            status = code if code >= 0 else 128 - code


def _child_setup(warden: int) -> None:
    """In the command, before it begins: die with the warden, and take signals as any program does."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != warden:
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _stop_signals() -> int:
    """Let SIGTERM end everything, and nothing else disturb the warden; returns a descriptor that tells."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    signal.signal(signal.SIGTERM, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return reading


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux alone has it
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

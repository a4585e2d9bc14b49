"""The canary: an attack that must fail before anything else is run."""

from __future__ import annotations

from pathlib import Path

from harness.sandbox.trial import Trial

_ATTACKS = f"""
import os, socket

def attempt(name, action, reached):
    try:
        action()
    except (OSError, PermissionError):
        return
    reached.append(name)

def attack():
    reached = []
    attempt("read /etc/passwd", lambda: open("/etc/passwd").read(), reached)
    attempt("read the harness", lambda: open({str(Path(__file__))!r}).read(), reached)
    attempt("read /proc", lambda: open("/proc/self/environ").read(), reached)
    attempt("list /", lambda: os.listdir("/"), reached)
    attempt("write /tmp", lambda: open("/tmp/harness-canary", "w"), reached)
    attempt("write /dev/shm", lambda: open("/dev/shm/harness-canary", "w"), reached)
    attempt("a socket", lambda: socket.socket(), reached)
    attempt("a new process", lambda: os.fork() or os._exit(0), reached)
    attempt("another program", lambda: os.execv("/bin/true", ["true"]), reached)
    attempt("a signal", lambda: os.kill(os.getppid(), 0), reached)
    attempt("a mount", lambda: os.unshare(0x20000) if hasattr(os, "unshare") else os.chroot("."), reached)
    with open("scratch", "w") as file:
        file.write("the scratch folder is writable")
    return reached
"""

CANARY = Trial(
    program=_ATTACKS,
    entry_point="attack",
    helpers="",
    test="def check(candidate):\n    reached = candidate()\n    assert reached == [], f'reached: {reached}'\n",
)

"""Attacks that fill the disk where who looks into the scratch folder sees nothing. All are ours."""

import textwrap

from harness.sandbox.attacks import Attack
from tests.sandbox.hostile.building import bomb

_FILL = """
import mmap, os, socket

BLOCK, number = b"x" * (1 << 20), 0

def fill(file):
    for _ in range(32):
        os.write(file, BLOCK)

def again(step):
    global number
    while True:
        number += 1
        try:
            step(str(number))
        except (OSError, ValueError, MemoryError):
            pass

def made(name):
    return os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
"""


def hidden(name: str, tries: str, body: str) -> Attack:
    return bomb(name, tries, _FILL + textwrap.dedent(body), "hangs", "floods")


HIDING: tuple[Attack, ...] = (
    hidden(
        "deleted files",
        "fill files that have no name any more",
        """
        def step(name):
            file = made(name)
            os.unlink(name)
            fill(file)
        again(step)
    """,
    ),
    hidden(
        "unnamed files",
        "fill files that never had a name",
        """
        def step(name):
            fill(os.open(".", os.O_RDWR | os.O_TMPFILE))
        again(step)
    """,
    ),
    hidden(
        "mapped files",
        "fill files that are only mapped",
        """
        held = []
        def step(name):
            file = made(name)
            os.unlink(name)
            os.ftruncate(file, 32 << 20)
            held.append(mmap.mmap(file, 32 << 20))
            os.close(file)
            held[-1][:] = BLOCK * 32
        again(step)
    """,
    ),
    hidden(
        "a folder closed to readers",
        "fill a folder that can be written to and not be listed",
        """
        os.mkdir("closed", 0o300)
        def step(name):
            file = made("closed/" + name)
            fill(file)
            os.close(file)
        again(step)
    """,
    ),
    hidden(
        "a folder past the longest path",
        "fill a folder that no path reaches",
        """
        for _ in range(20):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)
        def step(name):
            file = made(name)
            fill(file)
            os.close(file)
        again(step)
    """,
    ),
    hidden(
        "files on their way",
        "fill files that are held by nothing but a message",
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        def step(name):
            file = made(name)
            os.unlink(name)
            try:
                socket.send_fds(ours, [b"x"], [file])
                fill(file)
            finally:
                os.close(file)
        again(step)
    """,
    ),
)

"""Attacks that leave Python behind: machine code, the kernel's timers, its pipes and terminals. All are ours."""

import textwrap

from harness.sandbox.attacks import Attack, escape
from tests.sandbox.hostile.building import bomb, forgery

_CODE = """
import ctypes, os

def machine(code, data=b""):
    mapping = ctypes.CDLL(None).mmap
    mapping.restype = ctypes.c_void_p
    place = mapping(None, ctypes.c_size_t(8192), 7, 0x22, -1, ctypes.c_long(0))
    ctypes.memmove(place + 4096, data, len(data))
    code = code(place + 4096)
    ctypes.memmove(place, code, len(code))
    return ctypes.CFUNCTYPE(ctypes.c_long)(place)()
"""
_TIMER = """
import ctypes, struct, time

def solve(n):
    libc, timer = ctypes.CDLL(None), ctypes.c_void_p()
    libc.timer_create(1, struct.pack("=Qii", 0, {signal}, 0) + bytes(48), ctypes.byref(timer))
    libc.timer_settime(timer, 0, struct.pack("=qqqq", 0, 0, 0, 1_000_000), None)
    time.sleep(60)
"""


def coded(body: str) -> str:
    return _CODE + textwrap.dedent(body)


BARE: tuple[Attack, ...] = (
    escape(
        "machine code",
        "open a file by instructions of its own",
        coded("""
        if os.uname().machine != "x86_64":
            raise OSError(38, "these are instructions of another machine")
        call = b"\\x31\\xf6\\x31\\xd2\\xb8\\x02\\0\\0\\0\\x0f\\x05\\xc3"  # open(path, 0, 0)
        opened = lambda path: b"\\x48\\xbf" + path.to_bytes(8, "little") + call
        file = machine(opened, CANARY["secret"].encode() + b"\\0")
        reached = stolen(os.read(file, 100)) if file >= 0 else False
    """),
    ),
    escape(
        "shared memory by number",
        "attach to every segment there is, whatever its key",
        """
        libc_ = ctypes.CDLL(None, use_errno=True)
        libc_.shmat.restype = ctypes.c_void_p
        for index in range(256):
            segment = libc_.shmctl(index, 13, ctypes.create_string_buffer(256))
            address = libc_.shmat(segment if segment >= 0 else index, None, 0o10000)
            if address not in (None, ctypes.c_void_p(-1).value):
                reached = reached or stolen(ctypes.string_at(address, 100))
    """,
    ),
    escape("a terminal", "open a terminal to type into", "import pty\nreached = len(pty.openpty()) == 2"),
    escape(
        "the standard library",
        "open what every other program imports for writing",
        "reached = os.open(os.__file__, os.O_RDWR) >= 0",
        root=True,
    ),
    escape(
        "a new file system",
        "make a file system by the newer interface",
        "reached = syscall(430, 430, b'tmpfs', 0) >= 0",
        root=True,
    ),
    forgery(
        "an audit hook",
        "end with success as soon as anything is executed",
        """
        import os, sys
        sys.addaudithook(lambda event, _: os._exit(0) if event == "exec" else None)
        def solve(n): return exec("")
    """,
    ),
    bomb(
        "a loop in machine code",
        "loop where no signal handler runs",
        coded("""
        here = b"\\xeb\\xfe" if os.uname().machine == "x86_64" else b"\\x00\\x00\\x00\\x14"
        machine(lambda _: here)
    """),
    ),
    bomb(
        "a lost main thread",
        "end the first thread and go on in another",
        """
        import ctypes, threading
        def solve(n):
            threading.Thread(target=threading.Event().wait).start()
            ctypes.CDLL(None).pthread_exit(None)
    """,
    ),
    bomb(
        "a thread that never yields",
        "keep the interpreter's lock from every other thread",
        """
        import sys, threading
        sys.setswitchinterval(1e6)
        def spin():
            while True: pass
        for _ in range(50): threading.Thread(target=spin, daemon=True).start()
    """,
    ),
    bomb(
        "a dripping answer",
        "send an answer so slowly that it never ends",
        """
        import contextlib, os, time
        def solve(n):
            for byte in b"\\0\\0\\0\\x40" + b" " * 64:
                with contextlib.suppress(OSError): os.write(5, bytes([byte]))
                time.sleep(1)
    """,
    ),
    bomb(
        "full pipes",
        "fill the kernel's memory with what nobody reads",
        """
        import fcntl, os
        while True:
            try:
                _, end = os.pipe()
                os.set_blocking(end, False)
                fcntl.fcntl(end, 1031, 1 << 20)
                while True: os.write(end, bytes(1 << 16))
            except OSError:
                pass
    """,
    ),
    bomb("a killing timer", "be killed by a timer of the kernel", _TIMER.replace("{signal}", "9"), "kills"),
    bomb("a stopping timer", "be stopped by a timer of the kernel", _TIMER.replace("{signal}", "19")),
)

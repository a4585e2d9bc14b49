"""The level `bwrap`: namespaces and a file system of its own around a zygote, by bubblewrap where it is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from harness.sandbox.scratch import MAX_BYTES

SCRATCH: Final = "/scratch"
"""The scratch folder as programs see it, a file system in memory that ends with the worker."""
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/urandom")
_LIBRARY_LINKS: Final = ("/lib", "/lib64", "/lib32")
_LOADERS: Final = ("/lib64", "/usr/lib64")
"""Where programs expect the dynamic loader."""


def installed() -> str | None:
    """Return the path of bubblewrap; None where it is not installed."""
    return shutil.which("bwrap")


def command(
    program: str, inner: Sequence[str], bound: Iterable[str], *, user_namespace: bool, shared_memory: bool = False
) -> list[str]:
    """Return the command that runs another one in namespaces.

    Args:
        program: Path of bubblewrap.
        inner: The command to run; its executable is bound too.
        bound: Files and folders that exist inside, read-only.
        user_namespace: Whether bubblewrap needs one to make the others. Root does without, so that it can become an
            ordinary user inside.
        shared_memory: Whether there is a ``/dev/shm``, which Python's `multiprocessing` needs.
    """
    words = [program, "--die-with-parent", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    words += ["--unshare-cgroup-try", "--size", str(MAX_BYTES), "--tmpfs", SCRATCH]
    if user_namespace:
        words += ["--unshare-user", "--cap-drop", "ALL"]
    paths = {*bound, *_LOADERS, inner[0]}
    links = {path for path in _LIBRARY_LINKS if Path(path).is_symlink()}
    for folder in sorted(_folders_above([*paths, *_DEVICES])):
        # Otherwise they would be open to root alone.
        words += ["--perms", "0755", "--dir", folder]
    # What contains others comes first, or it would hide them.
    for path in sorted(paths - links - set(_DEVICES)):
        words += ["--ro-bind-try", path, path]
    for path in sorted(links):
        words += ["--symlink", str(Path(path).readlink()), path]
    for path in _DEVICES:
        words += ["--dev-bind-try", path, path]
    if shared_memory:
        words += ["--perms", "1777", "--tmpfs", "/dev/shm"]
    words += ["--proc", "/proc", "--remount-ro", "/", "--chmod", "0700", SCRATCH]
    return [*words, "--chdir", "/", "--", *inner]


def _folders_above(paths: Sequence[str]) -> set[str]:
    bound = set(paths)
    above = {path: [str(parent) for parent in Path(path).parents][:-1] for path in paths}
    return {one for folders in above.values() for one in folders if not bound & {one, *map(str, Path(one).parents)}}


def outside(process: int, inside: Sequence[int]) -> list[int]:
    """Return the process ids by which we know processes that know themselves by others; absent ones are left out.

    Args:
        process: The bubblewrap process, their ancestor.
        inside: Their ids in the namespace.
    """
    known = dict(_descendants(process))
    return [known[pid] for pid in inside if pid in known]


def _descendants(process: int) -> Iterator[tuple[int, int]]:
    """Each descendant: its id in its own namespace, and its id here."""
    for thread in _listed(Path(f"/proc/{process}/task")):
        children = ""
        with contextlib.suppress(OSError):
            children = (thread / "children").read_text(encoding="ascii")
        for child in map(int, children.split()):
            with contextlib.suppress(OSError, StopIteration):
                lines = Path(f"/proc/{child}/status").read_text(encoding="utf-8", errors="replace").splitlines()
                yield int(next(line for line in lines if line.startswith("NSpid:")).split()[-1]), child
            yield from _descendants(child)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def interpreter() -> str:
    """Return the interpreter itself: the links of a virtual environment do not exist inside."""
    import sys

    return os.path.realpath(sys.executable)

"""The scratch folder of a zygote: its owner, what is in it, and its removal, whatever a program made of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 512 << 20
MAX_FILES: Final = 10_000
FIRST_USER: Final = 1_000_000_000
"""Root's zygotes become this user plus their process id: users of their own, so that no worker, and no other program of
an ordinary user, shares their limits or can reach them."""
NOBODY: Final = 65534
_BLOCK: Final = 512
_MOST_MAPPINGS: Final = 1 << 20
"""Bytes of the kernel's list of a process's mappings: ten thousand of them, where numpy and threads need hundreds."""
_PREFIX: Final = "harness-scratch-"
_REMOVING_SECONDS: Final = 1.0
_FRESH_SECONDS: Final = 60.0


class Scratch:
    """A new, empty folder for one zygote."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(prefix=_PREFIX)
        # As long as we live; `remove_abandoned` of another harness looks at it.
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.seen = self.path
        """Where we see what programs put into it."""

    def give_to_user(self, pid: int) -> int | None:
        """Give it to a user for one zygote alone, or to nobody where a container maps few users; None: it maps none."""
        for user in (FIRST_USER + pid, NOBODY):
            with contextlib.suppress(OSError):
                os.chown(self.path, user, user)
                return user
        return None

    def overfull(self, pids: Iterable[int]) -> bool:
        """Whether these processes have put more into it than they may, or hide it; looks no further than it must."""
        # Where it is a file system of its own, that bounds files without a name too.
        size = sum(_unnamed(pid, self.path) for pid in pids) if self.seen == self.path else 0
        folders, count = [self.seen], 0
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        with contextlib.suppress(FileNotFoundError):
                            found = entry.stat(follow_symlinks=False)
                            size += found.st_blocks * _BLOCK
                            count += 1
                            if stat.S_ISDIR(found.st_mode):
                                folders.append(entry.path)
                        if size > MAX_BYTES or count > MAX_FILES:
                            return True
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                # Closed to us, or deeper than a path can say: it is filled unseen. (The folder itself may end first.)
                if folder != self.seen:
                    return True
        return size > MAX_BYTES

    def remove(self) -> None:
        """Remove it and all that is in it."""
        remove_tree(self.path)
        os.close(self._lock)


def _unnamed(pid: int, place: str) -> int:
    """Bytes on the disk of files below a folder that have no name any more, but are open or mapped by a process.

    One with so many mappings that looking through them would take long counts as having filled it.
    """
    sizes: dict[int, int] = {}
    mapped = 0
    with contextlib.suppress(OSError):
        device = Path(place).stat().st_dev
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found = descriptor.stat()
                if stat.S_ISREG(found.st_mode) and found.st_nlink == 0 and found.st_dev == device:
                    sizes[found.st_ino] = found.st_blocks * _BLOCK
        with Path(f"/proc/{pid}/maps").open("rb") as file:
            listed = file.read(_MOST_MAPPINGS + 1)
        if len(listed) > _MOST_MAPPINGS:
            return MAX_BYTES + 1
        inside = f" {place}/".encode()
        for line in listed.splitlines():
            if line.endswith(b" (deleted)") and inside in line:
                first, last = (int(address, 16) for address in line.partition(b" ")[0].split(b"-"))
                mapped += last - first
    return max(sum(sizes.values()), mapped)


def remove_abandoned() -> None:
    """Remove scratch folders of harnesses that were killed: those of our own users that nobody holds a lock on.

    Follows no link, so that nobody can make us remove anything else, and gives up after a second: the rest is for the
    next start.
    """
    deadline = time.monotonic() + _REMOVING_SECONDS
    with contextlib.suppress(OSError):
        place = os.open(tempfile.gettempdir(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in os.listdir(place):  # noqa: PTH208
                if name.startswith(_PREFIX) and time.monotonic() < deadline:
                    _remove_abandoned(place, name)
        finally:
            os.close(place)


def _remove_abandoned(place: int, name: str) -> None:
    with contextlib.suppress(OSError):
        root = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place)
        try:
            found = os.fstat(root)
            # A new one may not be locked yet.
            if not _is_ours(found.st_uid) or time.time() - found.st_mtime < _FRESH_SECONDS:
                return
            fcntl.flock(root, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _flatten(root)
            os.rmdir(name, dir_fd=place)
        finally:
            os.close(root)


def _is_ours(user: int) -> bool:
    own = os.geteuid()
    return user == own or (own == 0 and (user == NOBODY or user >= FIRST_USER))


def remove_tree(path: str) -> None:
    """Remove a folder that no process uses any more, however deep it is and whatever its modes are.

    What resists (another program's file system error) is left where it is: nothing can be done about it here.
    """
    with contextlib.suppress(OSError, RecursionError):
        shutil.rmtree(path)
        return
    with contextlib.suppress(OSError):
        root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _flatten(root)
        finally:
            os.close(root)
        Path(path).rmdir()


def _flatten(root: int) -> None:
    """Empty a folder: what lies in its folders moves up to it, so that no path grows long."""
    fresh = 0
    os.fchmod(root, 0o700)
    while names := os.listdir(root):
        for name in names:
            if not _opened(name, root):
                os.unlink(name, dir_fd=root)
                continue
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
            try:
                for child in os.listdir(inner):  # noqa: PTH208
                    _opened(child, inner)
                    fresh += 1
                    os.rename(child, f"removed-{os.getpid()}-{fresh}", src_dir_fd=inner, dst_dir_fd=root)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=root)


def _opened(name: str, place: int) -> bool:
    """Whether it is a folder; one of our own user's gets the rights to look into it and to move it."""
    found = os.stat(name, dir_fd=place, follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode):
        return False
    # Not of others: they could put a link in its place, and root needs no rights.
    if found.st_uid == os.geteuid():
        os.chmod(name, 0o700, dir_fd=place)
    return True

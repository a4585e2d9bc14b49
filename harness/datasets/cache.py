"""The cache: ``data/<sha256>/<name>``, always the unpacked and verified bytes, safe with many processes at once.

Beside each file lies ``.stamp`` with its size and time of change at the moment it was verified: while they agree, the
digest is not computed again. A file appears whole or not at all (temporary file in the same folder, fsync, rename).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from harness.datasets.failures import cannot_write
from harness.datasets.streams import digest_of, read_pieces

_STAMP = ".stamp"
_TEMPORARY = ".tmp"
_LOCK_PAUSE = 0.1


class MismatchError(Exception):
    """Bytes that were offered to the cache are not the pinned ones; ``found`` is their sha256."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found


class Cache:
    """The verified files of one cache folder.

    Args:
        root: The cache folder; made when something is put in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._data = root / "data"
        self._partial = root / "partial"

    def find(self, sha256: str) -> Path | None:
        """The file with these bytes, or None; one that has rotted is removed.

        Raises:
            StoreError: A rotted file cannot be removed.
        """
        for path in self._files(sha256):
            if self._stamped(path) or self.check(path, sha256) == sha256:
                return path
            self.discard(path)
        return None

    def present(self, sha256: str) -> Path | None:
        """The file that is there under this digest, whatever it holds."""
        return next(iter(self._files(sha256)), None)

    def check(self, path: Path, sha256: str) -> str:
        """Read a cached file whole and return the sha256 found; where it is the right one, stamp it anew."""
        try:
            found = digest_of(read_pieces(path))
        except OSError as error:
            return f"(unreadable: {error.strerror})"
        if found == sha256:
            with contextlib.suppress(OSError):  # a cache that is mounted read-only is hashed each time instead
                self._stamp(path)
        return found

    def discard(self, path: Path) -> None:
        """Remove a file that does not hold its bytes (any more).

        Raises:
            StoreError: It cannot be removed.
        """
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(path.parent, error) from error

    def insert(
        self, sha256: str, name: str, pieces: Iterable[bytes], seen: Callable[[int], None] | None = None
    ) -> Path:
        """Put a file in the cache if, and only if, its bytes are the pinned ones.

        Args:
            sha256: The pin.
            name: The file's name in the cache.
            pieces: The unpacked bytes.
            seen: Told the bytes written so far.

        Raises:
            MismatchError: Other bytes; nothing was kept.
            StoreError: The cache cannot be written; nothing was kept.
        """
        folder = self._data / sha256
        temporary = folder / f".{name}.{secrets.token_hex(6)}{_TEMPORARY}"
        try:
            found = self._write(temporary, pieces, seen)
            if found != sha256:
                raise MismatchError(found)
            with self._writing(folder):
                temporary.replace(folder / name)
                self._stamp(folder / name)
                _sync_folder(folder)
        except BaseException:
            self._clear(folder, temporary)
            raise
        return folder / name

    def part(self, sha256: str) -> Path:
        """Where a download of these bytes is collected, to be resumed."""
        with self._writing(self._partial):
            self._partial.mkdir(parents=True, exist_ok=True)
        return self._partial / f"{sha256}.part"

    @contextlib.contextmanager
    def lock(self, sha256: str) -> Iterator[None]:
        """Hold the right to fetch these bytes; other processes wait, and then find them in the cache.

        Raises:
            StoreError: The cache cannot be written.
        """
        lock = self.part(sha256).with_suffix(".lock")
        with self._writing(self._partial):
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            while not _try_lock(handle):
                time.sleep(_LOCK_PAUSE)
            self._sweep(sha256)
            yield
        finally:
            os.close(handle)  # releases the lock

    def _files(self, sha256: str) -> list[Path]:
        try:
            found = sorted((self._data / sha256).iterdir())
        except OSError:
            return []
        return [path for path in found if not path.name.startswith(".") and path.is_file()]

    def _stamped(self, path: Path) -> bool:
        try:
            stamp = json.loads((path.parent / _STAMP).read_bytes())
            return bool(stamp == _signature(path))
        except (OSError, ValueError):
            return False

    def _stamp(self, path: Path) -> None:
        write_whole(path.parent / _STAMP, json.dumps(_signature(path)).encode())

    def _write(self, temporary: Path, pieces: Iterable[bytes], seen: Callable[[int], None] | None) -> str:
        # Only writing is guarded: an error while reading `pieces` is not the cache's.
        folder, state, size = temporary.parent, hashlib.sha256(), 0
        with self._writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            for piece in pieces:
                with self._writing(folder):
                    write_all(handle, piece)
                state.update(piece)
                size += len(piece)
                if seen is not None:
                    seen(size)
            with self._writing(folder):
                os.fsync(handle)
        finally:
            os.close(handle)
        return state.hexdigest()

    def _clear(self, folder: Path, temporary: Path) -> None:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()  # only where it is empty

    def _sweep(self, sha256: str) -> None:
        """Remove what a killed process left half-written; the caller holds the lock, so nobody is writing."""
        with contextlib.suppress(OSError):
            for path in (self._data / sha256).iterdir():
                if path.name.startswith(".") and path.name.endswith(_TEMPORARY):
                    path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self, folder: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_write(folder, error) from error


def write_all(handle: int, data: bytes) -> None:
    """Write every byte: on a nearly full disk, one call may take only some of them."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def write_whole(path: Path, data: bytes) -> None:
    """Replace a small file at once, so that no reader sees half of it."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(6)}{_TEMPORARY}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _signature(path: Path) -> dict[str, object]:
    stat = path.stat()
    return {"name": path.name, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
            return False
        # Some network file systems have no locks. Then two processes may both download; each insertion is atomic
        # and verified, so that the worst case is a part file to which both append, which is refused and fetched anew.
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

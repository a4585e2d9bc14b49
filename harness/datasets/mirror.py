"""Offline mirrors: folders in which a data file is found by its name, or failing that by its bytes.

Whatever the folder's layout, a file counts only if its unpacked bytes have the pinned sha256; several files of one
name are told apart that way.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from harness.datasets.cache import write_whole
from harness.datasets.streams import DamagedError, plain_digest

_BY_BYTES_AT_MOST = 1 << 30
"""Files larger than this are found by name only: a mirror may lie among checkpoints, which nobody wants to hash."""


class MirrorFile(msgspec.Struct, frozen=True):
    """A regular file of a mirror, as it was listed: path, size in bytes and time of change."""

    path: Path
    size: int
    mtime_ns: int


class Mirrors:
    """All mirrors, in order. Digests are remembered by path, size and time of change.

    Args:
        folders: The mirrors; one that does not exist holds nothing.
        index: File in the cache that remembers digests.
    """

    def __init__(self, folders: Sequence[Path], index: Path) -> None:
        self.folders = tuple(folders)
        self._index_path = index
        self._index: dict[str, list[object]] | None = None
        self._files: list[MirrorFile] | None = None

    def find(self, name: str, sha256: str) -> Iterator[Path]:
        """The files whose bytes have this digest: first those of this name (with or without .gz), then any other."""
        stem = name.removesuffix(".gz")
        named = [file for file in self._list() if file.path.name.removesuffix(".gz") == stem]
        yield from self._matching(named, sha256)
        rest = [file for file in self._list() if file not in named and 0 < file.size <= _BY_BYTES_AT_MOST]
        yield from self._matching(rest, sha256)

    def namesakes(self, name: str) -> int:
        """How many files of this name (with or without .gz) there are."""
        stem = name.removesuffix(".gz")
        return sum(file.path.name.removesuffix(".gz") == stem for file in self._list())

    def absent(self) -> list[Path]:
        """Mirrors that are no folders."""
        return [folder for folder in self.folders if not folder.is_dir()]

    def forget(self, path: Path) -> None:
        """Drop what is remembered of a file that turned out different."""
        if self._remembered().pop(str(path), None) is not None:
            self._save()

    def _matching(self, files: Sequence[MirrorFile], sha256: str) -> Iterator[Path]:
        index, fresh = self._remembered(), False
        # What is known already comes first: then nothing is hashed for a file that an earlier run found.
        known = [file for file in files if self._recall(file) == sha256]
        yield from (file.path for file in known)
        try:
            for file in files:
                if self._recall(file) is not None:
                    continue
                fresh = True
                digest = _digest(file.path)
                index[str(file.path)] = [file.size, file.mtime_ns, digest]
                if digest == sha256:
                    yield file.path
        finally:
            if fresh:
                self._save()

    def _recall(self, file: MirrorFile) -> str | None:
        entry = self._remembered().get(str(file.path))
        if entry is None or entry[:2] != [file.size, file.mtime_ns]:
            return None
        return str(entry[2])

    def _list(self) -> list[MirrorFile]:
        if self._files is None:
            self._files = [file for folder in self.folders for file in _walk(folder)]
        return self._files

    def _remembered(self) -> dict[str, list[object]]:
        if self._index is None:
            try:
                read = json.loads(self._index_path.read_bytes())
                self._index = {path: entry for path, entry in read.items() if len(entry) == 3}
            except (OSError, ValueError, AttributeError, TypeError):
                self._index = {}
        return self._index

    def _save(self) -> None:
        with contextlib.suppress(OSError):  # the index only saves time; a cache that cannot be written says so itself
            self._index_path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._index_path, json.dumps(self._remembered()).encode())


def _digest(path: Path) -> str:
    try:
        return plain_digest(path)
    except (OSError, DamagedError):
        return ""  # a file that cannot be read is not the one that is looked for


def _walk(folder: Path) -> Iterator[MirrorFile]:
    """Every regular file below a folder in a stable order; links are followed, each folder is entered once."""
    entered: set[tuple[int, int]] = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        try:
            here = Path(root).stat()
        except OSError:
            folders.clear()
            continue
        if (here.st_dev, here.st_ino) in entered:
            folders.clear()
            continue
        entered.add((here.st_dev, here.st_ino))
        folders.sort()
        for name in sorted(files):
            path = Path(root, name)
            try:
                info = path.stat()
            except OSError:
                continue
            if stat.S_ISREG(info.st_mode):  # opening a pipe would wait for ever
                yield MirrorFile(path.absolute(), info.st_size, info.st_mtime_ns)

"""The one way to a data file: cache, then mirrors, then its source; only the pinned bytes ever come out."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.datasets.cache import Cache, MismatchError
from harness.datasets.download import Download, Patience
from harness.datasets.failures import MIRROR_REMEDY, damaged, wrong_bytes
from harness.datasets.mirror import Mirrors
from harness.datasets.records import parse_records, sample_ids
from harness.datasets.sources import Source, cache_name, local_file, other_release, package_file, parse_source
from harness.datasets.streams import DamagedError, digest_of, plain_digest, read_pieces, unpacked
from harness.errors import DataError, SpecError, StoreError
from harness.types import DatasetPin, Sample, Task

ProgressCallback = Callable[[str, int, int | None], None]
"""Told the data set's name, the bytes so far, and the total or None."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What `DataStore.verify` found in the cache.

    Attributes:
        name: The data set.
        state: ``ok``; ``absent``: not cached; ``repaired``: other bytes were found, removed and fetched again.
        path: The cached file, whole and right; None where absent.
        expected: The pinned sha256.
        found: The sha256 found at first; None where absent.
    """

    name: str
    state: Literal["ok", "absent", "repaired"]
    path: Path | None
    expected: str
    found: str | None


class DataStore:
    """Data files by their pins.

    Args:
        mirrors: Folders to look in before any source, in order.
        cache: The cache folder; made when needed.
        base: Folder at which relative ``file:`` sources start; absent: the working folder.
        progress: Told how downloads come along.
        offline: Download nothing.
        patience: How long downloads go on trying.
    """

    def __init__(
        self,
        mirrors: Sequence[Path],
        cache: Path,
        *,
        base: Path | None = None,
        progress: ProgressCallback | None = None,
        offline: bool = False,
        patience: Patience | None = None,
    ) -> None:
        self.mirrors = tuple(mirrors)
        self.cache = cache
        self._cache = Cache(cache)
        self._mirrors = Mirrors(self.mirrors, cache / "mirror-index.json")
        self._base = base
        self._progress = progress
        self._offline = offline
        self._patience = patience or Patience()
        # What a report or an export asks for again after a run.
        self._read: tuple[tuple[DatasetPin, Mapping[str, DatasetPin]], list[Sample]] | None = None

    def fetch(self, pin: DatasetPin) -> Path:
        """The path of the pinned bytes, uncompressed, in the cache; they are brought there where necessary.

        Raises:
            DataError: The file is nowhere, cannot be downloaded, or is not the pinned one.
            StoreError: The cache cannot be written (``code`` ``disk-full`` where the disk is full).
            SpecError: The pin itself is wrong.
        """
        source, sha256 = parse_source(pin), _sha256(pin)
        if path := self._cache.find(sha256):
            return path
        with self._cache.lock(sha256):
            if path := self._cache.find(sha256):  # another process was faster
                return path
            return self._from_mirror(pin, source, sha256) or self._from_source(pin, source, sha256)

    def bytes(self, pin: DatasetPin) -> bytes:
        """The pinned bytes, uncompressed. Raises as `fetch`."""
        path = self.fetch(pin)
        try:
            return path.read_bytes()
        except OSError as error:
            raise _unreadable(pin, path, error) from error

    def records(self, pin: DatasetPin) -> list[dict[str, Any]]:
        """The records; see `parse_records` for the formats.

        Raises:
            DataError: As `fetch`; or the file is not of the pin's format, or has another number of records.
        """
        return parse_records(pin, self.bytes(pin), parse_source(pin).name)

    def samples(self, task: Task) -> list[Sample]:
        """The samples of a task's data set, in its order. Their records are shared by all who ask: nobody changes them.

        Raises:
            DataError: As `records`; or a sample has no id, or two have the same, or one has no record in a text that
                has one for each sample.
        """
        asked = (task.dataset, task.texts)
        if self._read is None or self._read[0] != asked:
            self._read = asked, self._samples(task)
        return [*self._read[1]]

    def _samples(self, task: Task) -> list[Sample]:
        records = self.records(task.dataset)
        ids = sample_ids(task.dataset, records)
        for name, pin in task.texts.items():
            if pin.id is not None:
                self._join(name, pin, ids, records)
            elif pin.draw is not None:
                self._draw(name, pin, pin.draw, records)
            elif pin.rows is not None:
                examples = self.records(pin)
                for record in records:
                    record[name] = examples
        return [Sample(id=one, record=record) for one, record in zip(ids, records, strict=True)]

    def _join(self, name: str, pin: DatasetPin, ids: list[str], records: list[dict[str, Any]]) -> None:
        """Give each sample's record the text's record of the same id, as a field."""
        found = self.records(pin)
        by_id = dict(zip(sample_ids(pin, found), found, strict=True))
        for one, record in zip(ids, records, strict=True):
            if one not in by_id:
                raise DataError(f"text {name} ({pin.name}) has no record of sample {one}", "correct `id` or the pin")
            record[name] = by_id[one]

    def _draw(self, name: str, pin: DatasetPin, draw: tuple[int, int], records: list[dict[str, Any]]) -> None:
        """Give each sample's record examples of its own, as a field: the draw of one generator, sample after sample."""
        count, seed = draw
        examples = self.records(pin)
        if count > len(examples):
            raise DataError(
                f"text {name} ({pin.name}): {count} of {len(examples)} examples cannot be drawn", "correct `draw`"
            )
        generator = random.Random(seed)  # noqa: S311 - lm-eval's own generator, for the same examples
        for record in records:
            record[name] = generator.sample(examples, count)

    def texts(self, task: Task) -> dict[str, str]:
        """The pinned texts of a task, each file's whole text exactly as it is.

        Raises:
            DataError: As `fetch`; or a text is not UTF-8.
        """
        found = {}
        for name, pin in task.texts.items():
            try:
                found[name] = self.bytes(pin).decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"text {name} of {task.name} ({pin.name}): not UTF-8 ({error.reason})") from error
        return found

    def locate(self, pin: DatasetPin) -> str | None:
        """Where `fetch` would take the bytes from (``cache: PATH``, ``mirror: PATH``, a package, file or URL).

        Nothing is downloaded, and a source is not read. None: nowhere (not installed, no such file, offline).
        """
        source, sha256 = parse_source(pin), _sha256(pin)
        if path := self._cache.find(sha256):
            return f"cache: {path}"
        if path := next(self._mirrors.find(source.name, sha256), None):
            return f"mirror: {path}"
        if source.kind == "url":
            return None if self._offline else source.where
        with contextlib.suppress(DataError):
            path = package_file(pin, source) if source.kind == "package" else local_file(pin, source, self._base)
            return f"{source.kind}: {path}" if source.kind == "file" else f"package: {source.package} ({path})"
        return None

    def verify(self, pin: DatasetPin) -> Verification:
        """Hash the cached file in full; one that has rotted is removed and fetched again.

        Raises:
            DataError: It has rotted, and cannot be fetched again.
            StoreError: As `fetch`.
        """
        sha256 = _sha256(pin)
        path = self._cache.present(sha256)
        if path is None:
            return Verification(name=pin.name, state="absent", path=None, expected=sha256, found=None)
        found = self._cache.check(path, sha256)
        if found == sha256:
            return Verification(name=pin.name, state="ok", path=path, expected=sha256, found=found)
        self._cache.discard(path)
        return Verification(name=pin.name, state="repaired", path=self.fetch(pin), expected=sha256, found=found)

    def _from_mirror(self, pin: DatasetPin, source: Source, sha256: str) -> Path | None:
        for path in self._mirrors.find(source.name, sha256):
            try:
                return self._cache.insert(sha256, cache_name(source, pin), unpacked(read_pieces(path)))
            except (MismatchError, DamagedError, OSError):  # changed since it was listed
                self._mirrors.forget(path)
        return None

    def _from_source(self, pin: DatasetPin, source: Source, sha256: str) -> Path:
        try:
            if source.kind == "url":
                return self._from_url(pin, source, sha256)
            if source.kind == "file":
                return self._from_file(pin, source, sha256, local_file(pin, source, self._base))
            return self._from_file(pin, source, sha256, package_file(pin, source))
        except DataError as error:
            searched = self._searched(source)
            raise DataError(error.message + searched, error.remedy, code=error.code) from error

    def _from_file(self, pin: DatasetPin, source: Source, sha256: str, path: Path) -> Path:
        origin = f"{path} (package {source.package})" if source.kind == "package" else str(path)
        try:
            return self._cache.insert(sha256, cache_name(source, pin), unpacked(read_pieces(path)))
        except MismatchError as error:
            raise wrong_bytes(pin, error.found, origin, self._wrong_remedy(source, sha256, path)) from error
        except DamagedError as error:
            raise damaged(pin, origin, str(error)) from error
        except OSError as error:
            raise _unreadable(pin, path, error) from error

    def _wrong_remedy(self, source: Source, sha256: str, path: Path) -> str:
        if digest_of(read_pieces(path)) == sha256:
            return "the pin is the sha256 of the compressed file; pin the uncompressed bytes, as found"
        if source.kind == "package":
            return other_release(source)
        return "pin the bytes you mean, or restore the file"

    def _from_url(self, pin: DatasetPin, source: Source, sha256: str) -> Path:
        if self._offline:
            raise DataError(
                f"data set {pin.name}: {source.name} is not here, and nothing is downloaded when offline "
                f"(from {source.where})",
                MIRROR_REMEDY,
                code="offline",
            )
        download = Download(
            pin.name,
            source.where,
            self._cache.part(sha256),
            complete=lambda part: _plain_digest(part) == sha256,
            patience=self._patience,
            progress=self._progress,
        )
        if download.run():  # pieced together: where the bytes are wrong, one fresh download decides
            with contextlib.suppress(MismatchError, DamagedError):
                return self._from_part(pin, source, sha256, download)
            download.run()
        try:
            return self._from_part(pin, source, sha256, download)
        except MismatchError as error:
            raise wrong_bytes(pin, error.found, source.where) from error
        except DamagedError as error:
            raise damaged(pin, source.where, str(error)) from error

    def _from_part(self, pin: DatasetPin, source: Source, sha256: str, download: Download) -> Path:
        pieces = unpacked(read_pieces(self._cache.part(sha256)))
        try:
            path = self._cache.insert(sha256, cache_name(source, pin), pieces)
        except (MismatchError, DamagedError, StoreError):  # wrong bytes are of no use; a full disk needs the space
            download.discard()
            raise
        download.discard()
        return path

    def _searched(self, source: Source) -> str:
        """A clause on the mirrors that were searched in vain."""
        if not self.mirrors:
            return ""
        absent = self._mirrors.absent()
        where = ", ".join(f"{folder}{' (no such folder)' if folder in absent else ''}" for folder in self.mirrors)
        same = self._mirrors.namesakes(source.name)
        other = f"; of that name there are {same}, with other bytes" if same else ""
        return f"; not in the mirrors either: {where}{other}"


def _sha256(pin: DatasetPin) -> str:
    sha256 = pin.sha256.lower()
    if not _SHA256.fullmatch(sha256):
        raise SpecError(f"data set {pin.name}: sha256 {pin.sha256!r} is not 64 hex digits")
    return sha256


def _plain_digest(path: Path) -> str:
    try:
        return plain_digest(path)
    except (OSError, DamagedError):
        return ""


def _unreadable(pin: DatasetPin, path: Path, error: OSError) -> DataError:
    return DataError(f"data set {pin.name}: {path} cannot be read ({error.strerror or error})", code="unreadable")

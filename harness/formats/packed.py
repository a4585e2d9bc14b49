"""Gzip and zip files of others, which may be damaged or unpack to more than a machine holds."""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from harness.errors import DataError
from harness.plain import one_line

DOCUMENT_BYTES: Final = 2 * 1024**3
"""What one packed file may unpack to."""
_TOO_LARGE = "if it is the right file, unpack it first"
_LAYERS = 3
"""How often a file may be packed: some hold themselves."""
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_GZIP_STEP = 1024**2
_ZIP_STEP = 4096
"""Bytes read at once; of bzip2 and LZMA zipfile bounds only the packed ones, and 4096 are the fewest it takes."""
_UNREADABLE = (
    *(OSError, EOFError, ValueError, OverflowError, struct.error),  # ValueError: names that are no UTF-8
    *(RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),  # RuntimeError: encrypted, or an unknown method
)


def is_zip(path: Path) -> bool:
    """Whether a file is a zip file, by its first bytes."""
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def unpacked(path: Path, data: bytes) -> bytes:
    """The contents of a file: plain, gzipped or alone in a zip file, told apart by the first bytes.

    Args:
        path: The file, for messages.
        data: Its bytes.

    Raises:
        DataError: It is damaged, holds several files, or unpacks to more than `DOCUMENT_BYTES`.
    """
    for _ in range(_LAYERS):
        if data.startswith(_GZIP):
            data = _gunzipped(path, data)
        elif data.startswith(_ZIP):
            data = _only_member(path, data)
        else:
            break
    if data.startswith((_GZIP, _ZIP)):
        raise DataError(f"{path}: is packed more than {_LAYERS} times", "unpack it", code="packed")
    return data


@contextlib.contextmanager
def zip_archive(path: Path, file: Path | BinaryIO) -> Iterator[zipfile.ZipFile]:
    """A zip file that is open inside the context.

    Args:
        path: The file, for messages.
        file: What to read.

    Raises:
        DataError: It cannot be read, on entry or inside the context.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except _UNREADABLE as error:
        raise DataError(
            f"{path}: the zip file cannot be read ({one_line(str(error), 200)})",
            "unzip it, or copy it again",
            code="zip",
        ) from error


def member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The contents of one member, never more than the ``file_size`` that it declares."""
    with archive.open(entry) as file:
        return b"".join(iter(lambda: file.read(_ZIP_STEP), b""))


def refuse_size(path: Path, size: int, limit: int, remedy: str) -> None:
    """Refuse what is larger, unpacked, than a limit in bytes."""
    if size > limit:
        raise DataError(f"{path}: holds more than {limit / 1024**2:g} MiB", remedy, code="size")


def _gunzipped(path: Path, data: bytes) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while part := file.read(_GZIP_STEP):
                parts.append(part)
                size += len(part)
                refuse_size(path, size, DOCUMENT_BYTES, _TOO_LARGE)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip file is damaged ({error})", "copy it again", code="gzip") from error
    return b"".join(parts)


def _only_member(path: Path, data: bytes) -> bytes:
    with zip_archive(path, io.BytesIO(data)) as archive:
        files = [
            one
            for one in archive.infolist()
            if not one.filename.endswith("/") and not one.filename.startswith("__MACOSX/")
        ]
        if len(files) != 1:
            raise DataError(f"{path}: a zip file of {len(files)} files", "unzip it and name one", code="zip")
        refuse_size(path, files[0].file_size, DOCUMENT_BYTES, _TOO_LARGE)
        return member(archive, files[0])

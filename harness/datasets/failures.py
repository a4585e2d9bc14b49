"""The error messages that several parts of this package share."""

from __future__ import annotations

import errno
from pathlib import Path

from harness.datasets.places import CACHE_VARIABLE, MIRROR_VARIABLE
from harness.errors import DataError, StoreError
from harness.types import DatasetPin

MIRROR_REMEDY = f"copy the file to a folder and name that folder with --data-dir or {MIRROR_VARIABLE}"

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def cannot_write(folder: Path, error: OSError) -> StoreError:
    """Describe a cache that cannot be written; a full disk has its own code, ``disk-full``."""
    if error.errno in _FULL:
        return StoreError(
            f"the disk of the cache folder {folder} is full ({error.strerror})",
            f"free some space, or set {CACHE_VARIABLE} to a folder on another disk; nothing half-written was kept",
            code="disk-full",
        )
    return StoreError(
        f"the cache folder {folder} cannot be written ({error.strerror or error})",
        f"set {CACHE_VARIABLE} to a folder you may write to",
        code="cache",
    )


def wrong_bytes(pin: DatasetPin, found: str, origin: str, remedy: str = "") -> DataError:
    """Describe bytes that are not the pinned ones."""
    return DataError(
        f"data set {pin.name}: {origin} does not hold the pinned bytes: expected sha256 {pin.sha256}, found {found}",
        remedy or f"if the file was replaced at its origin, {MIRROR_REMEDY}",
        code="wrong-bytes",
    )


def damaged(pin: DatasetPin, origin: str, why: str) -> DataError:
    """Describe a gzip file that cannot be unpacked."""
    return DataError(
        f"data set {pin.name}: {origin}: {why} (expected sha256 {pin.sha256} of the unpacked bytes)",
        MIRROR_REMEDY,
        code="wrong-bytes",
    )

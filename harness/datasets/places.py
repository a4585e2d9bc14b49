"""Where data lives on this machine: the cache and the offline mirrors."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import DataError

CACHE_VARIABLE = "HARNESS_CACHE"
MIRROR_VARIABLE = "HARNESS_DATA_DIR"


def default_cache() -> Path:
    """The cache folder: ``HARNESS_CACHE``, else ``XDG_CACHE_HOME/wizard-harness``, else ``~/.cache/wizard-harness``.

    Raises:
        DataError: None of them is set and there is no home folder.
    """
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named).expanduser().absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    if shared and Path(shared).is_absolute():  # the XDG specification: relative paths are ignored
        return Path(shared) / "wizard-harness"
    try:
        return Path.home() / ".cache" / "wizard-harness"
    except RuntimeError as error:
        raise DataError("no home folder to keep a cache in", f"set {CACHE_VARIABLE} to a folder") from error


def mirrors_from_environment(data_dir: Path | None) -> list[Path]:
    """The mirror folders: ``--data-dir`` first, then ``HARNESS_DATA_DIR`` (several separated as in PATH)."""
    named = [Path(one).expanduser() for one in os.environ.get(MIRROR_VARIABLE, "").split(os.pathsep) if one]
    return list(dict.fromkeys([*([data_dir] if data_dir is not None else []), *named]))

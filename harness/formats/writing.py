"""Files of peers, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from harness.errors import DataError


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        DataError: The file cannot be written.
    """
    scratch = path.with_name(f".{path.name}.new")
    try:
        scratch.write_text(text, encoding="utf-8", newline="")
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise DataError(
            f"{path}: cannot be written ({error.strerror})",
            "free some space, or name another folder",
            code="unwritable",
        ) from error

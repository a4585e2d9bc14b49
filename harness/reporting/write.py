"""The files of a comparison, each complete or absent."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from harness.errors import StoreError
from harness.reporting import drawing, export, radar
from harness.reporting.comparison import Comparison
from harness.reporting.html import page
from harness.reporting.markdown import markdown

STEM = "comparison"


def figure(comparison: Comparison, png: Path, svg: Path) -> None:
    """Draw the comparison into two files.

    Raises:
        StoreError: A file cannot be written.
    """
    drawn = drawing.render(comparison)
    _place({png: drawn[0], svg: drawn[1]})


def write(comparison: Comparison, folder: Path) -> list[Path]:
    """Write comparison.md, .html, .png, .svg, .csv and .json into ``folder``, which is made where it is missing.

    Where a judged task has categories, there are radar.png and radar.svg, too.

    Everything is rendered and on the disk before the first file is replaced, so that an error leaves what was there.
    Without a figure (``figure = "none"``) there is no .png and no .svg at all.

    Returns:
        The files written, in that order.

    Raises:
        StoreError: The folder cannot be written.
    """
    files = {".md": markdown(comparison).encode()}
    drawn = drawing.render(comparison) if comparison.figure != "none" else None
    rounds = radar.render(comparison) if comparison.figure != "none" else None
    files[".html"] = page(comparison, drawn[1] if drawn else None, rounds[1] if rounds else None).encode()
    if drawn:
        files[".png"], files[".svg"] = drawn
    files[".csv"] = export.as_csv(comparison).encode()
    files[".json"] = export.as_json(comparison).encode()
    placed = {folder / f"{STEM}{suffix}": content for suffix, content in files.items()}
    if rounds:
        placed |= {folder / "radar.png": rounds[0], folder / "radar.svg": rounds[1]}
    _place(placed)
    return list(placed)


def _place(files: dict[Path, bytes]) -> None:
    staged: list[tuple[Path, Path]] = []
    target = Path()
    try:
        for target, content in files.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f".{target.name}.{os.getpid()}")
            staged.append((beside, target))
            with beside.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        for beside, target in staged:
            beside.replace(target)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space, or choose another folder" if full else "choose a folder that you may write"
        raise StoreError(f"cannot write {target}: {error.strerror or error}", remedy) from error
    finally:
        for beside, _ in staged:
            beside.unlink(missing_ok=True)

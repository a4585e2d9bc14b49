"""Programs in files of their own, as EvalPlus publishes them: ``HumanEval_0/0.py`` in a folder, which may be zipped.

Source: evalplus 0.3.1 ``evalplus/data/utils.py`` (``load_solutions``): a folder for each problem, named by its id with
``_`` for ``/``, and in it one whole program a file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from harness.errors import DataError
from harness.formats.packed import is_zip, member, refuse_size, zip_archive
from harness.formats.rows import Row
from harness.plain import one_line

PROGRAMS_BYTES: Final = 256 * 1024**2
"""What all programs of a folder or zip file may have together."""
_TOO_LARGE = "name the programs of one run alone, without other files"
_DIGITS = 18
"""Digits that a number in a name may have: Python refuses to read thousands."""
_ID = re.compile(r"(.+)_([0-9]+)", re.DOTALL)


def holds_programs(path: Path) -> bool:
    """Whether a folder or a zip file has a program in a file of its own."""
    return next(_programs(path), None) is not None


def read_folder(path: Path) -> tuple[list[Row], str]:
    """The programs as rows of EvalPlus's samples, and a sha256 of their names and bytes.

    Problems are in the order of their numbers, and so are the programs of one.

    Raises:
        DataError: A file is no UTF-8 or cannot be read, is a link that leads out of the folder, or has too
            long a number in its name; they are too large together; or there are several folders of programs.
    """
    found = sorted(_programs(path), key=lambda one: _order(path, one[0]))
    runs = sorted({str(name.parent.parent) for name, _ in found})
    if len(runs) > 1:
        raise DataError(
            f"{path}: holds the programs of {len(runs)} runs ({', '.join(runs[:3])})",
            "name the folder of one, unzipped",
            code="runs",
        )
    rows, digest = [], hashlib.sha256()
    for name, data in found:
        digest.update(f"{name}\0{len(data)}\0".encode("utf-8", "surrogateescape") + data)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{path / name}: not UTF-8 (byte {error.start})", "save it as UTF-8", code="row") from error
        fields = {"task_id": _ID.sub(r"\1/\2", name.parent.name), "solution": re.sub("\r\n?", "\n", text)}
        rows.append(Row(str(path / name), fields))
    return rows, digest.hexdigest()


def _programs(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Each ``PROBLEM_NUMBER/NAME.py``, by its place in the folder or zip file."""
    try:
        if path.is_dir():
            yield from _files(path)
        elif is_zip(path):
            with zip_archive(path, path) as archive:
                entries = [one for one in archive.infolist() if _is_program(PurePosixPath(one.filename))]
                refuse_size(path, sum(one.file_size for one in entries), PROGRAMS_BYTES, _TOO_LARGE)
                for entry in entries:
                    yield PurePosixPath(entry.filename), member(archive, entry)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error})", "copy it again", code="unreadable") from error


def _files(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    size = 0
    for file in path.rglob("*.py"):
        name = PurePosixPath(file.relative_to(path).as_posix())
        if not _is_program(name) or not file.is_file():
            continue
        if file.is_symlink() and not file.resolve().is_relative_to(path.resolve()):
            raise DataError(f"{file}: a link that leads out of {path}", "copy the program there", code="link")
        size += file.stat().st_size
        refuse_size(path, size, PROGRAMS_BYTES, _TOO_LARGE)
        yield name, file.read_bytes()


def _is_program(name: PurePosixPath) -> bool:
    return name.suffix == ".py" and not name.name.startswith(".") and _ID.fullmatch(name.parent.name) is not None


def _order(path: Path, name: PurePosixPath) -> tuple[tuple[str, int], tuple[int, str]]:
    problem = _ID.fullmatch(name.parent.name)
    assert problem is not None, "only such files are programs"
    stem = name.stem if name.stem.isascii() and name.stem.isdigit() else "-1"
    if max(len(problem[2]), len(stem)) > _DIGITS:
        shown = one_line(str(name), 80)
        raise DataError(f"{path}: {shown}: a number of more than {_DIGITS} digits", "rename it", code="row")
    return (problem[1], int(problem[2])), (int(stem), name.stem)

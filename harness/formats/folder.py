"""Programs in files of their own, as EvalPlus publishes them: ``HumanEval_0/0.py`` in a folder, which may be zipped.

Source: evalplus 0.3.1 ``evalplus/data/utils.py`` (``load_solutions``): a folder for each problem, named by its id with
``_`` for ``/``, and in it one whole program a file.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from harness.errors import DataError
from harness.formats.rows import Row, is_zip

_ID = re.compile(r"(.+)_([0-9]+)", re.DOTALL)


def holds_programs(path: Path) -> bool:
    """Whether a folder or a zip file has a program in a file of its own."""
    return next(_programs(path), None) is not None


def read_folder(path: Path) -> tuple[list[Row], str]:
    """The programs as rows of EvalPlus's samples, and a sha256 of their names and bytes.

    Problems are in the order of their numbers, and so are the programs of one.

    Raises:
        DataError: A file is no UTF-8 or cannot be read, or there are several folders of programs.
    """
    found = sorted(_programs(path), key=lambda one: _order(one[0]))
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
            for file in path.rglob("*.py"):
                name = PurePosixPath(file.relative_to(path).as_posix())
                if _is_program(name) and file.is_file():
                    yield name, file.read_bytes()
        elif is_zip(path):
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():
                    name = PurePosixPath(entry.filename)
                    if _is_program(name):
                        yield name, archive.read(entry)
    except (OSError, zipfile.BadZipFile, RuntimeError) as error:  # RuntimeError: encrypted, or packed in an unknown way
        raise DataError(f"{path}: cannot be read ({error})", "unzip it, or copy it again", code="unreadable") from error


def _is_program(name: PurePosixPath) -> bool:
    return name.suffix == ".py" and not name.name.startswith(".") and _ID.fullmatch(name.parent.name) is not None


def _order(name: PurePosixPath) -> tuple[tuple[str, int], tuple[int, str]]:
    problem = _ID.fullmatch(name.parent.name)
    assert problem is not None, "only such files are programs"
    number = int(name.stem) if name.stem.isascii() and name.stem.isdigit() else -1
    return (problem[1], int(problem[2])), (number, name.stem)

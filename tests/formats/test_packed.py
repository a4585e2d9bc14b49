"""Packed files: how much they may hold, and how often they may be packed."""

from __future__ import annotations

import gzip
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.formats import packed, read_completions

LINE = b'{"task_id": "HumanEval/0", "completion": "a"}\n'


def gzipped(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data))
    return path


def zipped(path: Path, data: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples.jsonl", data)
    return path


@pytest.mark.parametrize("make", [gzipped, zipped])
def test_what_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path, bytes], Path]
) -> None:
    monkeypatch.setattr(packed, "DOCUMENT_BYTES", 1024**2)
    path = make(tmp_path / "fits", LINE + b"\n" * (1024**2 - len(LINE)))
    assert [row.text for row in read_completions(path, None).rows] == ["a"]
    with pytest.raises(DataError, match="large: holds more than 1 MiB") as caught:
        read_completions(make(tmp_path / "large", LINE + b"\n" * 1024**2), None)
    assert "unpack it" in caught.value.remedy


def test_a_zip_file_that_lies_about_its_size_is_not_unpacked(tmp_path: Path) -> None:
    size = 2**25
    path = zipped(tmp_path / "a.zip", bytes(size))
    path.write_bytes(path.read_bytes().replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little")))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"a\.zip: the zip file cannot be read"):
            read_completions(path, None)
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


def test_what_is_packed_again_and_again_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    data = LINE
    for _ in range(3):
        data = gzipped(path, data).read_bytes()
    assert [row.text for row in read_completions(path, None).rows] == ["a"]
    with pytest.raises(DataError, match="packed more than 3 times"):
        read_completions(gzipped(path, data), None)

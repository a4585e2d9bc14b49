"""Programs in files of their own, in a folder or a zip file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.formats import folder as folders
from harness.formats import read_completions

FILES = {
    "HumanEval_2/0.py": b"c",
    "HumanEval_10/0.py": b"d",
    "HumanEval_2/10.py": b"b",
    "HumanEval_2/9.py": b"a\r\nz",
    "HumanEval_2/notes.txt": b"no program",
    "HumanEval_2/._0.py": b"\xff of a file system",
    "script.py": b"no program either",
}
ROWS = [
    ("HumanEval/2", 0, "c"),
    ("HumanEval/2", 1, "a\nz"),
    ("HumanEval/2", 2, "b"),
    ("HumanEval/10", 0, "d"),
]


def folder(place: Path, files: dict[str, bytes] = FILES) -> Path:
    for name, data in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


def zipped(path: Path, files: dict[str, bytes] = FILES, below: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(below + name, data)
    return path


@pytest.mark.parametrize("how", ["folder", "below", "zip", "zip below"])
def test_a_folder_of_programs_is_evalplus_samples(tmp_path: Path, how: str) -> None:
    path = {
        "folder": lambda: folder(tmp_path / "a"),
        "below": lambda: folder(tmp_path / "a" / "model_temp_0.0").parent,
        "zip": lambda: zipped(tmp_path / "a.zip"),
        "zip below": lambda: zipped(tmp_path / "a.zip", below="model_temp_0.0/"),
    }[how]()
    found = read_completions(path, None)
    assert (found.form, found.stage) == ("evalplus", "program")
    assert [(row.sample, row.attempt, row.text) for row in found.rows] == ROWS


def test_the_identity_of_a_folder_is_that_of_its_programs(tmp_path: Path) -> None:
    same = [read_completions(folder(tmp_path / name), None).sha256 for name in "ab"]
    (tmp_path / "b" / "HumanEval_2" / "notes.txt").write_bytes(b"others")
    same.append(read_completions(tmp_path / "b", None).sha256)
    assert len(set(same)) == 1
    (tmp_path / "b" / "HumanEval_2" / "0.py").write_bytes(b"other")
    assert read_completions(tmp_path / "b", None).sha256 not in same


def test_a_zip_file_of_one_file_is_that_file(tmp_path: Path) -> None:
    line = b'{"task_id": "HumanEval/0", "completion": "a"}\n'
    path = zipped(tmp_path / "a.zip", {"samples.jsonl": line, "__MACOSX/._samples.jsonl": b"x"})
    assert [row.text for row in read_completions(path, None).rows] == ["a"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"m/HumanEval_0/0.py": b"a", "n/HumanEval_0/0.py": b"b"}, r"the programs of 2 runs \(m, n\)"),
        ({"HumanEval_0/0.py": b"\xff"}, "HumanEval_0/0.py: not UTF-8"),
        ({"a.jsonl": b"{}", "b.jsonl": b"{}"}, "a zip file of 2 files"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_completions(zipped(tmp_path / "a.zip", files), None)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_damaged_zip_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(tmp_path / "b.zip").read_bytes()[:200])
    with pytest.raises(DataError, match=r"a\.zip: .*cannot be read"):
        read_completions(tmp_path / "a.zip", None)


@pytest.mark.parametrize("name", ["HumanEval_0/0.py", "samples.jsonl"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_inside_a_zip_file_is_named(tmp_path: Path, method: int, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr(name, b'{"task_id": "H/0", "completion": "a"}\n')
    data = bytearray((tmp_path / "a.zip").read_bytes())
    begin = 30 + len(name)  # the member's header
    data[begin : begin + 12] = b"\xff" * 12
    (tmp_path / "a.zip").write_bytes(data)
    refused(tmp_path / "a.zip")


@pytest.mark.parametrize("name", ["HumanEval_0/é.py", "é.jsonl"])
def test_a_name_in_a_zip_file_that_is_not_utf_8_is_damage(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "a.zip", {name: b"{}"})
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xff"))
    refused(path)


def test_a_member_without_a_name_is_a_file(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"Q": b'{"task_id": "H/0", "completion": "a"}\n'})
    path.write_bytes(path.read_bytes().replace(b"Q", b"\0"))
    assert [row.text for row in read_completions(path, None).rows] == ["a"]


def refused(path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.zip: the zip file cannot be read") as caught:
        read_completions(path, None)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [f"HumanEval_{'1' * 5000}/0.py", f"HumanEval_0/{'1' * 5000}.py"])
def test_a_number_of_thousands_of_digits_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"a\.zip: HumanEval_\d.*more than 18 digits") as caught:
        read_completions(zipped(tmp_path / "a.zip", {name: b"a"}), None)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("make", [folder, zipped])
def test_programs_too_large_together_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    monkeypatch.setattr(folders, "PROGRAMS_BYTES", 2 * 1024**2)
    files = {f"HumanEval_{n}/0.py": bytes(1024**2) for n in range(2)}
    assert len(read_completions(make(tmp_path / "fits", files), None).rows) == 2
    with pytest.raises(DataError, match="large: holds more than 2 MiB"):
        read_completions(make(tmp_path / "large", {**files, "HumanEval_2/0.py": b"a"}), None)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("secret")
    place = folder(tmp_path / "a", {"HumanEval_0/0.py": b"a"})
    (place / "HumanEval_1").mkdir()
    (place / "HumanEval_1" / "0.py").symlink_to("../HumanEval_0/0.py")
    assert [row.text for row in read_completions(place, None).rows] == ["a", "a"]
    (place / "HumanEval_1" / "1.py").symlink_to(tmp_path / "secret.py")
    with pytest.raises(DataError, match=r"HumanEval_1/1\.py: a link that leads out of"):
        read_completions(place, None)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without programs"):
        read_completions(folder(tmp_path / "a", {"package_1x/__init__.py": b"", "script.py": b""}), None)

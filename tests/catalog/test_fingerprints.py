"""The golden file: a changed prompt or rule needs a raised version, and every shipped task is recorded."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.catalog import Catalog
from harness.catalog.fingerprints import (
    Fingerprint,
    complaints,
    fingerprint,
    main,
    missing,
    read,
    render,
    shipped_fingerprints,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "fingerprints.toml"
ENTRY = Fingerprint(name="sums/plain", version=2, ask="a" * 64, score="b" * 64)


def test_no_shipped_task_changed_without_a_new_version() -> None:
    assert complaints(read(GOLDEN), shipped_fingerprints()) == []


def test_every_shipped_task_is_recorded() -> None:
    absent = [f"{entry.name} version {entry.version}" for entry in missing(read(GOLDEN), shipped_fingerprints())]
    assert not absent, f"not in {GOLDEN.name}: {absent}; add: python -m harness.catalog.fingerprints --write"


def test_the_golden_file_is_in_its_canonical_form() -> None:
    assert GOLDEN.read_text() == render(read(GOLDEN))


def test_a_changed_task_is_told_which_part_changed() -> None:
    ask, score = msgspec.structs.replace(ENTRY, ask="c" * 64), msgspec.structs.replace(ENTRY, score="c" * 64)
    assert complaints([ENTRY], [ENTRY]) == []
    assert complaints([ENTRY], [ask]) == ["sums/plain: what is asked changed in version 2; raise the task's version"]
    assert "how it is scored changed" in complaints([ENTRY], [score])[0]
    assert complaints([ENTRY], [msgspec.structs.replace(ask, version=3)]) == []
    assert "is below the recorded 2" in complaints([ENTRY], [msgspec.structs.replace(ENTRY, version=1)])[0]


def test_a_fingerprint_is_of_name_version_and_both_parts() -> None:
    task = Catalog.load().task("humaneval/zero-shot")
    prompt = msgspec.structs.replace(task.prompt, turns=("{prompt} ",))
    one, two = fingerprint(task), fingerprint(msgspec.structs.replace(task, prompt=prompt))
    assert (one.name, one.version) == ("humaneval/zero-shot", task.version)
    assert one.ask != two.ask
    assert one.score == two.score


def test_the_command_extends_and_never_rewrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "golden.toml"
    path.write_text(render([ENTRY]))
    assert main([str(path)]) == 0
    assert capsys.readouterr().out == render([ENTRY, *shipped_fingerprints()])
    assert read(path) == (ENTRY,)
    assert main([str(path), "--write"]) == 0
    assert set(read(path)) == {ENTRY, *shipped_fingerprints()}
    before = path.read_text()
    path.write_text(before.replace(shipped_fingerprints()[0].ask, "f" * 64))
    changed = path.read_text()
    assert main([str(path), "--write"]) == 1
    assert "raise the task's version" in capsys.readouterr().err
    assert path.read_text() == changed


def test_the_command_says_what_is_wrong_with_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "golden.toml"
    path.write_text("[[task]]\nnam = 1\n")
    assert main([str(path)]) == 64
    assert "golden.toml: task[0].nam: unknown key; did you mean 'name'?" in capsys.readouterr().err

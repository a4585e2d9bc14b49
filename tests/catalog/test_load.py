from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from harness.catalog import Catalog
from harness.catalog.load import convert, read_toml
from harness.errors import SpecError
from harness.types import Task

Write = Callable[[str], Catalog]


def refused(catalog: Catalog, name: str = "sums/plain") -> str:
    with pytest.raises(SpecError) as caught:
        catalog.task(name)
    assert caught.value.exit_code == 64
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("temperature", "temprature", "sampling.temprature: unknown key; did you mean 'temperature'?"),
        ("title", "titel", "titel: unknown key; did you mean 'title'?"),
        ("[scorer]", "[scorers]", "scorers: unknown key; did you mean 'scorer'?"),
        ("sha256", "sha", "dataset.sha: unknown key; did you mean 'sha256'?"),
        ("version = 1", "version = 1\ntop_p = 0.9", "top_p: unknown key; did you mean 'sampling.top_p'?"),
        ("version = 1", "version = 1\nxyz = 1", "xyz: unknown key; known: "),
        ("version = 1", 'version = "1"', "version: expected int, got str"),
        ("version = 1", "version = true", "version: expected int, got bool"),
        ("version = 1", "version = 1\nreference = 3", "reference: expected table, got int"),
        ("version = 1", "version = 1\nk = 1", "k: expected array, got int"),
        ("version = 1", 'version = 1\nk = [1, "2"]', "k[1]: expected int, got str"),
        ("version = 1", 'version = 1\nstage = "replay"', "stage: 'replay' is not allowed; did you mean 'reply'?"),
        ("[prompt]", 'records = "3"\n[prompt]', "dataset.records: expected int, got str"),
        ("[prompt]", 'format = "jsonll"\n[prompt]', "dataset.format: 'jsonll' is not allowed; did you mean 'jsonl'?"),
        ('turns = ["{question}"]', 'turns = "{question}"', "prompt.turns: expected array, got str"),
        ("temperature = 0.0\n", "", "sampling.temperature: this key is required and missing"),
        ("version = 1\n", "", "version: this key is required and missing"),
        (
            "version = 1",
            'version = 1\nname = "sums/plain"',
            "name: must not be written; it comes from the file's place",
        ),
        (
            "[prompt]",
            '[texts.rules]\nname = 3\nsource = "file:x"\nsha256 = ""\n[prompt]',
            "texts.rules.name: expected str, got int",
        ),
        (
            "[prompt]",
            '[texts.rules]\nname = "rules"\nsorce = "file:x"\nsha256 = ""\n[prompt]',
            "texts.rules.sorce: unknown key; did you mean 'source'?",
        ),
        (
            "[prompt]",
            "[texts]\nrules = 3\n[prompt]",
            "texts.rules: expected table, got int",
        ),
    ],
)
def test_says_file_key_and_nearest_spelling(write: Write, task_text: str, old: str, new: str, message: str) -> None:
    assert old in task_text
    text = refused(write(task_text.replace(old, new, 1)))
    assert "tasks/sums/plain.toml: " in text
    assert text.partition("plain.toml: ")[2].startswith(message)


def test_a_misspelt_required_key_is_one_problem(write: Write, task_text: str) -> None:
    text = refused(write(task_text.replace("temperature", "temprature")))
    assert text.endswith("did you mean 'temperature'?")


def test_counts_the_other_problems_and_puts_unknown_keys_first(write: Write, task_text: str) -> None:
    wrong = task_text.replace("version = 1", 'version = "1"').replace("temperature = 0.0", "tempo = 1")
    assert "sampling.tempo: unknown key" in refused(write(wrong))
    assert refused(write(wrong)).endswith("more in this file)")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("version = 1\ntitle = \n", "plain.toml:2: not valid TOML: Invalid value (column 9)"),
        ("version = 1\n\n[dataset\n", "plain.toml:3: not valid TOML: "),
        ('title = """\nnever closed\n', "plain.toml:2: not valid TOML: "),
        ("version = 1\nversion = 2\n", "plain.toml:2: not valid TOML: Cannot overwrite a value (column 12)"),
        ("", "plain.toml: version: this key is required and missing"),
    ],
)
def test_bad_toml_names_file_and_line(write: Write, text: str, place: str) -> None:
    assert place in refused(write(text))


def test_unreadable_files_are_named(folder: Path) -> None:
    path = folder / "tasks" / "sums" / "plain.toml"
    path.write_bytes(b'title = "\xff"\n')
    assert "plain.toml: not UTF-8: byte 9 is 0xff" in refused(Catalog.load([folder]))
    catalog = Catalog.load([folder])
    path.unlink()
    assert "plain.toml: cannot be read: No such file or directory" in refused(catalog)


def test_a_byte_order_mark_does_not_matter(write: Write, task_text: str) -> None:
    assert write("\ufeff" + task_text).task("sums/plain").version == 1


def test_messages_show_paths_below_the_working_directory_as_relative(
    write: Write, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = write("versoin = 1")
    monkeypatch.chdir(folder)
    assert refused(catalog).startswith("tasks/sums/plain.toml: versoin: ")


def test_every_conversion_that_msgspec_refuses_is_explained(tmp_path: Path, task_text: str) -> None:
    """Replace each value of a full document by values of other types: no message may fall back to msgspec's own."""
    path = tmp_path / "full.toml"
    path.write_text(
        task_text + '[extraction]\nafter = "x"\ncut = ["y"]\n[reference]\ntext = "t"\n[texts.a]\nname = "a"\n'
        'source = "file:a"\nsha256 = ""\n'
    )
    document = read_toml(path)
    tried = 0
    for place in _leaves(document):
        for value in ("text", 3, 2.5, True, [], [None], {"a": 1}, None):
            changed = msgspec.json.decode(msgspec.json.encode(document))
            target = changed
            for part in place[:-1]:
                target = target[part]
            target[place[-1]] = value
            try:
                msgspec.convert(changed, Task, strict=True)
            except msgspec.ValidationError:
                tried += 1
                with pytest.raises(SpecError) as caught:
                    convert(changed, Task, path)
                assert "$" not in str(caught.value)
                assert str(place[0]) in str(caught.value)
    assert tried > 50


def _leaves(value: object, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    here = [place] if place else []
    if isinstance(value, dict):
        return here + [leaf for key, item in value.items() for leaf in _leaves(item, (*place, key))]
    if isinstance(value, list):
        return here + [leaf for index, item in enumerate(value) for leaf in _leaves(item, (*place, index))]
    return here

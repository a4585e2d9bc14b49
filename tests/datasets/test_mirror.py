import json
import os

import pytest

from harness.datasets import DataStore
from harness.errors import DataError
from harness.types import DatasetPin


@pytest.mark.parametrize("named", ["ours.jsonl", "ours.jsonl.gz"])
@pytest.mark.parametrize("kept", ["ours.jsonl", "ours.jsonl.gz"])
def test_a_mirror_is_searched_by_name_with_or_without_gz(cache, tmp_path, body, packed, make_pin, named, kept, put):
    put(tmp_path / "mirror" / "deep" / "down" / kept, packed if kept.endswith(".gz") else body)
    store = DataStore([tmp_path / "mirror"], cache, offline=True)
    pin = make_pin(f"url:https://data.invalid/v1/{named}")
    assert store.locate(pin) == f"mirror: {tmp_path}/mirror/deep/down/{kept}"
    path = store.fetch(pin)
    assert path.name == "ours.jsonl"
    assert path.read_bytes() == body


def test_namesakes_are_told_apart_by_their_bytes(cache, tmp_path, body, make_pin, put):
    put(tmp_path / "a" / "test.jsonl", b"{}\n")
    put(tmp_path / "b" / "test.jsonl.gz", b"\x1f\x8bbroken")
    put(tmp_path / "c" / "test.jsonl", body)
    os.mkfifo(tmp_path / "b" / "test.jsonl")  # opening it would wait for ever
    (tmp_path / "c" / "loop").symlink_to(tmp_path)
    store = DataStore([tmp_path], cache, offline=True)
    assert store.bytes(make_pin("url:https://data.invalid/test.jsonl")) == body


def test_a_renamed_file_is_found_by_its_bytes_and_remembered(cache, tmp_path, body, packed, make_pin, monkeypatch, put):
    put(tmp_path / "mirror" / "renamed.bin", packed)
    put(tmp_path / "mirror" / "other.bin", b"other")
    pin = make_pin("url:https://data.invalid/ours.jsonl")
    assert DataStore([tmp_path / "mirror"], cache, offline=True).locate(pin) is not None
    hashed = []
    monkeypatch.setattr("harness.datasets.mirror.plain_digest", lambda path: hashed.append(path) or "")
    store = DataStore([tmp_path / "mirror"], cache, offline=True)
    assert store.bytes(pin) == body
    assert hashed == []


def test_a_mirror_file_that_changed_since_it_was_indexed_is_not_believed(cache, tmp_path, body, make_pin, put):
    path = put(tmp_path / "mirror" / "ours.jsonl", body)
    pin = make_pin("url:https://data.invalid/ours.jsonl")
    store = DataStore([tmp_path / "mirror"], cache, offline=True)
    assert store.locate(pin) == f"mirror: {path}"
    path.write_bytes(b"changed")
    with pytest.raises(DataError) as caught:
        store.fetch(pin)
    assert "of that name there are 1, with other bytes" in str(caught.value)
    assert not list(cache.glob("data/*/*"))


def test_a_broken_index_is_rebuilt(cache, tmp_path, body, make_pin, put):
    put(tmp_path / "mirror" / "x", body)
    for broken in (b"{", b"[]", json.dumps({"x": 1}).encode()):
        put(cache / "mirror-index.json", broken)
        store = DataStore([tmp_path / "mirror"], cache, offline=True)
        assert store.locate(make_pin("url:https://data.invalid/ours.jsonl")) is not None


def test_a_mirror_goes_before_the_source(server, cache, tmp_path, body, make_pin, put):
    put(tmp_path / "mirror" / "ours.jsonl", body)
    store = DataStore([tmp_path / "absent", tmp_path / "mirror"], cache)
    assert store.bytes(make_pin("url:" + server.url("/ours.jsonl", lambda h, _: h.reply(body)))) == body
    assert server.asked == []


def test_mirrors_searched_in_vain_are_named(cache, tmp_path, make_pin):
    store = DataStore([tmp_path / "absent"], cache, offline=True)
    with pytest.raises(DataError, match=r"not in the mirrors either: \S+absent \(no such folder\)"):
        store.fetch(make_pin("url:https://data.invalid/ours.jsonl"))


def test_the_published_data_work_as_a_mirror(mirror, cache, humaneval, make_task):
    """GSM8K's test set: `test.jsonl` at its origin, one of several files of that name in a mirror."""
    pin = DatasetPin(
        name="gsm8k",
        source="url:https://data.invalid/grade_school_math/data/test.jsonl",
        sha256="3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
        records=1319,
    )
    store = DataStore([mirror], cache, offline=True)
    samples = store.samples(make_task(pin))
    assert [samples[0].id, samples[-1].id] == ["0", "1318"]
    assert set(samples[0].record) == {"question", "answer"}
    assert (
        DataStore([mirror], cache, offline=True).locate(humaneval) == f"mirror: {mirror}/humaneval/HumanEval.jsonl.gz"
    )


def test_one_of_many_model_outputs_is_found(mirror, cache):
    pin = DatasetPin(
        name="phi-2",
        source="url:https://data.invalid/model_outputs.json",
        sha256="c29b1e1df602fafc08608269f86c045db5b73f3dd3c3ad37be73232259ec1525",
        records=803,
        format="json",
    )
    assert DataStore([mirror], cache, offline=True).records(pin)[0]["generator"] == "phi-2"

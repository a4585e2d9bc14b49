"""Downloads by several processes, and by one that is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.errors import DataError

PATH = "/data/ours.jsonl"


def leftovers(cache):
    """What lies in the cache besides locks, stamps and whole files."""
    return [p.name for p in cache.rglob("*") if p.is_file() and p.suffix in (".part", ".tmp", ".json")]


def ranges(server):
    return [headers.get("Range") for _, headers in server.asked]


FETCH = """
import sys
from pathlib import Path
from harness.datasets import DataStore
from harness.types import DatasetPin
cache, url, sha256 = sys.argv[1:]
pin = DatasetPin(name="ours", source="url:" + url, sha256=sha256)
print(DataStore([], Path(cache)).bytes(pin).count(b"\\n"))
"""


def start(cache: Path, url: str, sha256: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, str(cache), url, sha256], stdout=subprocess.PIPE, text=True, env=environment
    )


def test_two_processes_download_once_between_them(server, cache, body, make_pin):
    def slow(handler, seen):
        time.sleep(0.3)
        handler.reply(body)

    pin = make_pin("url:" + server.url(PATH, slow))
    both = [start(cache, server.url(PATH), pin.sha256) for _ in range(2)]
    assert [(one.communicate(timeout=60)[0], one.returncode) for one in both] == [("400\n", 0)] * 2
    assert len(server.asked) == 1
    assert leftovers(cache) == []


def test_a_download_killed_in_the_middle_is_resumed(server, store, cache, body, make_pin):
    hold = threading.Event()

    def stall(handler, seen):
        start_ = handler.start_of_range()
        if start_:
            return handler.reply(body[start_:], 206, Content_Range=f"bytes {start_}-{len(body) - 1}/{len(body)}")
        handler.reply(body[:100_000], length=len(body), ETag='"v1"')
        hold.wait(30)
        return None

    pin = make_pin("url:" + server.url(PATH, stall))
    part = cache / "partial" / f"{pin.sha256}.part"
    process = start(cache, server.url(PATH), pin.sha256)
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size == 100_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    hold.set()
    assert process.returncode == -signal.SIGKILL
    assert store.bytes(pin) == body
    assert ranges(server) == [None, "bytes=100000-"]
    assert server.asked[1][1]["If-Range"] == '"v1"'
    assert leftovers(cache) == []


def test_a_part_of_another_url_is_not_continued(server, store, cache, body, make_pin):
    cut = make_pin("url:" + server.url("/one.jsonl", lambda h, _: h.reply(b"y" * 500, length=len(body))))
    with pytest.raises(DataError):
        store.fetch(cut)
    other = make_pin("url:" + server.url("/two.jsonl", lambda h, _: h.reply(body)))
    server.asked.clear()
    assert store.bytes(other) == body
    assert ranges(server) == [None]

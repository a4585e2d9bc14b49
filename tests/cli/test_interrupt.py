"""Signals to the command as a process: it ends cleanly, says how to resume, and the same command resumes."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.cli import main

ANSWER_SECONDS = 0.4


class _Handler(BaseHTTPRequestHandler):
    """A server that thinks for a moment about every question and knows one answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._reply({"object": "list", "data": [{"id": "slow", "object": "model"}]})

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["prompt"]
        if self.path != "/v1/completions":
            self._reply({"error": "no such path"}, status=404)
            return
        self.server.questions.append(question)  # type: ignore[attr-defined]
        time.sleep(ANSWER_SECONDS)
        choice = {"index": 0, "text": "Paris", "finish_reason": "stop"}
        self._reply({"id": "1", "object": "text_completion", "model": "slow", "choices": [choice]})

    def _reply(self, document: dict[str, object], status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the standard library
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as made:
        made.daemon_threads = True
        made.questions = []  # type: ignore[attr-defined]
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def _answered(root: Path) -> bool:
    return any(journal.stat().st_size for journal in root.glob("runs/*/*/*/*/completions.jsonl"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_cleanly_and_the_same_command_resumes(
    number: signal.Signals, server: ThreadingHTTPServer, capitals: Path, tmp_path: Path
) -> None:
    model = f"http://127.0.0.1:{server.server_address[1]}/v1#slow"
    command = [sys.executable, "-m", "harness", "run", "--model", model, "--task", "capitals/plain", "--format", "raw"]
    command += ["--catalog", str(capitals), "--runs", str(tmp_path / "runs"), "--concurrency", "1", "--json"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not _answered(tmp_path) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    document = json.loads(out)
    assert (document["status"], document["exit"]) == ("interrupted", 130)
    assert "interrupted; resume with: harness run --model" in err

    (cell,) = document["cells"]
    assert 0 < cell["done"] < cell["expected"] == 4
    resumed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert resumed.returncode == 0, resumed.stderr
    (whole,) = json.loads(resumed.stdout)["cells"]
    assert (whole["path"], whole["done"], whole["estimates"][0]["value"]) == (cell["path"], 4, 0.25)
    asked = server.questions  # type: ignore[attr-defined]
    assert len(asked) == len(set(asked)) == 4


def test_ctrl_c_while_python_is_loading(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Pressed:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "harness.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "harness.cli.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Pressed(), *sys.meta_path])
    assert main(["--help"]) == 130
    assert capsys.readouterr().err == "error: interrupted — run the same command again\n"

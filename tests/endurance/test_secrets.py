"""Secrets planted everywhere: none reaches the jail, a process list of ours, a file, or what is printed."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.sandbox import probe
from tests.endurance.test_kills import descendants

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
SERVER = Path(__file__).with_name("telltale_endpoint.py")
ENVIRONMENT = {
    "OPENAI_API_KEY": "sk-kanarie-openai-1",
    "HARNESS_ENDPOINT_KEY": "sk-kanarie-endpoint-2",
    "HF_TOKEN": "hf_kanarie_3",
    "AWS_SECRET_ACCESS_KEY": "kanarie/aws+4",
    "DATABASE_PASSWORD": "kanarie database 5",
}
PASSWORD, QUERY = "kanarie@pass/6", "sk-kanarie-query-7"
LOGIN = f"me:{urllib.parse.quote(PASSWORD, safe='')}"


def spellings() -> list[bytes]:
    """All ways in which a planted secret may be written."""
    found = {*ENVIRONMENT.values(), PASSWORD, QUERY}
    found |= {urllib.parse.quote(one, safe="") for one in found} | {urllib.parse.quote(one) for one in found}
    found |= {json.dumps(one)[1:-1] for one in found} | {repr(one)[1:-1] for one in found}
    found |= {base64.b64encode(f"me:{PASSWORD}".encode()).decode(), "kanarie"}
    return [one.encode() for one in sorted(found, key=len, reverse=True)]


@contextlib.contextmanager
def endpoint() -> Iterator[int]:
    with subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


class Shell:
    """Runs the command where secrets lie about, and keeps every byte that it prints."""

    def __init__(self, catalog: Path, folder: Path) -> None:
        self.words = ["--catalog", str(catalog)]
        self.folder = folder
        self.runs = ["--runs", str(folder / "runs")]
        self.said: list[tuple[str, bytes]] = []
        self.base = ""
        self.environment = {**os.environ, **ENVIRONMENT, "HARNESS_CACHE": str(folder / "cache"), "HOME": str(folder)}

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        environment = {**self.environment, "OPENAI_BASE_URL": self.base}
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=self.folder,
        )

    def __call__(self, *words: str) -> int:
        out, err = self.start(*words).communicate(timeout=120)
        self.said += [(f"stdout of {words}", out), (f"stderr of {words}", err)]
        return 0

    def run(self, model: str, *more: str, task: str = "numbers/plain") -> tuple[int, bytes]:
        tries = ["--tries", "2", "--timeout", "10"]
        process = self.start("run", "--model", model, "--task", task, *tries, *self.runs, *self.words, *more)
        out, err = process.communicate(timeout=120)
        self.said += [(f"stdout of {model} {more}", out), (f"stderr of {model} {more}", err)]
        return process.returncode, out + err


@pytest.fixture
def shell(numbers: Callable[[int], Path], sums: Callable[[int], Path], tmp_path: Path) -> Shell:
    catalog = numbers(12)
    assert sums(4) == catalog
    (tmp_path / "work").mkdir()
    return Shell(catalog, tmp_path / "work")


def test_no_secret_leaves(shell: Shell) -> None:
    with endpoint() as port:

        def url(mode: str, login: str = LOGIN) -> str:
            return f"http://{login}@127.0.0.1:{port}/{mode}/v1?api_key={QUERY}&v=1"

        shell.base = url("good")
        if probe().level is not None:
            code, said = shell.run(f"{url('good')}#mock", "--json", task="own/human-eval")
            assert code == 0, said
            (cell,) = json.loads(said[: said.rindex(b"}") + 1].decode().partition("\n\n")[0])["cells"]
            assert cell["estimates"][0]["value"] == 1.0, "a program found a secret in the jail"
        watch(shell, f"{url('good')}#mock")
        assert shell.run(f"{url('good')}#mock", "--report", str(shell.folder / "report"), "--json")[0] == 0
        code, said = shell.run("openai:mock")
        assert code == 0, said
        code, said = shell.run(f"{url('bad')}#mock", "--json", "--debug")
        assert code == 3, said
        assert b"wrong-model" in said
        shell.base = url("bad")
        code, said = shell.run("openai:mock", "--seed", "1", "--debug")
        assert code == 3, said
        for mode, model in (("closed", "#mock"), ("moved", "openai:mock"), ("closed", "openai:mock"), ("absent", "#m")):
            shell.base = url(mode)
            model = model if model.startswith("openai") else url(mode) + model
            assert shell.run(model, "--debug", "--json", "--seed", "2")[0] in (0, 1, 3)
    for model in (url("good"), f"http://{LOGIN}@127.0.0.1:port/v1", f"{LOGIN}@127.0.0.1:{port}", f"replay:{url('x')}"):
        assert shell.run(model, "--debug", "--json")[0] in (1, 64)
    shell("run", "--modle", url("good"), "--task", url("good"), "--debug", "--json")
    shell("doctor", "--json", *shell.words)
    shell("show", "mock/numbers/plain", *shell.runs, *shell.words)
    shell("score", "mock/numbers/plain", *shell.runs, *shell.words, "--json")
    errors = b"".join(path.read_bytes() for path in shell.folder.rglob("errors.jsonl"))
    assert errors.count(b"\n") >= 24  # they failed in every way, and were journaled

    for name, printed in shell.said:
        assert found_in(printed) is None, f"{name} shows a secret: {found_in(printed)!r}"
    files = [path for path in shell.folder.rglob("*") if path.is_file()]
    assert {"manifest.json", "completions.jsonl", "errors.jsonl", "lock"} <= {path.name for path in files}
    for path in files:
        assert found_in(path.read_bytes()) is None, f"{path} holds a secret: {found_in(path.read_bytes())!r}"


def watch(shell: Shell, model: str) -> None:
    """Look at the processes of a run, and kill it, so that its lock keeps what it says."""
    process = shell.start("run", "--model", model, "--task", "own/human-eval", "--seed", "9", *shell.runs, *shell.words)
    seen, deadline = 0, time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        for pid in descendants(process.pid):
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                environ = Path(f"/proc/{pid}/environ").read_bytes() if b"sandbox" in command else b""
                seen += b"sandbox" in command
                assert found_in(command) is None, f"a process of ours shows a secret: {command!r}"
                assert found_in(environ) is None, f"a jailed process holds a secret: {environ!r}"
        if any(path.stat().st_size for path in shell.folder.rglob("lock")):
            break
    process.send_signal(signal.SIGKILL)
    shell.said += zip(("stdout of the watched", "stderr of the watched"), process.communicate(), strict=True)
    assert seen or probe().level is None


def found_in(data: bytes) -> bytes | None:
    for secret in spellings():
        place = data.find(secret)
        if place >= 0:
            return data[max(0, place - 60) : place + 60]
    return None

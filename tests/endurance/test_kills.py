"""Fifty times ``kill -9``: of the harness, of the sandbox's zygotes and of the programs they run, at random moments.

The endpoint's log and the journal are compared key by key; the result is that of a run that nobody disturbed.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.sandbox import probe
from harness.store import CellView, find_cells

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SERVER = Path(__file__).with_name("faulty_endpoint.py")
ITEMS = 160
CONCURRENCY = 4
WORKERS = 2
KINDS = ("harness", "zygote", "program")
KILLS = 42
"""While it asks and scores; a third of them of each kind."""
RESCORING_KILLS = 8


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    """Asked when a test runs, so that collecting starts no process."""
    probed = probe()
    if probed.level is None:
        pytest.skip(f"no sandbox works here, so no code is executed: {probed.reason}")


@pytest.fixture
def catalog(sums: Callable[[int], Path]) -> Path:
    """A task of our own whose programs are at work for a moment."""
    return sums(ITEMS)


@contextlib.contextmanager
def endpoint(log: Path) -> Iterator[str]:
    log.touch()
    command = [sys.executable, str(SERVER), str(log), "0", "0.03", "code"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1#mock"
        finally:
            server.kill()


class Machine:
    """The command, and whom of its processes to kill."""

    def __init__(self, catalog: Path, model: str, said: Path) -> None:
        self.model = model
        self.said = said
        said.touch()
        self.catalog = catalog
        self.moments = random.Random(16)  # the moments differ with the machine's load all the same

    def run(self, runs: Path) -> list[str]:
        words = ["run", "--model", self.model, "--task", "own/human-eval", "--concurrency", str(CONCURRENCY)]
        return self._command([*words, "--runs", str(runs)])

    def score(self, cell: Path) -> list[str]:
        return self._command(["score", str(cell)])

    def _command(self, words: list[str]) -> list[str]:
        more = ["--catalog", str(self.catalog), "--workers", str(WORKERS), "--json"]
        return [sys.executable, "-m", "harness", *words, *more]

    def finish(self, runs: Path) -> CellView:
        """Run to the end; what two kills in a row left unscored takes the same command once more."""
        for _ in range(3):
            done = subprocess.run(self.run(runs), capture_output=True, text=True, timeout=200, check=False)
            if done.returncode != 3:
                break
        assert done.returncode == 0, done.stderr
        (cell,) = json.loads(done.stdout)["cells"]
        assert (cell["state"], cell["done"], cell["unscored"]) == ("complete", ITEMS, 0)
        (view,) = find_cells(runs)
        return view

    def killed(self, command: list[str], kinds: list[str]) -> list[str]:
        """Run a command until it ends well, killing what ``kinds`` names in that order; returns who is left."""
        left = list(kinds)
        while left:
            begun = self.said.stat().st_size
            with self.said.open("ab") as stderr:
                process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
            deadline = time.monotonic() + 60
            try:
                if left[0] == "harness":  # anywhere, starting up included
                    time.sleep(self.moments.uniform(0.2, 2.5))
                while left[0] != "harness" and process.poll() is None:  # else at work: the jail has proven itself
                    time.sleep(0.02)
                    if b"attempts" in self.said.read_bytes()[begun:]:
                        break
                while left and process.poll() is None:
                    assert time.monotonic() < deadline, f"it hangs, or has no {left[0]} to kill"
                    time.sleep(self.moments.uniform(0.01, 0.2))
                    if left[0] == "harness":
                        family = descendants(process.pid)
                        process.kill()
                        process.wait()
                        left.pop(0)
                        gone(family)
                    elif kill_one(process.pid, left[0], self.moments):
                        left.pop(0)
                        deadline = time.monotonic() + 60
            finally:
                process.kill()
                process.wait()
            assert process.returncode in (0, 3, -signal.SIGKILL), self.said.read_text()
            if process.returncode == 0:
                break
        return left


def test_fifty_kills_change_nothing(catalog: Path, tmp_path: Path) -> None:
    log = tmp_path / "requests.log"
    with endpoint(log) as model:
        machine = Machine(catalog, model, tmp_path / "stderr")
        view = machine.finish(tmp_path / "plain")
        expected = content(view)
        kinds = [kind for kind in KINDS for _ in range(KILLS // len(KINDS))]
        machine.moments.shuffle(kinds)
        while kinds:  # one run may end before everybody is killed
            log.write_text("")
            runs = tmp_path / f"killed-{len(kinds)}"
            left = machine.killed(machine.run(runs), kinds)
            view = machine.finish(runs)
            assert content(view) == expected
            check_asked(log, view, kinds[: len(kinds) - len(left)].count("harness"))
            kinds = left

    before = log.read_text()
    kinds = [KINDS[n % len(KINDS)] for n in range(RESCORING_KILLS)]
    while kinds:
        kinds = machine.killed(machine.score(view.path), kinds)
        assert content(view) == expected  # a scoring that died left the one before in its place
    done = subprocess.run(machine.score(view.path), capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert content(view) == expected
    assert log.read_text() == before  # scoring asks no model


def check_asked(log: Path, view: CellView, killed: int) -> None:
    """Compare the endpoint's log and the journal by key."""
    asked = Counter(line.split()[0] for line in log.read_text().splitlines())
    journal = Counter(one.sample.removeprefix("sums/") for one in view.completions())
    assert journal == {str(n): 1 for n in range(ITEMS)}  # 0 lost, 0 doubled
    assert asked.keys() == journal.keys()
    assert (asked - journal).total() <= killed * CONCURRENCY, "more was asked twice than was in flight"


def content(view: CellView) -> tuple[Any, ...]:
    """What must not depend on who was killed."""
    completions = {one.sample: (one.attempt, one.turn, one.prompt, one.text, one.seed) for one in view.completions()}
    (score_id,) = view.scorings()
    rows = list(view.scores(score_id))
    scores = {one.sample: (one.metric, one.value, one.reason) for one in rows}
    assert len(rows) == len(scores) == len(completions) == ITEMS
    return completions, scores, view.estimates(score_id)


def descendants(root: int) -> dict[int, int]:
    """Process -> its parent, of all below ``root``."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found: dict[int, int] = {}
    rings = [root]
    while rings:
        rings = [pid for pid, parent in parents.items() if parent in rings]
        found.update((pid, parents[pid]) for pid in rings)
    return found


def jailed(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"sandbox.inside" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def kill_one(root: int, kind: str, moments: random.Random) -> bool:
    """Kill a random zygote, or a random process that a zygote forked; False where there is none this moment."""
    family = {pid: parent for pid, parent in descendants(root).items() if jailed(pid)}
    forks = [pid for pid, parent in family.items() if parent in family]
    chosen = forks if kind == "program" else [family[pid] for pid in forks]  # a zygote at work, not one that starts
    if not chosen:
        return False
    try:
        os.kill(moments.choice(chosen), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def gone(family: dict[int, int]) -> None:
    """Nothing that a dead harness started goes on."""
    deadline = time.monotonic() + 10
    left = set(family)
    while left and time.monotonic() < deadline:
        left = {pid for pid in left if jailed(pid)}
        time.sleep(0.02)
    assert not left, f"processes {left} outlive the harness"

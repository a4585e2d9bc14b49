"""A score does not depend on load: the same samples on an idle machine, a busy one, a crowded one and a single core.

All benign controls, and of every group of attacks each sixth and those that are closest to a limit; all of them with
``HARNESS_TEST_EVERY=1``, which takes ten minutes.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.sandbox.attacks import prepared
from harness.scorers.code.human_eval import HumanEval
from tests.sandbox.hostile.collection import BY_NAME, GROUPS
from tests.sandbox.hostile.grading import TASK, grade
from tests.sandbox.hostile.hiding import HIDING
from tests.sandbox.hostile.lab import Lab
from tests.sandbox.hostile.resources import RESOURCES
from tests.sandbox.hostile.test_benign import BENIGN

EVERY = int(os.environ.get("HARNESS_TEST_EVERY", "6"))
SECONDS = 240 if EVERY > 1 else 1200
_CLOSE = ("a loop", "a loop in C", "a sleep", "sleepless threads", "busy threads", "a stop", "recursion in C")
_FLOODS = {f"hostile: {attack.name}" for attack in (*RESOURCES, *HIDING)}


def programs() -> dict[str, tuple[str, str]]:
    """Name -> (problem, program)."""
    honest = {name: ("square", textwrap.dedent(program).strip() + "\n") for name, program in BENIGN.items()}
    # Close to the limit of half a second of processor time, on the right side of it.
    honest["much work"] = ("square", "def solve(n):\n    if n == 5: sum(range(4_000_000))\n    return n * n\n")
    with Lab(export=False) as place:
        canaries = place.canaries()
        chosen = [*(attack for group in GROUPS for attack in group[::EVERY]), *(BY_NAME[name] for name in _CLOSE)]
        hostile = {f"hostile: {attack.name}": (attack.problem, prepared(attack, canaries)) for attack in chosen}
    return {**honest, **hostile}


async def verdicts(work: dict[str, tuple[str, str]], workers: int) -> dict[str, tuple[float | None, str]]:
    async with HumanEval(TASK, workers=workers) as scorer:
        results = await asyncio.gather(*(grade(scorer, program, problem) for problem, program in work.values()))
    return {name: (value, _told(name, reason)) for name, (value, reason, _) in zip(work, results, strict=True)}


def _told(name: str, reason: str) -> str:
    """The reason of a verdict; which limit a flood spends first (time, memory, disk) is the machine's to say."""
    return "a limit" if name in _FLOODS and reason in ("error", "timeout") else reason


@contextmanager
def every_core_busy() -> Iterator[None]:
    cores = len(os.sched_getaffinity(0))
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * cores)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


@pytest.mark.slow
@pytest.mark.timeout(4 * SECONDS)
def test_verdicts_are_the_same_under_every_load(repository: Path) -> None:
    work = programs()
    idle = asyncio.run(verdicts(work, 2))
    assert {name for name, (value, _) in idle.items() if value == 1.0} == {n for n in work if "hostile: " not in n}
    assert None not in {value for value, _ in idle.values()}

    crowded = asyncio.run(verdicts(work, 16))
    assert crowded == idle, {name: (idle[name], crowded[name]) for name in idle if idle[name] != crowded[name]}

    with every_core_busy():
        busy = asyncio.run(verdicts(work, 2))
    assert busy == idle, {name: (idle[name], busy[name]) for name in idle if idle[name] != busy[name]}

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "work.json"
        file.write_text(json.dumps(work))
        core = str(min(os.sched_getaffinity(0)))
        done = subprocess.run(
            ["taskset", "-c", core, sys.executable, "-m", "tests.sandbox.hostile.test_hostile_load", str(file)],
            cwd=repository,
            env={**os.environ, "PYTHONPATH": str(repository)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    assert done.returncode == 0, done.stderr
    single = {name: (value, reason) for name, (value, reason) in json.loads(done.stdout).items()}
    assert single == idle, {name: (idle[name], single[name]) for name in idle if idle[name] != single[name]}


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[1]).read_text())
    json.dump(asyncio.run(verdicts(asked, 2)), sys.stdout)

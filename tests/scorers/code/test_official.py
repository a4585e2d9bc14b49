"""EvalPlus itself, where its package is.

``HARNESS_TEST_EVALPLUS`` names the Python of an environment with `evalplus`, which CI makes; else the one that runs the
tests is tried, and where that has none these tests are skipped.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError, SandboxError
from harness.sandbox import bwrap
from harness.scorers.code import official
from harness.scorers.code.official import Official
from harness.types import Completion, DatasetPin, Prompt, Reference, Sample, Sampling, Score, ScorerSpec, Stage, Task

ADD: dict[str, Any] = {
    "task_id": "Own/0",
    "prompt": "def add(a, b):\n",
    "entry_point": "add",
    "canonical_solution": "    return a + b\n",
    "base_input": [[1, 2], [0, 0]],
    "plus_input": [[n, n * n] for n in range(60)],
    "atol": 0,
}
# MBPP's data lose tuples in JSON; its problem 106 has one.
APPEND: dict[str, Any] = {
    "task_id": "Mbpp/106",
    "prompt": "",
    "entry_point": "add_lists",
    "canonical_solution": "def add_lists(items, given):\n    return tuple(list(given) + items)\n",
    "base_input": [[[5], [9, 10]]],
    "plus_input": {},
    "atol": 0,
}


def task(dataset: str = "humaneval") -> Task:
    return Task(
        name="own/evalplus-official",
        version=1,
        title="",
        metric="plus",
        stage="continuation",
        dataset=DatasetPin(name="own", source="file:x", sha256="5" * 64, id="task_id"),
        prompt=Prompt(turns=("{prompt}",), format="raw"),
        sampling=Sampling(temperature=0.0, max_new_tokens=10),
        scorer=ScorerSpec(name="evalplus", options={"dataset": dataset}),
        reference=Reference(text="{canonical_solution}", stage="continuation"),
    )


@pytest.fixture
def evalplus(monkeypatch: pytest.MonkeyPatch) -> None:
    named = os.environ.get("HARNESS_TEST_EVALPLUS")
    if not named and importlib.util.find_spec("evalplus") is None:
        pytest.skip("no evalplus: name the Python of an environment that has it with HARNESS_TEST_EVALPLUS")
    monkeypatch.setenv(official.VARIABLE, named or sys.executable)


@pytest.fixture
def walls() -> None:
    if bwrap.installed() is None:
        pytest.skip("bubblewrap is not installed")


async def grade(record: dict[str, Any], *texts: str, stage: Stage = "continuation") -> list[dict[str, Score]]:
    sample = Sample(id=record["task_id"], record=record)
    async with Official(task("mbpp" if "Mbpp" in sample.id else "humaneval"), workers=2) as scorer:
        assert scorer.sandbox == "namespaces"
        await scorer.self_test([sample])
        asked = [
            scorer.score(
                sample, [Completion(sample=sample.id, attempt=at, turn=0, prompt_sha256="", text=text, stage=stage)]
            )
            for at, text in enumerate(texts)
        ]
        return [{score.metric: score for score in scores} for scores in await asyncio.gather(*asked)]


@pytest.mark.usefixtures("evalplus", "walls")
@pytest.mark.slow
async def test_verdicts_are_evalplus_own() -> None:
    reference, late, early, slow = await grade(
        ADD,
        ADD["canonical_solution"],
        "    return a + b if a != 50 else 'no'\n",
        "    return a + b if (a, b) != (0, 0) else 1\n",
        "    while a == 1: pass\n    return a + b\n",
    )
    assert (reference["base"].value, reference["plus"].value, reference["plus"].reason) == (1.0, 1.0, "ok")
    assert (late["base"].value, late["plus"].value, late["plus"].reason) == (1.0, 0.0, "wrong")
    assert late["plus"].detail["call"] == 52
    assert late["plus"].detail["extra"] == "wrong"
    assert (early["base"].value, early["base"].detail["call"], early["plus"].value) == (0.0, 1, 0.0)
    assert early["plus"].detail["extra_call"] == 2
    # EvalPlus stops at the call that timed out, and calls that a failure.
    assert (slow["base"].value, slow["base"].reason) == (0.0, "wrong")
    assert reference["plus"].detail["evalplus"].startswith("0.3.")


@pytest.mark.usefixtures("evalplus", "walls")
@pytest.mark.slow
async def test_inputs_of_mbpp_get_back_what_json_lost() -> None:
    [found] = await grade(APPEND, APPEND["canonical_solution"])
    assert (found["base"].value, found["plus"].value) == (1.0, 1.0)


@pytest.mark.usefixtures("evalplus", "walls")
@pytest.mark.slow
async def test_what_a_program_does_stays_inside(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    spy = (
        "    import os, socket\n"
        f"    if os.path.exists({str(secret)!r}) or os.path.exists('/etc/passwd') or os.environ.get('USER_SECRET'):\n"
        "        return None\n"
        "    try:\n        socket.create_connection(('1.1.1.1', 53), 1)\n        return None\n"
        "    except OSError:\n        return a + b\n"
    )
    forger = (
        "    import os\n    for fd in range(1, 4):\n        for line in (b'x' * 70000, b'{\"id\":[]}', b'[]', b'{'):\n"
        "            try: os.write(fd, line + b'\\n')\n            except OSError: pass\n    return a + b\n"
    )
    os.environ["USER_SECRET"] = "1"
    try:
        seen, forged = await grade(ADD, spy, forger)
    finally:
        del os.environ["USER_SECRET"]
    assert seen["plus"].value == 1.0
    assert forged["plus"].value == 1.0


@pytest.mark.usefixtures("evalplus", "walls")
@pytest.mark.slow
async def test_a_program_that_ends_the_judge_costs_itself() -> None:
    killer = "    import ctypes, os\n    ctypes.CDLL(None).kill(-1, 9)\n"
    sample = Sample(id=ADD["task_id"], record=ADD)

    def completion(text: str) -> list[Completion]:
        return [
            Completion(sample=sample.id, attempt=0, turn=0, prompt_sha256="", text=text, stage="continuation")
        ]  # fmt: skip

    async with Official(task(), workers=1) as scorer:
        with pytest.raises(SandboxError, match="Own/0"):
            await scorer.score(sample, completion(killer))
        _, plus = await scorer.score(sample, completion(ADD["canonical_solution"]))
    assert plus.value == 1.0


async def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    # The standard library alone: no environment's packages.
    monkeypatch.setattr(official, "_LOOK", "import sys; sys.path[:] = sys.path[:3]\n" + official._LOOK)
    monkeypatch.delenv(official.VARIABLE, raising=False)
    with pytest.raises(HarnessError, match="has no package evalplus") as caught:
        await Official(task()).__aenter__()
    assert "wizard-harness[code]" in str(caught.value.remedy)


async def test_a_python_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(official.VARIABLE, "/nonexistent/python")
    with pytest.raises(HarnessError, match="HARNESS_EVALPLUS: /nonexistent/python is no Python"):
        await Official(task()).__aenter__()


@pytest.mark.usefixtures("evalplus")
@pytest.mark.slow
async def test_without_bubblewrap_only_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bwrap, "installed", lambda: None)
    with pytest.raises(SandboxError, match="bubblewrap") as caught:
        await Official(task()).__aenter__()
    assert "--unsafe-exec" in str(caught.value.remedy)
    async with Official(task(), workers=1, unsafe_exec=True) as scorer:
        assert scorer.sandbox == "unsafe"

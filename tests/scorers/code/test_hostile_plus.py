"""The hostile set where the calls are known beforehand: EvalPlus's rule, with extra inputs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.sandbox.attacks import prepared
from harness.sandbox.attacks.attack import PROBLEMS
from harness.scorers.code.plus import Plus
from harness.types import Completion, DatasetPin, Prompt, Sample, Sampling, ScorerSpec, Task
from tests.sandbox.hostile.collection import ATTACKS, BY_NAME
from tests.sandbox.hostile.grading import HONEST, SURVIVOR_SECONDS
from tests.sandbox.hostile.lab import Lab

CPU_SECONDS = 0.3
TASK = Task(
    name="hostile/plus",
    version=1,
    title="",
    dataset=DatasetPin(name="hostile", source="file:none.jsonl", sha256="0" * 64),
    prompt=Prompt(turns=("{prompt}",), format="raw"),
    sampling=Sampling(temperature=0.0, max_new_tokens=512),
    stage="program",
    scorer=ScorerSpec(name="plus", options={"call_cpu_seconds": CPU_SECONDS, "cpu_seconds": 2 * CPU_SECONDS}),
    metric="plus",
)
INPUTS: dict[str, tuple[list[Any], list[Any]]] = {
    "square": ([[1], [2], [3]], [[n] for n in range(4, 200)]),
    "half": ([[1], [2], [3]], [[n] for n in range(4, 200)]),
    "ordered": ([[[3, 1, 2]]], [[[n, 5, 4]] for n in range(100)]),
    "mapped": ([[1], [2], [3]], [[n] for n in range(4, 200)]),
    "member": ([[12], [49]], [[2 * n] for n in range(2, 100)]),
}


def sample(problem: str) -> Sample:
    base, extra = INPUTS[problem]
    asked = PROBLEMS[problem]
    record = {
        "prompt": asked.prompt,
        "canonical_solution": asked.solution,
        "entry_point": asked.entry_point,
        "base_input": base,
        "plus_input": extra,
        "atol": 0,
    }
    return Sample(id=problem, record=record)


async def values(scorer: Plus, problem: str, program: str) -> tuple[float | None, ...]:
    one = Completion(sample=problem, attempt=0, turn=0, prompt_sha256="", text=program, stage="program")
    try:
        return tuple(score.value for score in await scorer.score(sample(problem), [one]))
    except HarnessError:
        return (None,)


@pytest.mark.slow
async def test_no_attack_passes_and_none_reaches_the_host() -> None:
    passed: dict[str, object] = {}
    spoiled: dict[str, object] = {}
    with Lab() as place:
        canaries = place.canaries()
        queue = iter(ATTACKS)

        async def drain(scorer: Plus) -> None:
            for attack in queue:
                found = await values(scorer, attack.problem, prepared(attack, canaries))
                if found != (0.0, 0.0):
                    passed[attack.name] = found
                if (after := await values(scorer, "square", HONEST)) != (1.0, 1.0):
                    spoiled[attack.name] = after

        # Most of them wait for their limit: many at a time.
        async with Plus(TASK, workers=8) as scorer:
            await asyncio.gather(*(drain(scorer) for _ in range(8)))
        await asyncio.sleep(SURVIVOR_SECONDS)
        assert place.tripped() == set()
    assert (passed, spoiled) == ({}, {})
    assert {attack.problem for attack in ATTACKS} <= INPUTS.keys()
    assert len(BY_NAME) >= 80

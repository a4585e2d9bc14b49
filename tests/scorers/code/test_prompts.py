"""The prompts of the shipped tasks, byte for byte the golden texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.catalog import Catalog
from harness.prompts import requests
from harness.types import Generate, Sample

GOLDEN = Path(__file__).parents[2] / "golden" / "prompts"
PROBLEM = (
    "\nimport math\n\n\ndef area(r: float) -> float:\n"
    '    """ The area of a circle.\n    >>> area(1.0) > 3\n    True\n    """\n'
)
RECORD = {
    "prompt": PROBLEM,
    "text": "Write a function to find the area.",
    "test_list": ["assert area(0) == 0", "assert area(1) > 3", "assert area(2) > 12"],
}
ASKED = (
    "Write a function to find the area. Your code should satisfy the following assertion:\n"
    "```python\nassert area(0) == 0\n```"
)
SHOTS: list[dict[str, Any]] = [
    {
        "text": f"Write a function {name}.",
        "test_list": [f"assert f({name!r})", "assert f(1)", "assert f(2)"],
        "code": f"def f(a):\r\n  return {name!r}",
    }
    for name in ("one", "two", "three")
]


CASES = {
    "humaneval/zero-shot": "humaneval-zero-shot",
    "humaneval/wizardcoder": "humaneval-wizardcoder",
    "humaneval/chat": "chat-function",
    "humaneval-plus/evalplus-v0.1.10": "humaneval-plus-evalplus",
    "humaneval-plus/evalplus-v0.1.9": "humaneval-plus-evalplus",
    "humaneval-plus/evalplus-official": "humaneval-plus-evalplus",
    "humaneval-plus/wizardcoder": "humaneval-plus-wizardcoder",
    "humaneval-plus/chat": "chat-function",
    "mbpp/wizardcoder-500": "mbpp-wizardcoder-500",
    "mbpp/bigcode-3shot": "mbpp-bigcode-3shot",
    "mbpp/chat": "mbpp-chat",
    "mbpp-plus/v0.2.0": "humaneval-plus-evalplus",
    "mbpp-plus/v0.1.0": "humaneval-plus-evalplus",
    "mbpp-plus/evalplus-official": "humaneval-plus-evalplus",
    "mbpp-plus/wizardcoder": "mbpp-plus-wizardcoder",
    "mbpp-plus/chat": "chat-function",
}


@pytest.mark.parametrize(("task", "golden"), CASES.items())
def test_a_shipped_prompt(task: str, golden: str) -> None:
    spec = Catalog.load().task(task)
    (request,) = requests(
        spec,
        Sample(id="11", record={**RECORD, "shots": SHOTS, "asked": {"value": ASKED}}),
        attempt=0,
        turn=0,
        history=(),
        chat_format="raw",  # what a task pins, decides
        sampling=spec.sampling,
        seed=0,
        texts={},
    )
    assert isinstance(request, Generate)
    assert request.prompt == (GOLDEN / f"{golden}.txt").read_bytes().decode()


def test_every_code_task_of_the_catalog_is_among_them() -> None:
    shipped = {name for name in Catalog.load().tasks() if name.startswith(("humaneval", "mbpp"))}
    assert shipped == CASES.keys()

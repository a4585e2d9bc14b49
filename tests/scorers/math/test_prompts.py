"""The prompts of the shipped tasks, byte for byte the golden texts."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tomllib
from pathlib import Path

import pytest

from harness.catalog import Catalog
from harness.datasets import DataStore
from harness.prompts import requests
from harness.types import Generate, Sample

GOLDEN = Path(__file__).parents[2] / "golden" / "prompts"
QUESTION = "Mia has 12 boxes with {7} pens each and sells 5 pens. How many pens are left?"


@pytest.mark.parametrize(
    ("task", "golden"),
    [
        ("gsm8k/wizardmath-cot", "wizardmath-cot"),
        ("math/wizardmath-cot", "wizardmath-cot"),
        ("gsm8k/wizardmath-default", "wizardmath-default"),
        ("gsm8k/zero-shot-boxed", "zero-shot-boxed"),
        ("math/zero-shot-boxed", "zero-shot-boxed"),
        ("math-500/zero-shot-boxed", "zero-shot-boxed"),
    ],
)
def test_a_shipped_prompt(task: str, golden: str) -> None:
    spec = Catalog.load().task(task)
    (request,) = requests(
        spec,
        Sample(id="0", record={"question": QUESTION, "problem": QUESTION}),
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


FEW_SHOT = tomllib.loads((GOLDEN / "few-shot.toml").read_text())


@pytest.fixture
def mirrors(mirror: Path) -> list[Path]:
    """The mirror, and lm-eval's own files: its unpacked wheel (HARNESS_TEST_LM_EVAL) or the installed package."""
    unpacked = os.environ.get("HARNESS_TEST_LM_EVAL")
    return [mirror, *([Path(unpacked)] if unpacked else [])]


@pytest.mark.parametrize("task", FEW_SHOT)
def test_every_prompt_with_examples_of_others(task: str, mirrors: list[Path], tmp_path: Path) -> None:
    """Each prompt of the task, byte for byte as lm-eval builds it."""
    spec = Catalog.load().task(task)
    packaged = any(pin.source.startswith("package:lm-eval") for pin in spec.texts.values())
    if packaged and len(mirrors) == 1 and importlib.util.find_spec("lm_eval") is None:
        pytest.skip("no lm-eval: install it, or unpack its wheel and name the folder with HARNESS_TEST_LM_EVAL")
    data = DataStore(mirrors, tmp_path)
    texts = data.texts(spec)
    made = []
    for sample in data.samples(spec):
        (request,) = requests(
            spec,
            sample,
            attempt=0,
            turn=0,
            history=(),
            chat_format="raw",
            sampling=spec.sampling,
            seed=0,
            texts=texts,
        )
        assert isinstance(request, Generate)
        made.append(request.prompt or "")
    assert len(made) == FEW_SHOT[task]["prompts"]
    assert hashlib.sha256("\0".join(made).encode()).hexdigest() == FEW_SHOT[task]["sha256"]

"""Scorers of answers: exact match, and the rule behind WizardMath's published GSM8K numbers."""

from __future__ import annotations

import gzip
import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError, InstrumentError, SpecError
from harness.prompts import reference_text, requests
from harness.scorers import Scorer
from harness.scorers.answers import ExactMatch, WizardMathGsm8k, wizardmath_equal, wizardmath_number
from harness.types import (
    Completion,
    DatasetPin,
    Extraction,
    Generate,
    Prompt,
    Reference,
    Sample,
    Sampling,
    Score,
    ScorerSpec,
    Task,
)

WIZARDMATH = Path(__file__).parents[2] / "tasks" / "gsm8k" / "wizardmath-cot.toml"
STRIPPED = Extraction(strip=True)


def task(options: Mapping[str, Any], *, extraction: Extraction = STRIPPED, **more: Any) -> Task:
    return Task(
        name="demo/task",
        version=1,
        title="",
        dataset=DatasetPin(name="demo", source="file:demo.jsonl", sha256="0" * 64),
        prompt=Prompt(turns=("{q}",)),
        sampling=Sampling(temperature=0.0, max_new_tokens=8),
        extraction=extraction,
        scorer=ScorerSpec(name="exact-match", options=options),
        metric="correct",
        **more,
    )


def wizardmath() -> Task:
    spec = msgspec.convert(tomllib.loads(WIZARDMATH.read_text()), Task)
    return msgspec.structs.replace(spec, name="gsm8k/wizardmath-cot")


def reply(text: str, *, attempt: int = 0, turn: int = 0) -> Completion:
    return Completion(sample="0", attempt=attempt, turn=turn, prompt_sha256="", text=text)


def sample(number: int = 0, **record: Any) -> Sample:
    return Sample(id=str(number), record=record)


async def grade(scorer: Scorer, sample: Sample, *texts: str) -> Score:
    (score,) = await scorer.score(sample, [reply(text, turn=turn) for turn, text in enumerate(texts)])
    return score


# --- exact match -----------------------------------------------------------------------------------------------------


async def test_exact_match() -> None:
    spec = task({"gold": "{a}"}, slices=("level",))
    right = sample(a="yes", level=5)
    async with ExactMatch(spec) as scorer:
        assert scorer.sandbox is None
        assert await grade(scorer, right, " yes\n") == Score(
            sample="0",
            attempt=0,
            turn=0,
            metric="correct",
            value=1.0,
            reason="ok",
            extracted="yes",
            expected="yes",
            slices={"level": "5"},
        )
        wrong = await grade(scorer, right, "Yes")
        assert (wrong.value, wrong.reason, wrong.extracted) == (0.0, "wrong", "Yes")


async def test_no_answer() -> None:
    marked = task({"gold": "{a}"}, extraction=Extraction(after="A:"))
    for text in ("no marker", "A:", "A: \n"):
        score = await grade(ExactMatch(marked), sample(a="x"), text)
        assert (score.value, score.reason, score.extracted, score.expected) == (0.0, "no_answer", None, "x")


async def test_gold_after_and_case() -> None:
    spec = task({"gold": "{a}", "gold_after": "#### ", "ignore_case": True})
    score = await grade(ExactMatch(spec), sample(a="1 #### no #### Straße "), "STRASSE")
    assert (score.value, score.expected) == (1.0, "Straße")
    with pytest.raises(SpecError, match=r"demo/task: scorer\.options\.gold_after: '#### ' is not in the gold"):
        await grade(ExactMatch(spec), sample(a="none"), "x")


async def test_the_last_turn_is_graded() -> None:
    scorer = ExactMatch(task({"gold": "{a}"}))
    score = await grade(scorer, sample(a="two"), "one", "two")
    assert (score.value, score.turn) == (1.0, 1)
    (score,) = await scorer.score(sample(a="two"), [reply("two", attempt=3, turn=1), reply("one", attempt=3)])
    assert (score.value, score.turn, score.attempt) == (1.0, 1, 3)
    with pytest.raises(HarnessError, match="no completion to grade"):
        await scorer.score(sample(a="two"), [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gold": "{a}", "ignorecase": True}, r"demo/task: scorer\.options\.ignorecase: .* did you mean 'ignore_case'"),
        ({}, r"demo/task: scorer\.options: scorer 'exact-match' needs the option 'gold'"),
        ({"gold": 3}, r"demo/task: scorer\.options: Expected `str`, got `int` - at `\$\.gold`"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        ExactMatch(task(options))


async def test_wrong_tasks() -> None:
    with pytest.raises(SpecError, match="asks for likelihoods"):
        ExactMatch(task({"gold": "{a}"}, kind="loglikelihood"))
    with pytest.raises(SpecError, match="did you mean 'answer'"):
        await grade(ExactMatch(task({"gold": "{anwser}"})), sample(answer="x"), "x")
    with pytest.raises(SpecError, match="slices, sample '0': the record has no field 'levle' — did you mean 'level'"):
        await grade(ExactMatch(task({"gold": "{a}"}, slices=("levle",))), sample(a="x", level=1), "x")


async def test_self_test() -> None:
    samples = [sample(0, a="x", s="so x"), sample(1, a="x", s="so x"), sample(2, a="y", s="so y")]
    after = Extraction(after="so ")
    await ExactMatch(task({"gold": "{a}"}, extraction=after, reference=Reference(text="{s}"))).self_test(samples)
    await ExactMatch(task({"gold": "{a}"})).self_test(samples)
    await ExactMatch(task({"gold": "{a}"})).self_test([])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (task({"gold": "{a}"}, reference=Reference(text="{s}")), "sample '0' is graded 'wrong'"),
        (
            task({"gold": "{a}"}, extraction=Extraction(after="SO "), reference=Reference(text="{s}")),
            "graded 'no_answer'",
        ),
        # An extraction that answers by itself makes everything right.
        (
            task({"gold": "{t}"}, extraction=Extraction(cut=("x", "y")), reference=Reference(text="{s}")),
            "answer of sample '2' is graded right for sample '0'",
        ),
    ],
)
async def test_self_test_stops(spec: Task, message: str) -> None:
    samples = [
        sample(0, a="x", s="so x", t="so "),
        sample(1, a="x", s="so x", t="so "),
        sample(2, a="y", s="so y", t="z"),
    ]
    with pytest.raises(InstrumentError, match=message):
        await ExactMatch(spec).self_test(samples)


async def test_known_reference_failures_are_not_tested() -> None:
    spec = task({"gold": "{a}"}, reference=Reference(text="{s}"), known_reference_failures=("0",))
    await ExactMatch(spec).self_test([sample(0, a="x", s="wrong"), sample(1, a="y", s="y")])


# --- WizardMath ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("18", 18),
        ("$18.", 18),
        ("-3", -3),
        ("+7", 7),
        ("2,125", 2125),
        ("1,234,567", 1234),
        ("1 000", 1),
        ("3 dozen = 36", 3),
        ("1 1/2", 1),
        ("17.6", 18),
        ("2.5", 2),
        ("3.5", 4),
        ("-2.5", -2),
        ("0.5", 0),
        (".75", 1),
        ("1/2", 0),
        ("3/2", 2),
        ("5/2", 2),
        ("-7/2", -4),
        ("10/0", 10),
        ("1/00", None),
        ("/5", None),
        ("1/2/3", 0),
        ("1.2.3", 1),
        ("12%", 12),
        ("x = 4", 4),
        ("٣", 3),
        ("none", None),
        ("", None),
        ("9" * 400, None),
        ("1/" + "9" * 5000, None),
    ],
)
def test_wizardmath_number(text: str, number: int | None) -> None:
    assert wizardmath_number(text) == number


@settings(deadline=None)
@given(st.text())
def test_wizardmath_reads_any_text(text: str) -> None:
    number = wizardmath_number(text)
    assert number is None or any(character.isdecimal() for character in text)


@pytest.mark.parametrize(
    ("answer", "gold", "counts_as"),
    [
        (18, 18, "gold"),
        (5, 500, "gold/100"),
        (500, 5, "gold*100"),
        (100005, 100000, "gold"),
        (100011, 100000, None),
        (0, 0, "gold"),
        (0, 1, None),
        (1, 0, None),
        (-10, -10, "gold"),
        (10, -10, None),
        (10**300, 5, None),
    ],
)
def test_wizardmath_equal(answer: int, gold: int, counts_as: str | None) -> None:
    assert wizardmath_equal(answer, gold) == counts_as


@pytest.mark.parametrize(
    ("gold", "text", "value", "reason", "extracted"),
    [
        ("18", "Let us see.\nThe answer is: 18", 1.0, "ok", "18"),
        ("18", "The answer is:18", 0.0, "no_answer", None),
        ("18", "the answer is: 18", 0.0, "no_answer", None),
        ("18", "The answer is: eighteen", 0.0, "no_answer", "eighteen"),
        ("18", "The answer is: 3\nThe answer is: 18 or so", 1.0, "ok", "18"),
        ("18", "The answer is: 18\nThe answer is: 3", 0.0, "wrong", "3"),
        ("18", "The answer is: 17.6", 1.0, "ok", "18"),
        ("2", "The answer is: 2.5", 1.0, "ok", "2"),
        ("500", "The answer is: 5", 1.0, "ok", "5"),
        ("5", "The answer is: 500", 1.0, "ok", "500"),
        ("100,000", "The answer is: 100005", 1.0, "ok", "100005"),
        ("1,234,567", "The answer is: 1,234,567", 0.0, "wrong", "1234"),
        ("1000", "The answer is: 1 000", 0.0, "wrong", "1"),
        ("36", "The answer is: 3 dozen = 36", 0.0, "wrong", "3"),
    ],
)
async def test_wizardmath_replies(gold: str, text: str, value: float, reason: str, extracted: str | None) -> None:
    score = await grade(WizardMathGsm8k(wizardmath()), sample(answer=f"Steps.\n#### {gold}"), text)
    assert (score.value, score.reason, score.extracted) == (value, reason, extracted)
    assert score.expected == gold.replace(",", "")
    inexact = value == 1.0 and extracted != score.expected
    assert bool(score.detail.get("counts_as")) == inexact


async def test_wizardmath_gold_must_be_an_integer() -> None:
    with pytest.raises(SpecError, match="sample '0': 'many' is no integer"):
        await grade(WizardMathGsm8k(wizardmath()), sample(answer="#### many"), "The answer is: 3")
    with pytest.raises(SpecError, match="does not contain '#### '"):
        await grade(WizardMathGsm8k(wizardmath()), sample(answer="18"), "The answer is: 3")


async def test_wizardmath_self_test() -> None:
    samples = [sample(n, answer=f"Steps.\n#### {gold}") for n, gold in enumerate(["1,450,000", "-3", "300"])]
    await WizardMathGsm8k(wizardmath()).self_test(samples)
    plain = msgspec.structs.replace(wizardmath(), reference=Reference(text="{answer}\nThe answer is: {answer}"))
    with pytest.raises(InstrumentError, match="reference answer of sample '0'"):
        await WizardMathGsm8k(plain).self_test([sample(answer="2 and 2\n#### 4")])


# --- real data -------------------------------------------------------------------------------------------------------


@pytest.fixture
def gsm8k(mirror: Path) -> list[Sample]:
    data = gzip.decompress((mirror / "gsm8k" / "test.jsonl.gz").read_bytes())
    assert hashlib.sha256(data).hexdigest() == wizardmath().dataset.sha256
    samples = [Sample(id=str(row), record=json.loads(line)) for row, line in enumerate(data.splitlines())]
    assert len(samples) == wizardmath().dataset.records == 1319
    return samples


async def test_references_of_gsm8k(gsm8k: list[Sample]) -> None:
    spec = wizardmath()
    async with WizardMathGsm8k(spec) as scorer:
        await scorer.self_test(gsm8k)
        scores = [await grade(scorer, each, reference_text(spec, each)) for each in gsm8k]
    assert [score.sample for score in scores if score.value != 1.0] == []
    assert [score.sample for score in scores if score.detail] == []


async def test_metamath_13b_on_gsm8k(gsm8k: list[Sample], mirror: Path) -> None:
    """A file of others, made with this very prompt and graded by exact equality: 936 of 1319.

    WizardMath's rule grades every item the same but 466, where gold is 1 (dollar) and the reply says 100 (cents).
    """
    rows = json.loads(gzip.decompress((mirror / "gsm8k" / "gsm_plus" / "metamath_13b.json.gz").read_bytes()))
    spec = wizardmath()
    scorer = WizardMathGsm8k(spec)
    scores = [await grade(scorer, each, row["completion"]) for each, row in zip(gsm8k, rows, strict=True)]
    recorded = {str(number) for number, row in enumerate(rows) if row["result"]}
    by_us = {score.sample for score in scores if score.value}
    by_equality = {score.sample for score in scores if score.extracted == score.expected}
    assert len(recorded) == 936
    assert by_equality == recorded
    assert by_us - recorded == {"466"}
    assert recorded - by_us == set()
    assert scores[466].detail == {"counts_as": "gold*100"}
    for each, row in zip(gsm8k, rows, strict=True):
        (request,) = requests(
            spec,
            each,
            attempt=0,
            turn=0,
            history=(),
            chat_format="alpaca",
            sampling=spec.sampling,
            seed=0,
            texts={},
        )
        assert isinstance(request, Generate)
        assert request.prompt == row["input"]

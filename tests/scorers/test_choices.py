"""Multiple choice by log-likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from harness.errors import HarnessError, InstrumentError, SpecError
from harness.scorers import Scorer
from harness.scorers.choices import MultipleChoice
from harness.types import (
    Completion,
    DatasetPin,
    LogProbs,
    Prompt,
    Sample,
    Sampling,
    ScorerSpec,
    Task,
)

CHOICES = ["a long choice", "short", "mid size"]


def task(*, metric: str = "acc", kind: Any = "loglikelihood", choices: str | None = "choices", **options: Any) -> Task:
    return Task(
        name="demo/choices",
        version=1,
        title="",
        dataset=DatasetPin(name="demo", source="file:demo.jsonl", sha256="0" * 64),
        prompt=Prompt(turns=("{q}",), choices=choices),
        sampling=Sampling(temperature=0.0),
        kind=kind,
        scorer=ScorerSpec(name="multiple-choice", options={"gold": "gold", **options}),
        metric=metric,
        slices=("subject",),
    )


def sample(gold: Any = 0, choices: Any = CHOICES, **more: Any) -> Sample:
    return Sample(id="s", record={"q": "?", "choices": choices, "gold": gold, "subject": "art", **more})


def answers(totals: Sequence[float | None], choices: Sequence[str] = CHOICES) -> list[Completion]:
    return [
        Completion(
            sample="s",
            attempt=0,
            turn=turn,
            kind="loglikelihood",
            prompt_sha256="",
            text=text,
            logprobs=None if total is None else LogProbs(total=total, tokens=1, greedy=False),
        )
        for turn, (text, total) in enumerate(zip(choices, totals, strict=True))
    ]


async def grade(scorer: Scorer, sample: Sample, completions: list[Completion]) -> dict[str, float | None]:
    return {score.metric: score.value for score in await scorer.score(sample, completions)}


async def test_both_metrics() -> None:
    async with MultipleChoice(task()) as scorer:
        assert scorer.sandbox is None
        # By total "short" wins (-6), per character "a long choice" does (-7/13 against -6/5).
        scores = await scorer.score(sample(gold=0), answers([-7.0, -6.0, -8.0]))
    assert [(score.metric, score.value, score.reason, score.extracted) for score in scores] == [
        ("acc", 0.0, "wrong", "short"),
        ("acc_norm", 1.0, "ok", "a long choice"),
    ]
    assert all(score.expected == "a long choice" and score.slices == {"subject": "art"} for score in scores)
    assert scores[0].detail == {"chosen": 1, "gold": 0}


@pytest.mark.parametrize(("gold", "right"), [(0, 0), (2, 2), ("A", 0), ("c", 2)])
async def test_gold(gold: Any, right: int) -> None:
    totals = [-50.0, -50.0, -50.0]
    totals[right] = -0.1
    assert await grade(MultipleChoice(task()), sample(gold=gold), answers(totals)) == {"acc": 1.0, "acc_norm": 1.0}


@pytest.mark.parametrize("gold", [3, -1, "D", "1", "AB", True, None, 0.0, ["A"]])
async def test_gold_that_names_no_choice(gold: Any) -> None:
    with pytest.raises(SpecError, match=r"demo/choices: scorer\.options\.gold, sample 's': .* none of the 3 choices"):
        await grade(MultipleChoice(task()), sample(gold=gold), answers([-1.0, -2.0, -3.0]))


async def test_labels() -> None:
    scorer = MultipleChoice(task(labels="labels"))
    record = sample(gold="2", labels=["1", "2", "3"])
    assert (await grade(scorer, record, answers([-9.0, -1.0, -9.0])))["acc"] == 1.0
    for labels, message in ((["A", "B", "C"], "'2' names none"), ("ABC", "field 'labels' is no list")):
        with pytest.raises(SpecError, match=message):
            await grade(scorer, sample(gold="2", labels=labels), answers([-1.0, -2.0, -3.0]))


async def test_the_first_of_equals_counts() -> None:
    same = ["ab", "cd"]
    scorer = MultipleChoice(task())
    assert await grade(scorer, sample(0, same), answers([-1.0, -1.0], same)) == {"acc": 1.0, "acc_norm": 1.0}
    assert await grade(scorer, sample(1, same), answers([-1.0, -1.0], same)) == {"acc": 0.0, "acc_norm": 0.0}


async def test_length_of_a_choice() -> None:
    # "ééé" has 3 characters and 6 bytes; "abcd" has 4 of both.
    texts = ["ééé", "abcd"]
    completions = answers([-3.3, -4.0], texts)
    characters = await grade(MultipleChoice(task()), sample(0, texts), completions)
    counted = await grade(MultipleChoice(task(length="bytes")), sample(0, texts), completions)
    assert (characters["acc_norm"], counted["acc_norm"]) == (0.0, 1.0)
    # The space that separates a choice from the prompt is not measured: -2/2 against -2.9/3, not -2/3 against -2.9/4.
    spaced = [" ab", " abc"]
    scores = await grade(MultipleChoice(task()), sample(1, spaced), answers([-2.0, -2.9], spaced))
    assert scores["acc_norm"] == 1.0
    # Nor does an empty choice divide by zero.
    assert (await grade(MultipleChoice(task()), sample(0, ["", " "]), answers([-1.0, -2.0], ["", " "])))["acc"] == 1.0


async def test_choices_come_in_any_order_but_complete() -> None:
    scorer = MultipleChoice(task())
    completions = answers([-1.0, -20.0, -30.0])
    assert (await grade(scorer, sample(0), completions[::-1]))["acc"] == 1.0
    for missing in (completions[:2], completions[1:], []):
        with pytest.raises(HarnessError, match="of 3 choices were asked"):
            await scorer.score(sample(0), missing)


@pytest.mark.parametrize("total", [None, float("nan")])
async def test_a_missing_likelihood_is_the_instruments_fault(total: float | None) -> None:
    with pytest.raises(HarnessError, match="sample 's': choice 1 has no log-likelihood"):
        await MultipleChoice(task()).score(sample(0), answers([-1.0, total, -2.0]))


async def test_an_impossible_choice() -> None:
    scores = await grade(MultipleChoice(task()), sample(0), answers([-1.0, float("-inf"), float("-inf")]))
    assert scores == {"acc": 1.0, "acc_norm": 1.0}


async def test_self_test() -> None:
    scorer = MultipleChoice(task())
    await scorer.self_test([sample(0), sample("C"), sample(1, ["x" * 500, "y"]), sample(0, ["only"])])
    await scorer.self_test([sample(0, ["only"])])
    with pytest.raises(SpecError, match="did you mean 'golds'"):
        await scorer.self_test([Sample(id="s", record={"choices": CHOICES, "golds": 0})])


async def test_self_test_stops_where_choices_cannot_be_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = MultipleChoice(task())
    monkeypatch.setattr(scorer, "_totals", lambda sample, choices: [0.0] * len(choices))
    with pytest.raises(InstrumentError, match="demo/choices"):
        await scorer.self_test([sample(1)])


def test_wrong_tasks() -> None:
    with pytest.raises(SpecError, match="asks for replies"):
        MultipleChoice(task(kind="generate"))
    with pytest.raises(SpecError, match=r"demo/choices: metric: .* no 'accuracy'"):
        MultipleChoice(task(metric="accuracy"))
    with pytest.raises(SpecError, match=r"scorer\.options\.label: .*did you mean 'labels'"):
        MultipleChoice(task(label="x"))
    with pytest.raises(SpecError, match=r"scorer\.options: Invalid enum value 'tokens'"):
        MultipleChoice(task(length="tokens"))


async def test_wrong_choices() -> None:
    for choices, message in ((None, "names the field with its choices"), ("q", "field 'q' is no list of choices")):
        with pytest.raises(SpecError, match=message):
            await MultipleChoice(task(choices=choices)).score(sample(0), answers([-1.0, -2.0, -3.0]))

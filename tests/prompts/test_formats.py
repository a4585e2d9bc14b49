"""Chat formats: byte for byte the golden texts, and never a silent choice."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.errors import SpecError, UsageError
from harness.prompts import FORMATS, PINNED_TEMPLATE, requests, resolve_format
from harness.types import DatasetPin, Generate, Prompt, Sample, Sampling, ScorerSpec, Task

GOLDEN = Path(__file__).parent.parent / "golden" / "prompts"
FIRST = "Why is the sky blue at noon?"
SECOND = "And why is it red\nin the evening?"


def task(**prompt: object) -> Task:
    """A task with two fields ``q`` and ``r`` in its records."""
    return Task(
        name="demo/task",
        version=1,
        title="",
        dataset=DatasetPin(name="demo", source="file:demo.jsonl", sha256="0" * 64),
        prompt=msgspec.convert({"turns": ["{q}"], **prompt}, Prompt),
        sampling=Sampling(temperature=0.0, max_new_tokens=8),
        scorer=ScorerSpec(name="exact-match"),
        metric="correct",
    )


def prompt_of(
    task: Task, chat_format: str, *, history: tuple[str, ...] = (), q: str = FIRST, r: str = SECOND, **more: str
) -> str:
    (request,) = requests(
        task,
        Sample(id="0", record={"q": q, "r": r}),
        attempt=0,
        turn=len(history),
        history=history,
        chat_format=chat_format,
        sampling=task.sampling,
        seed=0,
        texts={},
        **more,
    )
    assert isinstance(request, Generate)
    assert request.messages is None
    assert request.prompt is not None
    return request.prompt


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.txt").read_bytes().decode()


@pytest.mark.parametrize("name", ["alpaca", "wizardlm-7b", "raw"])
def test_single_turn_formats(name: str) -> None:
    assert prompt_of(task(), name) == golden(name)


def test_vicuna() -> None:
    assert prompt_of(task(), "vicuna_v1.1") == golden("vicuna_v1.1-1-turn")
    both = task(turns=["{q}", "{r}"])
    assert prompt_of(both, "vicuna_v1.1") == golden("vicuna_v1.1-1-turn")
    # A server's reply opens with the space that the template already has; FastChat strips it too.
    for reply in ("Short waves scatter more.", " Short waves scatter more.\n"):
        assert prompt_of(both, "vicuna_v1.1", history=(reply,)) == golden("vicuna_v1.1-2-turns")


def test_wizardmath_cot() -> None:
    cot = task(format="alpaca", response_prefix=" Let's think step by step.")
    question = "Mia has 12 boxes with {7} pens each and sells 5 pens. How many pens are left?"
    assert prompt_of(cot, "alpaca", q=question) == golden("wizardmath-cot")
    assert prompt_of(cot, "raw", q=question) == golden("wizardmath-cot")  # what the task pins, decides


def test_pinned_template() -> None:
    template = golden("pinned-template").replace(FIRST, "{instruction}")
    pinned = task(template=template)
    assert resolve_format(pinned, requested=None, known=None, model="m") == PINNED_TEMPLATE
    assert prompt_of(pinned, PINNED_TEMPLATE) == golden("pinned-template")
    assert prompt_of(pinned, PINNED_TEMPLATE, q="{instruction} {q}").endswith("\n{instruction} {q}\n\n### Response:")
    prefixed = task(template="Q {instruction} A", response_prefix=": {x}")
    assert prompt_of(prefixed, PINNED_TEMPLATE) == f"Q {FIRST} A: {{x}}"


def test_an_empty_reply_is_rendered_as_fastchat_does() -> None:
    text = prompt_of(task(turns=["{q}", "{r}"]), "vicuna_v1.1", history=(" \n",), r="again")
    assert text.endswith(f"USER: {FIRST} ASSISTANT:USER: again ASSISTANT:")


def test_a_prefix_is_part_of_earlier_replies() -> None:
    both = task(turns=["{q}", "{r}"], response_prefix=" Well,")
    text = prompt_of(both, "vicuna_v1.1", history=(" yes.",), q="A?", r="B?")
    assert text.endswith("USER: A? ASSISTANT: Well, yes.</s>USER: B? ASSISTANT: Well,")


def test_system_text() -> None:
    assert prompt_of(task(system="Be {brief}."), "vicuna_v1.1") == f"Be {{brief}}. USER: {FIRST} ASSISTANT:"
    assert prompt_of(task(system=""), "vicuna_v1.1") == f"USER: {FIRST} ASSISTANT:"
    assert prompt_of(task(system="S."), "alpaca").startswith("S.\n\n### Instruction:\n")
    for name in ("raw", "wizardlm-7b"):
        with pytest.raises(SpecError, match=f"demo/task: prompt.system: chat format '{name}' has no place"):
            prompt_of(task(system="S."), name)
    with pytest.raises(SpecError, match="pins its whole template"):
        prompt_of(task(system="S.", template="{instruction}"), PINNED_TEMPLATE)


@pytest.mark.parametrize("name", ["raw", "alpaca", "wizardlm-7b"])
def test_a_second_turn_needs_a_form(name: str) -> None:
    both = task(turns=["{q}", "{r}"])
    with pytest.raises(SpecError, match=f"demo/task: chat format '{name}' has no form for a second turn"):
        prompt_of(both, name)
    with pytest.raises(SpecError, match=r"vicuna_v1\.1, tokenizer"):
        resolve_format(both, requested=name, known=None, model="m")


def test_a_pinned_template_has_one_turn_and_one_placeholder() -> None:
    with pytest.raises(SpecError, match="no form for a second turn"):
        prompt_of(task(turns=["{q}", "{r}"], template="{instruction}"), PINNED_TEMPLATE)
    for wrong in ("no placeholder", "{instruction} {q}", "{instructon}"):
        with pytest.raises(SpecError, match=r"must contain \{instruction\}"):
            prompt_of(task(template=wrong), PINNED_TEMPLATE)


def test_names() -> None:
    assert tuple(FORMATS) == ("vicuna_v1.1", "alpaca", "wizardlm-7b", "tokenizer", "raw")
    assert all(form.name == name for name, form in FORMATS.items())
    with pytest.raises(UsageError, match=r"unknown chat format 'vicuna'.*did you mean 'vicuna_v1\.1'"):
        prompt_of(task(), "vicuna")


def test_resolving() -> None:
    assert resolve_format(task(), requested="raw", known="alpaca", model="m") == "raw"
    assert resolve_format(task(), requested=None, known="alpaca", model="m") == "alpaca"
    assert resolve_format(task(format="alpaca"), requested=None, known="raw", model="m") == "alpaca"


def test_resolving_refuses() -> None:
    with pytest.raises(UsageError, match="nobody knows the chat format of model 'my-model'") as caught:
        resolve_format(task(), requested=None, known=None, model="my-model")
    assert "vicuna_v1.1|alpaca|wizardlm-7b|tokenizer|raw" in str(caught.value)
    with pytest.raises(UsageError, match=r"unknown chat format 'alpcaca'.*did you mean 'alpaca'"):
        resolve_format(task(), requested="alpcaca", known=None, model="m")
    for pinned in (task(format="alpaca"), task(template="{instruction}")):
        with pytest.raises(UsageError, match="demo/task pins its own prompt template"):
            resolve_format(pinned, requested="alpaca", known=None, model="m")
    with pytest.raises(SpecError, match=r"prompt\.format: unknown chat format 'alpaka'.*did you mean 'alpaca'"):
        resolve_format(task(format="alpaka"), requested=None, known=None, model="m")
    with pytest.raises(SpecError, match="remove one of them"):
        resolve_format(task(format="raw", template="{instruction}"), requested=None, known=None, model="m")

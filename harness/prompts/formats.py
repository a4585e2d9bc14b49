"""Chat formats: how a conversation becomes the text that a checkpoint was trained on.

Byte for byte as published; a space or a blank line more is another prompt. Sources: README and inference scripts of
nlpxucan/WizardLM@cd4b4cc; the multi-turn form is FastChat's ``vicuna_v1.1``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from harness.errors import SpecError, UsageError
from harness.spelling import suggestion
from harness.types import Task

PINNED_TEMPLATE = "task-template"
"""What `resolve_format` returns, and records hold, where the task brings its whole template."""

Render = Callable[[str, Sequence[str], Sequence[str]], str]
"""(system text, the user's turns so far, the model's replies so far: one fewer) -> prompt."""


class ChatFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How a conversation is written for a model.

    Attributes:
        name: As ``--format`` and records name it.
        render: From (system, turns, replies) to the prompt; None: the checkpoint's own template does it.
        system: The format's own system text; None: it has no place for one.
        multi_turn: Whether it has a published form for a second turn.
    """

    name: str
    render: Render | None
    system: str | None = None
    multi_turn: bool = False


def _vicuna(system: str, turns: Sequence[str], replies: Sequence[str]) -> str:
    """``{system} USER: {u1} ASSISTANT: {a1}</s>USER: {u2} ASSISTANT:``.

    A reply loses its surrounding white space, as FastChat strips it before the next turn; the template brings its
    own. An empty message leaves only its ``ROLE:``, without separator: FastChat's renderer takes it for absent.
    """
    text = f"{system} " if system else ""
    for number, turn in enumerate(turns):
        text += f"USER: {turn} " if turn else "USER:"
        if number < len(replies):
            reply = replies[number].strip()
            text += f"ASSISTANT: {reply}</s>" if reply else "ASSISTANT:"
    return text + "ASSISTANT:"


def _alpaca(system: str, turns: Sequence[str], replies: Sequence[str]) -> str:
    return f"{system}\n\n### Instruction:\n{turns[0]}\n\n### Response:"


def _wizardlm_7b(system: str, turns: Sequence[str], replies: Sequence[str]) -> str:
    """The README's form; the published script appends one more newline after the colon."""
    return f"{turns[0]}\n\n### Response:"


def _raw(system: str, turns: Sequence[str], replies: Sequence[str]) -> str:
    return turns[0]


FORMATS: Mapping[str, ChatFormat] = MappingProxyType(
    {
        each.name: each
        for each in (
            ChatFormat(
                name="vicuna_v1.1",
                render=_vicuna,
                system=(
                    "A chat between a curious user and an artificial intelligence assistant. "
                    "The assistant gives helpful, detailed, and polite answers to the user's questions."
                ),
                multi_turn=True,
            ),
            ChatFormat(
                name="alpaca",
                render=_alpaca,
                system=(
                    "Below is an instruction that describes a task. "
                    "Write a response that appropriately completes the request."
                ),
            ),
            ChatFormat(name="wizardlm-7b", render=_wizardlm_7b),
            ChatFormat(name="tokenizer", render=None, system="", multi_turn=True),
            ChatFormat(name="raw", render=_raw),
        )
    }
)
"""The chat formats by name."""


def chat_format(name: str, *, where: str = "") -> ChatFormat:
    """The chat format of a name.

    Raises:
        UsageError: No such format; the message names the nearest.
    """
    try:
        return FORMATS[name]
    except KeyError:
        prefix = f"{where}: " if where else ""
        raise UsageError(f"{prefix}unknown chat format {name!r}", suggestion(name, FORMATS)) from None


def resolve_format(task: Task, *, requested: str | None, known: str | None, model: str) -> str:
    """Decide the chat format of a model on a task.

    A task that pins its template or format decides; else the request; else what is known of the model.

    Args:
        task: The task.
        requested: What the user asked for with ``--format``.
        known: The format that the catalog or the engine knows for the model.
        model: The model's name, for messages.

    Returns:
        A name of `FORMATS`, or `PINNED_TEMPLATE`.

    Raises:
        UsageError: The task pins its format and one was requested; the format is unknown; or nobody knows the
            model's format. A model is never asked ``raw`` without being told so.
        SpecError: The task pins an unknown format, pins two, or needs turns or a system text that the format lacks.
    """
    prompt = task.prompt
    if prompt.template is not None and prompt.format is not None:
        raise SpecError(f"{task.name}: prompt.template and prompt.format both pin the template", "remove one of them")
    pinned = PINNED_TEMPLATE if prompt.template is not None else prompt.format
    if pinned is not None and requested is not None:
        raise UsageError(
            f"{task.name} pins its own prompt template ({pinned}); --format {requested} cannot change it",
            "leave --format out, or run a task that pins no template",
        )
    if pinned == PINNED_TEMPLATE:
        check_template(task)
        return PINNED_TEMPLATE
    if pinned is not None and pinned not in FORMATS:
        raise SpecError(f"{task.name}: prompt.format: unknown chat format {pinned!r}", suggestion(pinned, FORMATS))
    name = pinned or requested or known
    if name is None:
        raise UsageError(
            f"nobody knows the chat format of model {model!r}",
            f"name it with --format {'|'.join(FORMATS)} (raw: the task's text as it is, for base models)",
        )
    check_conversation(task, chat_format(name, where=f"model {model!r}"))
    return name


def check_conversation(task: Task, form: ChatFormat) -> None:
    """Check that a format can hold what a task asks.

    Raises:
        SpecError: The task has several turns and the format one, or a system text that the format has no place for.
    """
    if len(task.prompt.turns) > 1 and not form.multi_turn:
        able = ", ".join(name for name, other in FORMATS.items() if other.multi_turn)
        raise SpecError(
            f"{task.name}: chat format {form.name!r} has no form for a second turn, and the task has "
            f"{len(task.prompt.turns)}",
            f"use a format with several turns: {able}",
        )
    if task.prompt.system is not None and form.system is None:
        raise SpecError(
            f"{task.name}: prompt.system: chat format {form.name!r} has no place for a system text",
            "remove prompt.system, or use another --format",
        )


def check_template(task: Task) -> None:
    """Check that a task can be asked with the template it pins: one turn, and no system text beside it.

    Raises:
        SpecError: It cannot.
    """
    if len(task.prompt.turns) > 1:
        raise SpecError(
            f"{task.name}: prompt.template has no form for a second turn, and the task has {len(task.prompt.turns)}",
            "pin a chat format with several turns instead (prompt.format)",
        )
    if task.prompt.system is not None:
        raise SpecError(
            f"{task.name}: prompt.system: the task pins its whole template", "write the system text in prompt.template"
        )

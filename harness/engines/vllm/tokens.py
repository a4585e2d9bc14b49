"""Exact prompts: the token ids that the server used must be those of the checkpoint's own tokenizer.

A beginning-of-sequence token that is there twice, or not at all, moves every number and is seen in none (lm-eval#3295,
evalplus#207). So each format in use is asked once with a golden text before the first request.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import msgspec

from harness import prompts
from harness.engines.vllm import encode
from harness.engines.vllm.checkpoint import Checkpoint
from harness.errors import EngineError, SpecError
from harness.types import Message, Task

GOLDEN = "  What is 7 × 6?\n\n\tdef f(x):\n\t    return 'naïve — 中文 🙂'  # end "
"""What is asked: white space at both ends, tabs, several scripts, code, a character of four bytes."""
_SECONDS = 300.0


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """One format in use.

    Attributes:
        name: For messages.
        prompt: The text, as rendered here; with the checkpoint's template where ``messages`` are sent.
        messages: What is sent instead, where the server renders it.
    """

    name: str
    prompt: str
    messages: tuple[Message, ...] | None = None


class Asks(Protocol):
    """Asks a server for what it makes of a prompt."""

    async def used(self, golden: Golden) -> Sequence[int]:
        """The token ids that the server used for it."""
        ...

    async def tokenized(self, golden: Golden) -> Sequence[int]:
        """The token ids that its ``/tokenize`` gives."""
        ...


class Tokenized(msgspec.Struct, frozen=True, kw_only=True):
    """What a tokenizer of ours made of some texts: ids of each, id of the BOS token, and which library it was."""

    ids: list[list[int]]
    bos: int | None
    by: str


def golden(task: Task, chat_format: str, checkpoint: Checkpoint) -> Golden:
    """The golden text of a task's format.

    Raises:
        EngineError: The format is the checkpoint's own template, and it has none.
        SpecError: The template is broken.
    """
    if task.prompt.template is not None:
        text = prompts.render(task.prompt.template, {"instruction": GOLDEN}, where=f"{task.name}: prompt.template")
        return Golden(name=f"{task.name}'s own template", prompt=text + task.prompt.response_prefix)
    form = prompts.FORMATS[chat_format]
    if form.render is not None:
        system = form.system if task.prompt.system is None else task.prompt.system
        text = form.render(system or "", (GOLDEN,), ()) + task.prompt.response_prefix
        return Golden(name=f"format '{chat_format}'", prompt=text)
    if checkpoint.template is None:
        raise EngineError(
            f"{checkpoint.name}: has no chat template, which format 'tokenizer' is",
            "name the format it was trained with (--format vicuna_v1.1, alpaca, ..., raw), or add chat_template.jinja",
            code="vllm-template",
        )
    messages = [Message(role="user", content=GOLDEN)]
    if task.prompt.system:
        messages.insert(0, Message(role="system", content=task.prompt.system))
    try:
        text = prompts.render_chat_template(
            checkpoint.template,
            messages,
            bos_token=checkpoint.special("bos_token"),
            eos_token=checkpoint.special("eos_token"),
        )
    except SpecError as error:
        raise SpecError(f"{checkpoint.folder}: {error.message}", error.remedy) from error
    return Golden(name="the checkpoint's chat template", prompt=text, messages=tuple(messages))


async def check(
    goldens: Sequence[Golden], checkpoint: Checkpoint, server: Asks, pythons: Sequence[Path]
) -> tuple[str, ...]:
    """Compare the server's token ids with those of the checkpoint's tokenizer.

    Args:
        goldens: The formats in use.
        checkpoint: Whose tokenizer it is.
        server: Who is asked.
        pythons: Interpreters that may have a tokenizer library.

    Returns:
        Lines to announce.

    Raises:
        EngineError: They differ, or the beginning-of-sequence token is there twice or missing; names the fix.
    """
    texts = [(one.prompt, one.messages is None) for one in goldens] + [("a", True)]
    own = await _tokenize(checkpoint, texts, "tokenizers", pythons)
    notes: list[str] = []
    for number, one in enumerate(goldens):
        used = list(await server.used(one))
        told = list(await server.tokenized(one))
        if used != told:
            raise _differ(one, used, told, "its own /tokenize", checkpoint)
        if own is not None and used != own.ids[number]:
            # transformers may add to tokenizer.json what tokenizer_config.json says: its word is final.
            final = await _tokenize(checkpoint, texts, "transformers", pythons)
            if final is None or used != final.ids[number]:
                first = final or own
                raise _differ(one, used, first.ids[number], f"the checkpoint's tokenizer ({first.by})", checkpoint)
            own = final
        notes += _beginning(one, used, own, checkpoint)
    if own is None:
        notes.append(
            f"{checkpoint.name}: token ids were compared with the server's own tokenizer only; pip install tokenizers "
            "for an independent comparison"
        )
    return tuple(notes)


def _beginning(one: Golden, used: list[int], own: Tokenized | None, checkpoint: Checkpoint) -> list[str]:
    """Check the BOS token: exactly once where the tokenizer adds it."""
    if own is None or own.bos is None:
        return []
    if used[:2] == [own.bos, own.bos]:
        text = checkpoint.special("bos_token")
        raise EngineError(
            f"{checkpoint.name}: {one.name} begins with the beginning-of-sequence token twice ({text} {text})",
            f"remove {text} from the template's text: the tokenizer adds it"
            if one.messages is None
            else f"remove one {text} from the checkpoint's chat template",
            code="vllm-bos",
        )
    if used[:1] == [own.bos]:
        return []
    if one.messages is None and checkpoint.tokenizer_config.get("add_bos_token") is True:
        raise EngineError(
            f"{checkpoint.name}: {one.name} lacks the beginning-of-sequence token that tokenizer_config.json wants",
            "save the tokenizer again: tokenizer.json's post-processor does not add it",
            code="vllm-bos",
        )
    if one.messages is not None and own.ids[-1][:1] == [own.bos]:
        return [
            (
                f"{checkpoint.name}: its chat template gives no beginning-of-sequence token, which its tokenizer adds "
                "to plain text; it is asked as its template says"
            )
        ]
    return []


def _differ(one: Golden, used: list[int], wanted: list[int], whose: str, checkpoint: Checkpoint) -> EngineError:
    place = next((n for n, (a, b) in enumerate(zip(used, wanted, strict=False)) if a != b), min(len(used), len(wanted)))
    shown = f"at token {place}, {used[place : place + 4]} against {wanted[place : place + 4]}"
    if used[1:] == wanted or used == wanted[1:]:
        shown = f"the beginning-of-sequence token {'is added' if len(used) > len(wanted) else 'is missing'}"
    remedy = (
        "save the tokenizer again with the transformers release that vLLM uses, so that tokenizer.json and "
        "tokenizer_config.json agree"
    )
    if one.messages is not None and "strftime_now" in (checkpoint.template or ""):
        shown += "; the template writes the day's date into each prompt (strftime_now)"
        remedy = "copy the template, write a fixed date there, and name the copy with --vllm-arg chat-template=FILE"
    return EngineError(
        f"{checkpoint.name}: for {one.name} the server uses other token ids than {whose}: {shown}",
        remedy,
        code="vllm-tokens",
    )


async def _tokenize(
    checkpoint: Checkpoint, texts: Sequence[tuple[str, bool]], library: str, pythons: Sequence[Path]
) -> Tokenized | None:
    """Tokenise in the first interpreter that can; None where none can."""
    if library == "tokenizers" and not (checkpoint.folder / "tokenizer.json").exists():
        library = "transformers"
    asked = {
        "folder": str(checkpoint.folder),
        "library": library,
        "texts": texts,
        "bos": checkpoint.special("bos_token"),
    }
    for python in pythons:
        if python == Path(sys.executable) and find_spec(library) is None:
            continue
        found = await _run(python, asked)
        if found is not None:
            return found
    return None


async def _run(python: Path, asked: Mapping[str, Any]) -> Tokenized | None:
    try:
        process = await asyncio.create_subprocess_exec(
            str(python),
            "-I",
            encode.__file__,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        out, _ = await asyncio.wait_for(process.communicate(json.dumps(asked).encode()), _SECONDS)
        return msgspec.json.decode(out.strip().splitlines()[-1], type=Tokenized) if process.returncode == 0 else None
    except (TimeoutError, msgspec.MsgspecError, IndexError):
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def interpreters(program: Sequence[str]) -> tuple[Path, ...]:
    """Pythons that may have a tokenizer library: ours, and the one that vLLM's command belongs to."""
    found = [Path(sys.executable)]
    command = Path(program[0])
    if command.name.startswith("python"):
        found.append(command)
    else:
        found += [one for one in (_shebang(command), command.resolve().with_name("python")) if one is not None]
    return tuple(dict.fromkeys(path for path in found if path.exists()))


def environment_python(program: Sequence[str]) -> Path | None:
    """The interpreter of the environment that has vLLM, where it can be told from the command."""
    return next((python for python in interpreters(program)[1:]), None)


def _shebang(command: Path) -> Path | None:
    try:
        with command.open("rb") as file:
            first = file.readline(512)
    except OSError:
        return None
    if not first.startswith(b"#!"):
        return None
    words = first[2:].decode("utf-8", "replace").split()
    return Path(words[0]) if words and "python" in Path(words[0]).name else None

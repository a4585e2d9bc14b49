"""The comparison of token ids: what it refuses, and the golden texts."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.engines.vllm import tokens
from harness.engines.vllm.checkpoint import read_checkpoint
from harness.engines.vllm.tokens import Golden, Tokenized
from harness.errors import EngineError
from harness.prompts import FORMATS
from harness.types import Prompt
from tests.engines.mock_server import make_task

PLAIN = Golden(name="format 'raw'", prompt="abc")
CHAT = Golden(name="the checkpoint's chat template", prompt="abc", messages=())


class Server:
    """Says which ids it used."""

    def __init__(self, used: Sequence[int], told: Sequence[int] | None = None) -> None:
        self._used = used
        self._told = used if told is None else told

    async def used(self, golden: Golden) -> Sequence[int]:
        return self._used

    async def tokenized(self, golden: Golden) -> Sequence[int]:
        return self._told


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What our own tokenizers say, by library; the last ids are those of plain text."""
    said: dict[str, Any] = {"tokenizers": [[1, 5], [1, 9]], "transformers": None}

    async def tokenize(checkpoint: Any, texts: Any, library: str, pythons: Any) -> Tokenized | None:
        return None if said[library] is None else Tokenized(ids=said[library], bos=1, by=library)

    monkeypatch.setattr(tokens, "_tokenize", tokenize)
    return said


async def check(folder: Path, golden: Golden, server: Server) -> tuple[str, ...]:
    return await tokens.check((golden,), read_checkpoint(folder, "ckpt"), server, ())


async def test_equal_ids_pass_in_silence(checkpoint: Path, own: dict[str, Any]) -> None:
    assert await check(checkpoint, PLAIN, Server([1, 5])) == ()


async def test_other_ids_are_refused(checkpoint: Path, own: dict[str, Any]) -> None:
    with pytest.raises(
        EngineError, match=r"other token ids than .*\(tokenizers\): at token 1, \[6\] against \[5\]"
    ) as told:
        await check(checkpoint, PLAIN, Server([1, 6]))
    assert "save the tokenizer again" in told.value.remedy
    with pytest.raises(EngineError, match="the beginning-of-sequence token is missing"):
        await check(checkpoint, PLAIN, Server([5]))
    with pytest.raises(EngineError, match="its own /tokenize"):
        await check(checkpoint, PLAIN, Server([1, 5], [1, 6]))


async def test_a_template_with_the_days_date_is_told_with_its_fix(checkpoint: Path, own: dict[str, Any]) -> None:
    dated = "{{ strftime_now('%d %b %Y') if strftime_now is defined else '26 Jul 2024' }}{{ messages[0].content }}"
    (checkpoint / "chat_template.jinja").write_text(dated)
    with pytest.raises(EngineError, match=r"writes the day's date into each prompt .* --vllm-arg chat-template=FILE"):
        await check(checkpoint, CHAT, Server([1, 6]))
    with pytest.raises(EngineError, match="save the tokenizer again"):
        await check(checkpoint, PLAIN, Server([1, 6]))


async def test_transformers_has_the_last_word(checkpoint: Path, own: dict[str, Any]) -> None:
    own["transformers"] = [[1, 6], [1, 9]]
    assert await check(checkpoint, PLAIN, Server([1, 6])) == ()
    own["transformers"] = [[1, 7], [1, 9]]
    with pytest.raises(EngineError, match="transformers"):
        await check(checkpoint, PLAIN, Server([1, 6]))


async def test_a_double_beginning_is_refused_with_its_fix(checkpoint: Path, own: dict[str, Any]) -> None:
    own["tokenizers"] = [[1, 1, 5], [1, 9]]
    with pytest.raises(EngineError, match=r"twice \(<s> <s>\) — remove <s> from the template's text"):
        await check(checkpoint, PLAIN, Server([1, 1, 5]))
    with pytest.raises(EngineError, match="remove one <s> from the checkpoint's chat template"):
        await check(checkpoint, CHAT, Server([1, 1, 5]))


async def test_a_missing_beginning_is_refused_or_told(checkpoint: Path, own: dict[str, Any]) -> None:
    own["tokenizers"] = [[5], [5]]
    assert await check(checkpoint, PLAIN, Server([5])) == ()
    (checkpoint / "tokenizer_config.json").write_text('{"bos_token": "<s>", "add_bos_token": true}')
    with pytest.raises(EngineError, match="lacks the beginning-of-sequence token"):
        await check(checkpoint, PLAIN, Server([5]))
    own["tokenizers"] = [[5], [1, 9]]
    (note,) = await check(checkpoint, CHAT, Server([5]))
    assert "gives no beginning-of-sequence token" in note


async def test_without_a_library_it_is_said(checkpoint: Path, own: dict[str, Any]) -> None:
    own["tokenizers"] = None
    (note,) = await check(checkpoint, PLAIN, Server([1, 5]))
    assert "pip install tokenizers" in note


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_has_a_golden_text(checkpoint: Path, name: str) -> None:
    (checkpoint / "chat_template.jinja").write_text("{{ bos_token }}{{ messages[0].content }}")
    found = tokens.golden(make_task(), name, read_checkpoint(checkpoint, "ckpt"))
    assert tokens.GOLDEN in found.prompt
    assert (found.messages is not None) == (name == "tokenizer")


def test_a_pinned_template_is_golden_too(checkpoint: Path) -> None:
    task = make_task(prompt=Prompt(turns=("{question}",), template="<s>Q: {instruction} A:", response_prefix=" Let's"))
    found = tokens.golden(task, "task-template", read_checkpoint(checkpoint, "ckpt"))
    assert found.prompt == f"<s>Q: {tokens.GOLDEN} A: Let's"


def test_interpreters_that_may_have_the_library(tmp_path: Path) -> None:
    (tmp_path / "python").touch()
    script = tmp_path / "vllm"
    script.write_text(f"#!{tmp_path}/python\n")
    assert tokens.interpreters((str(script),)) == (Path(sys.executable), tmp_path / "python")
    assert tokens.environment_python((str(script),)) == tmp_path / "python"
    script.write_text("#!/bin/sh\n")
    (tmp_path / "python").unlink()
    assert tokens.environment_python((str(script),)) is None

"""One item in full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from harness.errors import UsageError
from harness.reporting import find_item, show_item
from harness.types import Completion, ErrorRecord, LogProbs, Message, Score


@pytest.fixture
def cell(make_cell: Callable[..., Any]) -> Any:
    made = make_cell("model\x1b[1m")
    asked = Completion(
        sample="Toy/1", attempt=1, turn=0, prompt="def f():\n\tpass", prompt_sha256="0",
        text="return\x1b[2J 1\nVerdict on",
        reasoning="hm\u202e", finish_reason="stop", completion_tokens=5, seed=7, seconds=1.23456,
    )  # fmt: skip
    chat = Completion(
        sample="Toy/1", attempt=0, turn=0, messages=(Message(role="user", content="Hi"),), prompt_sha256="1",
        text="Hello",
        logprobs=LogProbs(total=-1.5, tokens=3, greedy=True),
    )  # fmt: skip
    made.asked = [asked, chat, msgspec.structs.replace(asked, sample="Toy/2", attempt=0)]
    made.failed = [
        ErrorRecord(sample="Toy/9", attempt=0, turn=0, where="request", code="http-500", message="boom\x07", tries=6)
    ]
    facts, _, estimates = made.scored["5c" * 32]
    score = Score(
        sample="Toy/1", attempt=1, turn=0, metric="pass", value=0.0, reason="wrong", extracted="return 1", expected="2",
        slices={"level": "3"}, detail={"error": "AssertionError", "line": 4},
    )  # fmt: skip
    made.add(facts, [score, msgspec.structs.replace(score, attempt=0, value=None, reason="unscored")], estimates)
    return made


def test_everything_is_told_in_order(cell: Any) -> None:
    lines = show_item(find_item(cell, "Toy/1"))
    told = "\n".join(lines)
    assert lines[0] == "model\\x1b[1m  toy/zero-shot  Toy/1"
    order = ["Attempt 0, turn 0", "Verdict on attempt 0", "Attempt 1, turn 0", "Verdict on attempt 1"]
    assert [told.index(one) for one in order] == sorted(told.index(one) for one in order)
    for expected in (
        "  Message (user):\n  | Hi",
        "  Prompt:\n  | def f():\n  | \tpass",
        "  Reasoning:\n  | hm\\u202e",
        "  Completion (reply):\n  | return\\x1b[2J 1\n  | Verdict on",
        "  log-likelihood -1.5000 over 3 tokens, greedy",
        "  finish stop, completion tokens 5, seed 7, seconds 1.235, tries 1",
        "Verdict on attempt 1, turn 0: pass = 0 (wrong), scoring 5c5c5c5c",
        "Verdict on attempt 0, turn 0: pass = unscored (unscored)",
        "  Extracted:\n  | return 1",
        "  Expected:\n  | 2",
        "  slice level: 3",
        "  line: 4",
    ):
        assert expected in told


def test_one_attempt_and_what_it_is_tested_by(cell: Any) -> None:
    told = "\n".join(show_item(find_item(cell, "Toy/1", attempt=1, tests="assert f(1)\x1b == 2")))
    assert "  Tests:\n  | assert f(1)\\x1b == 2" in told
    assert "attempt 0" not in told.lower()
    with pytest.raises(UsageError, match="Toy/1 has no attempt 7 — it has: 0 to 1"):
        show_item(find_item(cell, "Toy/1", attempt=7))


def test_a_prompt_that_is_the_same_is_shown_once(cell: Any) -> None:
    one = cell.asked[0]
    cell.asked = [one, msgspec.structs.replace(one, attempt=2)]
    told = "\n".join(show_item(find_item(cell, "Toy/1")))
    assert told.count("  Prompt:") == 1
    assert "Attempt 2, turn 0 (the same prompt)" in told


def test_a_text_without_end_is_cut(cell: Any) -> None:
    cell.asked = [msgspec.structs.replace(cell.asked[0], text="x" * 1_000_000)]
    told = "\n".join(show_item(find_item(cell, "Toy/1")))
    assert len(told) < 25_000
    assert "and 980,000 more characters, which the run's files have" in told


def test_nothing_of_others_controls_the_terminal(cell: Any) -> None:
    for sample in ("Toy/1", "Toy/9"):
        told = "\n".join(show_item(find_item(cell, sample)))
        assert not any(char in told for char in "\x1b\x07\u202e")


def test_an_error_alone_is_shown(cell: Any) -> None:
    assert "Error on attempt 0, turn 0: request/http-500 after 6 tries" in show_item(find_item(cell, "Toy/9"))


def test_an_unknown_item_is_a_usage_error_with_the_nearest(cell: Any) -> None:
    with pytest.raises(UsageError, match=r"no item 'Toy/11' — did you mean Toy/1\?"):
        show_item(find_item(cell, "Toy/11"))
    with pytest.raises(UsageError, match="it has 2 items"):
        show_item(find_item(cell, "zzz"))


def test_scorings_are_chosen_by_their_first_characters(cell: Any) -> None:
    assert "Verdict" in "\n".join(show_item(find_item(cell, "Toy/1", score_id="5c5c")))
    with pytest.raises(UsageError, match="it has: 5c5c5c5c"):
        show_item(find_item(cell, "Toy/1", score_id="ffff"))


def test_an_ambiguous_beginning_of_a_scoring_is_refused(cell: Any) -> None:
    (facts, scores, estimates) = cell.scored["5c" * 32]
    cell.add(msgspec.structs.replace(facts, score_id="5c5d" * 16), scores, estimates)
    with pytest.raises(UsageError, match="several scorings '5c5' — it has: 5c5c5c5c, 5c5d5c5d"):
        show_item(find_item(cell, "Toy/1", score_id="5c5"))


def test_a_cell_without_a_scoring_still_shows_what_was_asked(cell: Any) -> None:
    cell.scored.clear()
    assert "  | Hello" in show_item(find_item(cell, "Toy/1"))

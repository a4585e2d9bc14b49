"""FastChat's files: judgments and reviews are read, answers and judgments are written.

Source: lm-sys/FastChat@0e6d3e4 fastchat/llm_judge (``model_answer``, ``model_judgment``) and @69d085e fastchat/eval
(``review``).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.formats.rows import Row, read_rows
from harness.formats.writing import write_text

Order = Literal["ab", "ba"]

_KNOWN = (
    "single judgments (question_id, turn, judgment), pair judgments (g1_judgment, g2_judgment), reviews "
    "(question_id, text, score), reviews in both orders (review, review_reverse)"
)


class Judgment(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded reply of a judge.

    Attributes:
        sample: The question's id.
        turn: From 0.
        model: Whose answer was judged; of a pair, the first of the file.
        other: Of a pair, the second of the file.
        judge: Who judged.
        order: ``ab`` the first side shown first, ``ba`` the second; None for one answer alone.
        prompt: The user's text that was sent; None where the file does not say.
        reply: What the judge wrote.
        shown: The two answers in the order shown, where the file has them instead of the prompt.
        recorded: What the file's own reader made of it: a rating, or two scores in the order shown.
    """

    sample: str
    turn: int
    model: str = ""
    other: str = ""
    judge: str = ""
    order: Order | None = None
    prompt: str | None = None
    shown: tuple[str, str] | None = None
    reply: str
    recorded: Any = None


Winner = Literal["model_a", "model_b", "tie"]
_WINNERS: tuple[Winner, ...] = ("model_a", "model_b")


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """One vote on a pair, of a person or of a judge: its label only.

    Attributes:
        sample: The question's id.
        turn: From 1.
        model_a: One model; which place it had is not said.
        model_b: The other.
        winner: Whichever kind of tie the file has is a tie.
        judge: Who voted.
    """

    sample: str
    turn: int
    model_a: str
    model_b: str
    winner: Winner
    judge: str = ""


def read_votes(path: Path) -> list[Vote]:
    """Read label-only votes (``question_id``, ``model_a``, ``model_b``, ``winner``, ``turn``; without it the first).

    Raises:
        DataError: The file cannot be read, or a row is no vote.
    """
    return [_vote(row) for row in read_rows(path)]


def _vote(row: Row) -> Vote:
    said, turn = row.text("winner"), row.fields.get("turn", 1)
    winner: Winner = next((name for name in _WINNERS if said == name), "tie")
    if winner == "tie" and not said.startswith("tie"):
        row.fail(f"the winner {said!r} is none of model_a, model_b, tie")
    judge = row.fields.get("judge", "")
    return Vote(
        sample=row.key("question_id"),
        turn=int(turn) if isinstance(turn, str) and turn.isdecimal() else row.number("turn", 1) or 1,
        model_a=row.text("model_a"),
        model_b=row.text("model_b"),
        winner=winner,
        judge=str(judge[0]) if isinstance(judge, list) and judge else str(judge),
    )


def read_judgments(path: Path) -> list[Judgment]:
    """Read judgments, whatever FastChat's generation: JSON lines or a JSON list, plain or gzipped.

    Raises:
        DataError: The file cannot be read, or a row has none of the forms.
    """
    found: list[Judgment] = []
    for number, row in enumerate(read_rows(path)):
        found += _judgments(row, number)
    return found


def _judgments(row: Row, number: int) -> Iterator[Judgment]:
    fields = row.fields
    if "judgment" in fields:
        judge = fields.get("judge")
        yield Judgment(
            sample=row.key("question_id"),
            turn=_turn(row) - 1,
            model=str(fields.get("model", "")),
            judge=str(judge[0]) if isinstance(judge, list) and judge else str(judge or ""),
            prompt=row.optional_text("user_prompt"),
            reply=row.optional_text("judgment") or "",
            recorded=_valid(fields.get("score")),
        )
    elif "judge_reply" in fields:  # FastEval's reports
        yield Judgment(
            sample=row.key("question_id"),
            turn=row.number("turn_number", 0) or 0,
            reply=row.optional_text("judge_reply") or "",
        )
    elif "g1_judgment" in fields:
        judge = fields.get("judge")
        for game, order in (("g1", "ab"), ("g2", "ba")):
            yield Judgment(
                sample=row.key("question_id"),
                turn=_turn(row) - 1,
                model=str(fields.get("model_1", "")),
                other=str(fields.get("model_2", "")),
                judge=str(judge[0]) if isinstance(judge, list) and judge else str(judge or ""),
                order="ab" if order == "ab" else "ba",
                prompt=row.optional_text(f"{game}_user_prompt"),
                reply=row.optional_text(f"{game}_judgment") or "",
            )
    elif "review_reverse" in fields:
        sample = review_id(row, number)
        one, two = row.text("Answer1"), row.text("Answer2")
        for field, scores, order in (("review", "scores", "ab"), ("review_reverse", "scores_reverse", "ba")):
            yield Judgment(
                sample=sample,
                turn=0,
                order="ab" if order == "ab" else "ba",
                shown=(one, two) if order == "ab" else (two, one),
                reply=row.optional_text(field) or "",
                recorded=_scores(fields.get(scores)),
            )
    elif "text" in fields and "question_id" in fields:
        yield Judgment(
            sample=row.key("question_id"),
            turn=0,
            judge=str(fields.get("reviewer_id", "")),
            order="ab",
            reply=row.text("text"),
            recorded=_scores(fields.get("score")),
        )
    else:
        row.fail("no judgment that FastChat writes", f"known are {_KNOWN}")


def review_id(row: Row, number: int) -> str:
    """The item of a review in both orders; without an id row n is the n-th, and its data sets number theirs from 1."""
    return str(row.fields.get("question_id", row.fields.get("idx", number + 1)))


def review_question(row: Row) -> str | None:
    """What was asked, where a review in both orders has that instead of an id."""
    if {"question_id", "idx"} & row.fields.keys():
        return None
    asked = row.fields.get("Instruction", row.fields.get("text"))
    return asked if isinstance(asked, str) else None


def _turn(row: Row) -> int:
    turn = row.number("turn", 1)
    if not turn:
        row.fail("'turn' counts from 1")
    return turn


def _valid(score: Any) -> float | None:
    return score if isinstance(score, int | float) and not isinstance(score, bool) and score != -1 else None


def _scores(value: Any) -> list[float] | None:
    """Two scores, as a list or as text that holds one; FastChat's -1s stand for none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(one, int | float) for one in value):
        return None
    return None if -1 in value else [float(one) for one in value]


def answer_rows(model: str, answers: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Rows of a ``model_answer`` file, by question id.

    Args:
        model: The model's id.
        answers: Question id -> its turns' answers.
    """
    stamp = time.time()
    rows = []
    for sample in sorted(answers, key=_number_first):
        text = "\0".join((model, sample, *answers[sample]))
        rows.append(
            {
                "question_id": _number(sample),
                "answer_id": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:22],
                "model_id": model,
                "choices": [{"index": 0, "turns": list(answers[sample])}],
                "tstamp": stamp,
            }
        )
    return rows


def single_row(judgment: Judgment, prompt_name: str, score: float | None) -> dict[str, Any]:
    """A row of a ``_single.jsonl`` file; a judgment without a rating has FastChat's -1."""
    return {
        "question_id": _number(judgment.sample),
        "model": judgment.model,
        "judge": [judgment.judge, prompt_name],
        "user_prompt": judgment.prompt,
        "judgment": judgment.reply,
        "score": -1 if score is None else score,
        "turn": judgment.turn + 1,
        "tstamp": time.time(),
    }


def pair_row(
    first: Judgment, second: Judgment, other: str, prompt_name: str, winners: tuple[str, str]
) -> dict[str, Any]:
    """A row of a ``_pair.jsonl`` file: the game with the model first, and the one with places changed.

    Args:
        first: The game with ``model`` as assistant A.
        second: The game with ``other`` as assistant A.
        other: The other model.
        prompt_name: The prompt's name.
        winners: Of the two games: ``model_1``, ``model_2``, ``tie`` or ``error``.
    """
    return {
        "question_id": _number(first.sample),
        "model_1": first.model,
        "model_2": other,
        "g1_winner": winners[0],
        "g2_winner": winners[1],
        "judge": [first.judge, prompt_name],
        "g1_user_prompt": first.prompt,
        "g1_judgment": first.reply,
        "g2_user_prompt": second.prompt,
        "g2_judgment": second.reply,
        "turn": first.turn + 1,
        "tstamp": time.time(),
    }


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON lines, whole or not at all.

    Raises:
        DataError: The file cannot be written.
    """
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def _number(sample: str) -> int | str:
    return int(sample) if sample.isdecimal() else sample


def _number_first(sample: str) -> tuple[bool, int, str]:
    return (not sample.isdecimal(), int(sample) if sample.isdecimal() else 0, sample)

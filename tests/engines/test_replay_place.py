"""Which sample a row answers: ids that are written otherwise, and files that go by position."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from harness.engines.replay_place import place
from harness.errors import EngineError
from harness.formats import Form, Replay, ReplayRow
from harness.types import Sample
from tests.engines.mock_server import make_task


def samples(*ids: str) -> list[Sample]:
    return [Sample(id=one, record={}) for one in ids]


def placed(benchmark: str, ids: Sequence[str], known: Sequence[str], form: Form = "human-eval") -> list[str]:
    rows = [ReplayRow(sample=one, attempt=0, turn=0, text=one, stage="program") for one in ids]
    replayed = Replay(path=Path("a.jsonl"), sha256="", form=form, stage="program", rows=rows)
    task = msgspec.structs.replace(make_task(), name=f"{benchmark}/x")
    found = place(replayed, task, samples(*known))
    assert {row.text for row in found.values()} == set(ids)
    return [sample for sample, _, _ in found]


HUMAN_EVAL = ("HumanEval/0", "HumanEval/1")


@pytest.mark.parametrize("ids", [("HumanEval/0", "HumanEval/1"), ("0", "1"), ("humaneval/0", "HumanEval_1")])
def test_the_same_number_is_the_same_problem(ids: Sequence[str]) -> None:
    assert placed("humaneval", ids, HUMAN_EVAL) == list(HUMAN_EVAL)


def test_a_benchmark_without_names_takes_its_own() -> None:
    assert placed("mbpp", ("Mbpp/11", "mbpp_12"), ("11", "12")) == ["11", "12"]


@pytest.mark.parametrize("ids", [("Mbpp/0", "Mbpp/1"), ("gsm8k/0",), ("x",), ("0", "HumanEval_0")])
def test_another_name_or_a_double_is_no_match(ids: Sequence[str]) -> None:
    assert placed("humaneval", ids, HUMAN_EVAL) == list(ids)


def test_where_one_id_is_as_it_should_be_none_is_guessed() -> None:
    assert placed("humaneval", ("HumanEval/0", "1"), HUMAN_EVAL) == ["HumanEval/0", "1"]


def test_bigcodes_lists_are_the_first_problems() -> None:
    assert placed("mbpp", ("0", "1"), ("11", "12", "13"), "bigcode") == ["11", "12"]
    with pytest.raises(EngineError, match="has 3 problems, mbpp/x has 2"):
        placed("mbpp", ("0", "2"), ("11", "12"), "bigcode")

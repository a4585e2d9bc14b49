"""The comparison itself: what EvalPlus's meaning of a right answer is, value by value."""

from __future__ import annotations

import marshal
import os
from collections.abc import Iterable
from typing import Any

import pytest

from harness.sandbox.inside import calls, wire
from harness.scorers.code import expectation
from harness.scorers.code.comparison import ORACLES, Comparison, close, shown
from harness.scorers.code.inputs import mbpp_arguments


def pieces(parts: list[bytes]) -> calls.Pieces:
    file = os.memfd_create("pieces")
    calls.fill(file, parts)
    return calls.Pieces(file)


def right(answer: Any, expected: Any, *, arguments: tuple[Any, ...] = (), **options: Any) -> bool:
    blocks = pieces([marshal.dumps([arguments])])
    chosen = {"first": 0, "first_call": 0, "base": 1, "atol": 0.0, "float_from": (None, None), "oracle": None} | options
    return Comparison(blocks, {**chosen, "same_type": True}).right(0, answer, expected)


def test_equality_is_pythons() -> None:
    assert right(1, True)
    assert right({1: (2,)}, {1: (2,)})
    assert not right([1, 2], (1, 2))
    assert not right(wire.Opaque("E"), wire.Opaque("E"))


def test_floats_of_expected_results_bring_a_tolerance_from_the_first_on() -> None:
    assert not right(1.0 + 1e-8, 1.0)
    assert right(1.0 + 1e-8, 1.0, float_from=(0, None))
    assert not right(1.0 + 1e-8, 1.0, float_from=(1, None))
    assert not right(1, 1.5, float_from=(0, None))
    assert right([1.0 + 1e-8, 2.0], [1.0, 2.0], float_from=(0, None))
    assert not right([1.0], [1.0, 2.0], float_from=(0, None))


def test_numbers_that_cannot_be_near() -> None:
    assert not close(float("nan"), float("nan"), 1e-6, same_type=True)
    assert close(float("inf"), float("inf"), 1e-6, same_type=True)
    assert not close(float("-inf"), float("inf"), 1e-6, same_type=True)
    assert not close(1.0, float("inf"), 1e-6, same_type=True)
    assert not close("a", "a", 1e-6, same_type=True)
    assert close(1 + 1e-9j, 1 + 0j, 1e-6, same_type=True)


@pytest.mark.parametrize(
    ("oracle", "arguments", "answer", "expected", "verdict"),
    [
        ("root", ([-1.0, 1.0],), 1.0, 5.0, True),
        ("root", ([-1.0, 1.0],), 0.0, 0.0, False),
        ("anything", (1, 2), "whatever", True, True),
        ("or-zero", (7,), 0, 1, True),
        ("or-zero", (7,), 2, 1, False),
        ("pyramid", (3, 4), 35, 33, True),
        ("pyramid", (3, 4), 34, 33, False),
        ("digit-distance", (1, 256), 12, 7, True),
        ("same-set", (), [3, 1, 1], (1, 3), True),
        ("same-set", (), [[1]], [1], False),
        ("given", (), wire.Opaque("Match"), True, True),
        ("given", (), None, True, False),
        ("given", (), False, False, True),
        ("not-none", (), False, False, False),
        ("not-none", (), None, False, True),
    ],
)
def test_oracles(oracle: str, arguments: tuple[Any, ...], answer: Any, expected: Any, verdict: bool) -> None:
    assert oracle in ORACLES
    assert (
        right(answer, expected, arguments=arguments, oracle=oracle, atol=1e-4 if oracle == "root" else 0.0) is verdict
    )


def test_what_is_shown_is_bounded() -> None:
    assert len(shown(["x" * 10_000] * 10_000)) < 1100


def test_inputs_of_mbpp_get_back_what_json_lost() -> None:
    assert mbpp_arguments("Mbpp/2", [[1, 2], [3]]) == ((1, 2), (3,))
    assert mbpp_arguments("Mbpp/115", [[[1, 2], []]]) == ([{1, 2}, {}],)
    assert mbpp_arguments("Mbpp/124", ["1.5", "(1+2j)"]) == (1.5, 1 + 2j)
    assert mbpp_arguments("Mbpp/580", [[1, [2, [3]]]]) == ((1, (2, (3,))),)
    assert mbpp_arguments("Mbpp/722", [{"a": [1, 2]}, 3]) == ({"a": (1, 2)}, 3)
    assert mbpp_arguments("Mbpp/3", [[1]]) == ([1],)


@pytest.mark.parametrize(("exact", "wrong"), [(True, None), (False, 0)])
def test_equal_forms_are_right_where_expected_results_equal_themselves(exact: bool, wrong: int | None) -> None:
    options = {"first": 0, "first_call": 0, "base": 1, "atol": 0.0, "float_from": (None, None), "oracle": None}
    comparison = Comparison(pieces([marshal.dumps([()])]), {**options, "same_type": True, "exact": exact})
    forms = [calls.encode(float("nan"))]
    assert comparison.first_wrong(0, forms, forms) == wrong


def compute(function: Any, arguments: list[tuple[Any, ...]], base_calls: int = 1) -> tuple[list[Any], dict[str, Any]]:
    forms: list[bytes] = []

    def fill(made: Iterable[bytes]) -> None:
        forms.extend(made)

    blocks = pieces([marshal.dumps(arguments)])
    verdict = expectation.compute(function, blocks, fill, base_calls=base_calls, only_given=False)
    assert verdict["status"] == "passed"
    return [calls.decode(form) for form in forms], verdict["detail"]


def test_what_is_known_of_expected_results() -> None:
    results, told = compute(lambda x: x, [(1,), (2,), ([0.5, 1.5],), (2.5,)])
    assert results == [1, 2, [0.5, 1.5], 2.5]
    assert told["float_from"] == [None, 2]
    assert told["exact"] is True
    assert 0 <= told["slowest"] <= told["seconds"]
    assert compute(lambda x: float("nan"), [(1,)])[1]["exact"] is False
    assert compute(lambda x: [0.5] * x, [(1,), (0,)])[1]["float_from"] == [0, None]


def test_a_reference_result_is_plain_data() -> None:
    assert compute(lambda x: '{"opaque":', [(1,)])[0] == ['{"opaque":']
    assert compute(lambda x: {'{"opaque":'}, [(1,)])[0] == [{'{"opaque":'}]
    with pytest.raises(TypeError, match="no plain data"):
        compute(lambda x: [object()], [(1,)])

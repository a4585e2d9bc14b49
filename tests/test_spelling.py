"""The nearest valid spelling."""

from __future__ import annotations

import pytest

from harness.spelling import nearest, suggestion


@pytest.mark.parametrize(
    ("word", "options", "found"),
    [
        ("temprature", ["top_p", "temperature"], "temperature"),
        ("WIZARD", ["wizard", "lizard"], "wizard"),
        ("zz", ["temperature"], None),
        ("a", [], None),
    ],
)
def test_nearest(word: str, options: list[str], found: str | None) -> None:
    assert nearest(word, options) == found


def test_equally_near_options_give_the_same_answer_in_any_order() -> None:
    assert nearest("ab", ["Ab", "aB"]) == nearest("ab", ["aB", "Ab"])


def test_a_suggestion_names_the_nearest_else_what_there_is() -> None:
    assert suggestion("a.text", ["a.txt", "b"]) == "did you mean 'a.txt'?"
    assert suggestion("zz", ["b", "a", "a"]) == "known: a, b"
    assert suggestion("zz", [f"option{number:02}" for number in range(14)]).endswith("option11 and 2 more")
    assert suggestion("zz", []) == "there is none"

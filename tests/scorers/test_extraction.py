"""Extraction: each step, their order, and hostile replies."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scorers.extraction import SEARCHED, extract
from harness.types import Extraction

GSM = Extraction(after="The answer is: ", strip=True)


@pytest.mark.parametrize(
    ("text", "rule", "expected"),
    [
        ("as it is ", Extraction(), "as it is "),
        ("a\r\nb\r", Extraction(remove=("\r",)), "a\nb"),
        ("x``yx", Extraction(remove=("x", "`")), "y"),
        ("A: 1 A: 2 ", Extraction(after="A: "), "2 "),
        ("A: 1 A: 2 ", Extraction(after="A: ", occurrence="first"), "1 A: 2 "),
        ("A:1", Extraction(after="A: "), None),
        ("A: ", Extraction(after="A: "), ""),
        ("1 and 2", Extraction(pattern=r"\d"), "2"),
        ("1 and 2", Extraction(pattern=r"\d", take="first"), "1"),
        ("none", Extraction(pattern=r"\d"), None),
        ("k=1; k=2", Extraction(pattern=r"k=(\d)"), "2"),
        ("k=1, 9", Extraction(pattern=r"(k)=(?P<answer>\d)"), "1"),
        ("b", Extraction(pattern=r"a(\d)|b"), None),
        ("one\n\ntwo # end", Extraction(cut=("# end", "\n\n")), "one"),
        ("nothing to cut", Extraction(cut=("#",)), "nothing to cut"),
        ("# all", Extraction(cut=("#",)), ""),
        ("  x \n", Extraction(strip=True), "x"),
        ("We get 3. The answer is: 18.\n", GSM, "18."),
        ("The answer is:18", GSM, None),
        ("the answer is: 18", GSM, None),
        ("The answer is: 1\nThe answer is: 2", GSM, "2"),
    ],
)
def test_steps(text: str, rule: Extraction, expected: str | None) -> None:
    assert extract(text, rule) == expected


def test_steps_apply_in_order() -> None:
    rule = Extraction(
        remove=("*",), after="Answer:", occurrence="first", pattern=r"\[(.*?)\]", take="first", cut=(";",), strip=True
    )
    # The marker appears only once the stars are gone; the bracket before it is not seen; the cut is in the match.
    assert extract("[no] An*swer: [ 42 ; 43] [no]", rule) == "42"


def test_a_pattern_sees_a_bounded_part() -> None:
    filler = "x" * SEARCHED
    assert extract("7" + filler, Extraction(pattern=r"\d", take="last")) is None
    assert extract("7" + filler, Extraction(pattern=r"\d", take="first")) == "7"
    assert extract(filler + "7", Extraction(pattern=r"\d", take="last")) == "7"
    assert extract(filler + "7", Extraction(pattern=r"\d", take="first")) is None


def test_long_replies_are_quick() -> None:
    started = time.process_time()
    rule = Extraction(remove=("\r",), after="The answer is: ", pattern=r"[-+]?\d*[.,/]?\d+", cut=(".",), strip=True)
    for text in ("The answer is: " + "9" * 3_000_000, "The answer is: " * 200_000, "\r" * 3_000_000):
        extract(text, rule)
    assert time.process_time() - started < 20


@settings(deadline=None)
@given(st.text())
def test_any_reply_gives_text_or_nothing(text: str) -> None:
    rule = Extraction(remove=("a",), after="b", pattern="c*", cut=("d",), strip=True)
    answer = extract(text, rule)
    assert answer is None or "a" not in answer

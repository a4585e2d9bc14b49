"""Text of any origin, made safe; numbers, as reports write them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reporting import plain, text
from harness.types import Bounds


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\nb\rc\td\0", "a\\x0ab\\x0dc\\x09d\\x00"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("\x9b31m\x85", "\\x9b31m\\x85"),
        ("a\u2028b\ufeffc\u200bd", "a\\u2028b\\ufeffc\\u200bd"),
        ("\ud83d", "\\ud83d"),
        ("\U000e0041", "\\U000e0041"),
        ("模型 é 👩\u200d🔬", "模型 é 👩\u200d🔬"),
    ],
)
def test_plain(raw: str, safe: str) -> None:
    assert plain(raw) == safe


def test_plain_keeps_lines_where_asked() -> None:
    assert plain("a\r\n\tb\rc\x1b", lines=True) == "a\n\tb\\x0dc\\x1b"


@given(st.text(st.characters()))
def test_plain_leaves_no_control_character(raw: str) -> None:
    assert not {unicodedata.category(char) for char in plain(raw).replace("\u200c", "").replace("\u200d", "")} & {
        "Cc", "Cf", "Cs", "Zl", "Zp",
    }  # fmt: skip


def test_markdown_cells_are_literal() -> None:
    assert text.markdown_cell("a|b`c`<i>*x*_y_[z](u)&$q$\n") == (
        "a\\|b\\`c\\`&lt;i&gt;\\*x\\*\\_y\\_\\[z\\](u)&amp;\\$q\\$\\\\x0a"
    )


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_csv_cells_are_no_formulas(name: str) -> None:
    assert text.csv_cell(name) == f"'{name}"


def test_csv_cells_are_else_as_they_are() -> None:
    assert text.csv_cell("a=b") == "a=b"


def test_shorten_keeps_both_ends() -> None:
    assert text.shorten("abcdefghij", 10) == "abcdefghij"
    assert text.shorten("abcdefghijk", 10) == "abcde…hijk"
    assert len(text.shorten("x" * 100, 11)) == 11


def test_numbers() -> None:
    assert text.number(0.7926, rate=True) == "79.3 %"
    assert text.number(7.843, rate=False) == "7.84"
    assert text.number(None, rate=True) == "–"
    assert text.interval(0.5, 1, rate=True) == "50.0 to 100.0"
    assert text.interval(None, None, rate=True) == "–"
    assert text.difference(-0.0061, rate=True) == "−0.6"
    assert text.difference(0.25, rate=False) == "+0.25"
    assert text.unscored({}) == "0"
    assert text.unscored({"http-500": 2, "a\x1b": 1}) == "3 (http-500: 2, a\\x1b: 1)"
    assert text.bounds(Bounds(low=0.1, high=0.2), rate=True) == "10.0 to 20.0"
    assert text.bounds(None, rate=True) == ""

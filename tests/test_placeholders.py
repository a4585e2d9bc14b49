"""The one grammar of templates."""

from __future__ import annotations

import pytest

from harness.errors import SpecError
from harness.placeholders import Placeholder, parse, placeholders


def test_literal_text_and_placeholders_in_order() -> None:
    assert parse("a {b|after:#### |remove:,}{{c}} {texts.rules}") == (
        "a ",
        Placeholder("b", (("after", "#### "), ("remove", ","))),
        "{",
        "c",
        "}",
        " ",
        Placeholder("texts.rules"),
    )
    assert [found.path for found in placeholders("{b} {{no}} {a.0} {b}")] == ["b", "a.0", "b"]


def test_a_pinned_text_is_told_from_a_field() -> None:
    assert [found.text for found in placeholders("{texts.rules} {texts} {text.s}")] == ["rules", None, None]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("{a}", ["a"]),
        ("{a.0}", ["a.0"]),
        ("{a.b.1}", ["a.b.1"]),
        ("{{literal}}", []),
        ("{{{a}}}", ["a"]),
        ("none", []),
        ("{Best Answer}", ["Best Answer"]),
    ],
)
def test_fine(text: str, paths: list[str]) -> None:
    assert [found.path for found in placeholders(text)] == paths


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n{", "unpaired '{' in line 2 — a literal brace is written '{{'"),
        ("}", "unpaired '}' in line 1"),
        ("{a}}", "unpaired '}'"),
        ("{}", "'{}' is no placeholder"),
        ("{a.}", "'{a.}' is no placeholder"),
        ("{.a}", "is no placeholder"),
        ("{ a }", "is no placeholder"),
        ('{"a": 1}', "literal braces are written '{{' and '}}'"),
        ("{a\n}", "is no placeholder"),
        ("{a!r}", "is no placeholder"),
        ("{a:>3}", "is no placeholder"),
        ("{a|}", "unknown filter ''"),
        ("{a|aftr:x}", "unknown filter 'aftr' — did you mean 'after'?"),
        ("{a|after}", "filter 'after' lacks its literal"),
        ("{a|remove:}", "filter 'remove' lacks its literal"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert message in str(caught.value)

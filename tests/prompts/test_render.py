"""Placeholders: one pass, strict, and errors that name the nearest field."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import SpecError
from harness.prompts import lookup, render


@pytest.mark.parametrize(
    ("template", "record", "expected"),
    [
        ("no placeholder", {}, "no placeholder"),
        ("", {}, ""),
        ("{q}", {"q": "why?"}, "why?"),
        ("a {q} b {q}", {"q": "x"}, "a x b x"),
        ("{turns.0}/{turns.1}", {"turns": ["one", "two"]}, "one/two"),
        ("{table.key}", {"table": {"key": "v"}}, "v"),
        ("{a.b}", {"a.b": "whole name first", "a": {"b": "parts"}}, "whole name first"),
        ("{two words} {with-dash}", {"two words": "1", "with-dash": "2"}, "1 2"),
        ("{{{q}}}", {"q": "x"}, "{x}"),
        ("{{q}}", {"q": "x"}, "{q}"),
        ("{n} {f} {b}", {"n": 3, "f": 0.5, "b": True}, "3 0.5 true"),
        ("{a|after:#### }", {"a": "steps #### 3\n#### 1,234 "}, "1,234"),
        ("{a|after:#### |remove:,}", {"a": "#### 1,234,567"}, "1234567"),
        ("{a|remove: }", {"a": " 1 2 "}, "12"),
        ("{a|after:::}", {"a": "x::y"}, "y"),
    ],
)
def test_renders(template: str, record: dict[str, object], expected: str) -> None:
    assert render(template, record) == expected


def test_pinned_texts() -> None:
    assert render("{texts.shots}\n{q}", {"q": "{texts.shots}"}, {"shots": "{q}"}) == "{q}\n{texts.shots}"


@pytest.mark.parametrize(
    ("template", "record", "message"),
    [
        ("{qustion}", {"question": "x"}, "no field 'qustion' — did you mean 'question'?"),
        ("{turns.2}", {"turns": ["a", "b"]}, "'turns' has no item '2' — it is a list of 2 items"),
        ("{turns.x}", {"turns": ["a"]}, "'turns' has no item 'x'"),
        ("{q.0}", {"q": "text"}, "neither a list nor a table"),
        ("{table.kee}", {"table": {"key": "v"}}, "did you mean 'key'?"),
        ("{texts.shot}", {}, "pins no text 'shot' — did you mean 'shots'?"),
        ("{q}", {"q": None}, "'q' is null"),
        ("{q}", {"q": ["a"]}, "is a list — name one item of it, as in {q.0}"),
        ("{q}", {"q": {"a": 1}}, "is a table"),
        ("a } b", {}, "unpaired '}' in line 1"),
        ("a { b", {}, "unpaired '{' in line 1"),
        ("{}", {}, "no placeholder"),
        ('{"a": 1}', {}, "no placeholder"),
        ("{q|aftr:x}", {"q": ""}, "unknown filter 'aftr' — did you mean 'after'?"),
        ("{q|after}", {"q": ""}, "lacks its literal"),
        ("{q|remove:}", {"q": ""}, "lacks its literal"),
        ("{q|after:####}", {"q": "no marker"}, "does not contain '####'"),
    ],
)
def test_refuses(template: str, record: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        render(template, record, {"shots": "x"}, where="demo/task: prompt")
    assert message in str(caught.value)
    assert str(caught.value).startswith("demo/task: prompt: ")


def test_lookup_finds_any_value() -> None:
    assert lookup({"choices": {"text": ["a"]}}, "choices.text") == ["a"]
    assert lookup({"x": None}, "x") is None


@settings(deadline=None)
@given(st.text())
def test_escaped_text_comes_back(text: str) -> None:
    assert render(text.replace("{", "{{").replace("}", "}}"), {}) == text


@settings(deadline=None)
@given(st.text(), st.text(alphabet="{}|abtexs.0:"))
def test_values_are_never_read_again(first: str, second: str) -> None:
    record = {"a": first, "b": second, "text": "LEAK"}
    assert render("<{a}|{b}>", record, {"t": "LEAK"}) == f"<{first}|{second}>"


@settings(deadline=None)
@given(st.text())
def test_values_of_texts_are_never_read_again(text: str) -> None:
    assert render("{texts.t}", {"q": "LEAK"}, {"t": text}) == text

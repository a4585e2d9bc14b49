"""Names, notes and replies are written by others; no report lets them act."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.reporting import Comparison, as_csv, as_json, compare, html, markdown, terminal
from harness.reporting.drawing import render
from harness.types import PublishedNumber, Report

NAMES = (
    "<script>alert(1)</script>",
    "\x1b[31mred\x1b]8;;http://evil.example\x07link",
    "$\\frac$",
    "\u202egnihton\u2066\u200b",
    "a|b`c`**d**[e](javascript:alert(1))<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "[red]not red[/red] [link=http://evil.example]x[/link]",
    "=HYPERLINK(1)",
    "{{ 7*7 }}{% raw %}",
    "lone \ud800 surrogate",
    "-->]]>&lt;b&gt;",
    "模型 ✨",
    "_hidden",
    "x" * 300,
)


@pytest.fixture
def hostile(make_cell: Callable[..., Any]) -> Comparison:
    cells = [make_cell(name, passed=i, ask_id=f"{i:02x}" * 32) for i, name in enumerate(NAMES)]
    cells.append(make_cell("victim", errors={("Toy/3", 0): "<b>\x1b[2J"}, overrides={"stop": ("<i>\x1b",)}))
    published = [
        PublishedNumber(
            model=name, task="toy/zero-shot", metric="pass@1", value=0.5, source=f"source {name}", note=f"note {name}"
        )
        for name in NAMES
    ]
    return compare(cells, published, [], Report(name="r", title=f"T {NAMES[0]}{NAMES[1]}", caption="c \x1b<u>"))


class Elements(HTMLParser):
    """Collects tags and the attributes through which a page could act or fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name in {"href", "xlink:href", "src", "srcset", "data"}]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_html_has_no_foreign_element_and_fetches_nothing(hostile: Comparison) -> None:
    made = html(hostile)
    made.encode("utf-8")
    page = Elements()
    page.feed(made)
    assert not page.tags & {
        "script",
        "img",
        "iframe",
        "object",
        "embed",
        "link",
        "base",
        "form",
        "image",
        "foreignobject",
    }
    assert not [name for name in page.attributes if name.startswith("on")]
    assert page.links
    assert all(link.startswith("#") for link in page.links)
    assert not re.search(r"url\((?!#)|@import", made)
    assert not any(char in made for char in "\x1b\x07\u202e\u2066\u200b\0")
    for raw in ("<script>alert", "<img src=x", '"><svg onload', "<b>", "<i>", "<u>"):
        assert raw not in made
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in made
    shown = "".join(page.text)
    assert "<script>alert(1)</script>" in shown
    assert "{{ 7*7 }}{% raw %}" in shown


def test_the_page_is_well_formed(hostile: Comparison) -> None:
    made = html(hostile)
    for tag in ("table", "tr", "td", "th", "details", "dl", "dd", "figure", "svg", "g", "main", "div"):
        closed = made.count(f"</{tag}>") + len(re.findall(rf"<{tag}(?:\s[^>]*)?/>", made))
        assert len(re.findall(rf"<{tag}[\s>]", made)) == closed, tag
    ids = re.findall(r'\bid="([^"]+)"', made)
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in re.findall(r'href="(#[^"]+)"', made)} <= set(ids)


@pytest.mark.parametrize(("width", "is_terminal"), [(60, True), (200, True), (80, False)])
def test_the_terminal_gets_no_control_character_of_others(hostile: Comparison, width: int, is_terminal: bool) -> None:
    stream = io.StringIO()
    terminal(hostile, Console(file=stream, width=width, force_terminal=is_terminal, color_system="standard" if is_terminal else None))  # fmt: skip  # noqa: E501
    made = stream.getvalue()
    ours = re.sub(r"\x1b\[[0-9;]*m", "", made)  # rich's own styles
    assert "\x1b" not in ours
    assert "\x1b[31m" not in made
    assert "\x1b]8" not in made
    assert not any(char in made for char in "\x07\u202e\u2066\u200b")
    flat = re.sub(r"\s+", "", ours)
    if width != 200:
        assert "[red]notred[/red]" in flat
    assert "\\x1b[31m" in flat.replace("│", "")
    if not is_terminal:
        assert "\x1b" not in made


def test_markdown_is_literal(hostile: Comparison) -> None:
    made = markdown(hostile)
    made.encode("utf-8")
    assert not re.search(r"<[a-zA-Z/!]", made)
    assert not any(char in made for char in "\x1b\x07\u202e\u2066\u200b")
    rows = [line for line in made.splitlines() if line.startswith("| ")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows[: len(NAMES) + 3]}) == 1
    assert not re.search(r"(?<!\\)[`*$\[]", made.replace("**", "")), "unescaped markup"


def test_csv_is_rectangular_and_runs_nothing(hostile: Comparison) -> None:
    rows = list(csv.reader(io.StringIO(as_csv(hostile))))
    assert len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "@"))]


def test_json_is_ascii_and_keeps_names(hostile: Comparison) -> None:
    made = as_json(hostile)
    assert made.isascii()
    assert {row["model"] for row in json.loads(made)["rows"]} == {*NAMES, "victim"}


def test_the_figure_reads_no_markup(hostile: Comparison, tmp_path: Path) -> None:
    png, svg = render(hostile)
    assert png.startswith(b"\x89PNG")
    assert b"<script" not in svg
    assert b"onload" not in re.sub(rb"<!--.*?-->", b"", svg, flags=re.DOTALL)

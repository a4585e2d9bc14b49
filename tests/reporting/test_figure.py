"""The figure and the picture inside the page."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.reporting import Comparison, compare, drawing, figure, html, svg
from harness.reporting.drawing import render
from harness.types import Estimate, Report


def size(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def test_the_same_comparison_gives_the_same_bytes(example: Comparison) -> None:
    assert render(example) == render(example)


def test_the_svg_has_its_text_as_paths_and_no_date(example: Comparison) -> None:
    drawn = render(example)[1].decode()
    assert "<text" not in drawn
    assert "dc:date" not in drawn


def test_the_inline_picture_is_shapes_only(example: Comparison) -> None:
    made = svg.inline(render(example)[1], 'Bars of <b> & "c"')
    assert set(re.findall(r"<([a-zA-Z:]+)", made)) <= {
        "svg",
        "title",
        "g",
        "defs",
        "path",
        "use",
        "clipPath",
        "rect",
        "pattern",
    }
    assert "http" not in made
    assert "<!--" not in made
    assert '<title id="figure-title">Bars of &lt;b&gt; &amp; "c"</title>' in made
    assert 'role="img"' in made
    assert 'viewBox="0 0' in made


def test_what_is_no_shape_is_cut_away() -> None:
    made = svg.inline(
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" onload="x()">'
        b"<!-- words --><script>x()</script><style>*{}</style><foreignObject/><a><path/></a>"
        b'<g onclick="x()" style="fill: url(http://evil.example)"><path d="M0 0" style="fill: #fff"/>'
        b'<use xlink:href="http://evil.example#a"/><use xlink:href="#a"/><image href="http://evil.example"/></g></svg>',
        "t",
    )
    for gone in ("words", "script", "*{}", "foreign", "<a", "onclick", "onload", "evil", "image"):
        assert gone not in made
    assert '<path d="M0 0" style="fill: #fff" />' in made
    assert '<use href="#a" />' in made


def test_nothing_scored_is_a_picture_too() -> None:
    png, _ = render(compare([], [], []))
    assert size(png)[0] > 1000


def test_a_very_tall_figure_stays_within_what_can_be_drawn(
    example: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "_MOST_PIXELS", 500)
    assert size(render(example)[0])[1] <= 500


def test_other_scales_have_their_own_axis(make_cell: Callable[..., Any]) -> None:
    cell = make_cell()
    facts, scores, estimates = cell.scored["5c" * 32]
    judged = Estimate(metric="score", value=7.9, low=7.1, high=8.6, method="t-clustered", n=80)
    cell.add(facts, scores, [*estimates, judged])
    assert size(render(compare([cell], [], []))[0])[1] > size(render(compare([make_cell()], [], []))[0])[1]


def test_a_report_without_a_figure(make_cell: Callable[..., Any]) -> None:
    made = html(compare([make_cell()], [], [], Report(name="r", title="R", figure="none")))
    assert "<figure>" not in made


def test_the_page_contains_the_figure(example: Comparison) -> None:
    made = html(example)
    assert made.count("<svg") == 1
    assert made.index("<figure>") < made.index("<svg")


def test_files(example: Comparison, tmp_path: Path) -> None:
    png, picture = tmp_path / "a.png", tmp_path / "b.svg"
    figure(example, png, picture)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in picture.read_bytes()


def test_importing_the_package_loads_no_heavy_library() -> None:
    heavy = "{'numpy', 'scipy', 'matplotlib', 'jinja2', 'rich.table', 'pandas'}"
    code = f"import sys, harness.reporting; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "name", ["short", "organisation/a-very-long-name-that-needs-a-second-line-and-then-some-more-of-it"]
)
def test_the_picture_has_one_width(make_cell: Callable[..., Any], name: str) -> None:
    assert size(render(compare([make_cell(name)], [], []))[0])[0] == 1536

"""The radar of judged categories: what is drawn, what is not, and where it goes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Tree

import msgspec
import pytest

from harness.reporting import Comparison, compare, html, radar, write
from harness.types import Estimate

from .conftest import build_cell

CATEGORIES = ("writing", "math", "coding", "stem")


def judged(model: str, values: Mapping[str, float | None], metric: str = "score", field: str = "category") -> Any:
    cell = build_cell(model, "toy/judged")
    [(score_id, (scoring, scores, _))] = cell.scored.items()
    estimates = [
        Estimate(metric=metric, slice={field: name}, value=value, low=None, high=None, method="none", n=2)
        for name, value in values.items()
    ]
    cell.scored[score_id] = (scoring, scores, estimates)
    return cell


def comparison(cells: Sequence[Any]) -> Comparison:
    return compare(cells, (), ())


def test_every_model_has_a_line_over_all_categories() -> None:
    found = comparison(
        [
            judged("b", dict(zip(CATEGORIES, (9.0, 3.0, 4.0, 8.0), strict=True))),
            judged("a", {"writing": 7.0, "math": None, "coding": 5.0}),
        ]
    )
    [panel] = radar.panels(found)
    assert panel.categories == ("coding", "math", "stem", "writing")
    assert [(line.label, line.values) for line in panel.lines] == [
        ("a", (5.0, None, None, 7.0)),
        ("b", (4.0, 3.0, 8.0, 9.0)),
    ]


def test_of_reviews_the_relative_score_is_drawn_and_not_its_parts() -> None:
    skills = dict.fromkeys(("Math", "Art", "Law"), 97.0)
    cell = judged("a", skills, "relative", "Skill")
    [(score_id, (scoring, scores, estimates))] = cell.scored.items()
    more = [msgspec.structs.replace(one, metric=name, value=8.0) for one in estimates for name in ("score", "win")]
    levels = [
        msgspec.structs.replace(one, slice={"Difficulty": level})
        for one, level in zip(estimates, ("1", "2", ">=8"), strict=True)
    ]
    cell.scored[score_id] = (scoring, scores, [*estimates, *more, *levels])
    [panel] = radar.panels(comparison([cell]))
    assert (panel.metric, panel.categories) == ("relative", ("Art", "Law", "Math"))


@pytest.mark.parametrize(
    "values", [{"writing": 7.0, "math": 5.0}, {"1": 5.0, "2": 6.0, "3": 7.0}, {}], ids=["two", "numbers", "none"]
)
def test_without_three_categories_there_is_no_radar(values: dict[str, float | None]) -> None:
    assert radar.render(comparison([judged("a", values)])) is None


def test_the_radar_lies_beside_the_bars_and_in_the_page(tmp_path: Path) -> None:
    hostile = "<b>&model</b> $x^2$"
    cells = [judged(name, dict.fromkeys(CATEGORIES, 7.0)) for name in (hostile, *(f"m{n}" for n in range(9)))]
    found = comparison(cells)
    names = [path.name for path in write(found, tmp_path)]
    assert names[-2:] == ["radar.png", "radar.svg"]
    assert (tmp_path / "radar.png").read_bytes().startswith(b"\x89PNG")
    assert Tree.fromstring((tmp_path / "radar.svg").read_bytes()).tag.endswith("svg")
    page = html(found)
    assert page.count("<svg") == 2
    assert hostile not in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))  # two pictures of one page share no id
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert radar.render(found) == radar.render(found)
    assert "radar.png" not in [path.name for path in write(msgspec.structs.replace(found, figure="none"), tmp_path)]

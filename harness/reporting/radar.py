"""The radar: what judges say of each model by category, one panel for each judged task that has categories."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from harness.plain import plain
from harness.reporting import drawing, text
from harness.reporting.comparison import Comparison, Row, grouped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRICS = ("relative", "score")
"""What is drawn of a task: the first of these that it has by category."""

_FEWEST = 3  # categories; fewer span no area
_WIDTH = 9.6  # inches, as all lengths here
_PANEL = 5.4
_TITLE = 0.5
_LINE = 0.24
_LABEL_CHARACTERS = 22
_TOP_OF_RATINGS = 10


class Line(msgspec.Struct, frozen=True):
    """One model's values by category, None where nothing was scored; the label tells its runs apart."""

    label: str
    model: str
    values: tuple[float | None, ...]


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One task's categories, and a line for each model."""

    task: str
    metric: str
    categories: tuple[str, ...]
    lines: tuple[Line, ...]


def panels(comparison: Comparison) -> list[Panel]:
    """The panels of a comparison; none where no judged task has three categories or more."""
    found = []
    for (task,), rows in grouped(comparison.sliced, lambda row: (row.task,)):
        for metric in METRICS:
            named = [row for row in rows if row.metric == metric and _category(row) is not None]
            fields = grouped(named, lambda row: tuple(row.slice or ()))
            drawn = [_panel(task, metric, some) for _, some in fields]
            drawn = [one for one in drawn if len(one.categories) >= _FEWEST]
            if drawn:
                found += drawn
                break
    return found


def render(comparison: Comparison) -> tuple[bytes, bytes] | None:
    """Draw the radar as PNG and SVG, as `drawing.render` does the bars; None where there is nothing to draw."""
    found = panels(comparison)
    if not found:
        return None
    with drawing.style():
        figure = _draw(found, sorted({row.model for row in comparison.rows}))
        png, svg = io.BytesIO(), io.BytesIO()
        figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    return png.getvalue(), svg.getvalue()


def _category(row: Row) -> str | None:
    """The name of a row's category; None for parts that are numbers in an order (turns, difficulties)."""
    [value, *more] = (row.slice or {"": ""}).values()
    return None if more or not value or value.lstrip("<>=").isdecimal() else value


def _panel(task: str, metric: str, rows: Sequence[Row]) -> Panel:
    categories = tuple(dict.fromkeys(sorted(_category(row) or "" for row in rows)))
    lines = []
    for (model, name, _), own in grouped(rows, lambda row: (row.model, row.name, str(row.origin))):
        values = {_category(row): row.value for row in own}
        label = model + plain(name)[len(task) :]
        lines.append(Line(label, model, tuple(values.get(category) for category in categories)))
    return Panel(task=task, metric=metric, categories=categories, lines=tuple(sorted(lines, key=lambda one: one.label)))


def _draw(found: Sequence[Panel], models: Sequence[str]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [_TITLE + _PANEL + _LINE * len(one.lines) + 0.2 for one in found]
    height = sum(heights)
    figure = Figure(figsize=(_WIDTH, height), facecolor="white")
    FigureCanvasAgg(figure)
    top = height
    for one, tall in zip(found, heights, strict=True):
        size = _PANEL - 1.1  # room for the categories' names around the circle
        left, bottom = (_WIDTH - size) / 2, top - _TITLE - 0.45 - size
        axes = figure.add_axes((left / _WIDTH, bottom / height, size / _WIDTH, size / height), projection="polar")
        unit = "% of the reference model's points" if one.metric == "relative" else "of 10"
        heading = f"{text.shorten(plain(one.task), 60)}   {one.metric} ({unit})"
        figure.text(0.02, (top - 0.22) / height, heading, fontsize=10.5, fontweight="bold", va="center")
        handles = _lines(axes, one, models)
        figure.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, (top - _TITLE - _PANEL) / height),
            ncols=1 if len(handles) < 4 else 2,
            frameon=False,
            fontsize=8.5,
        )
        top -= tall
    return figure


def _lines(axes: Any, panel: Panel, models: Sequence[str]) -> list[Any]:
    count = len(panel.categories)
    angles = [2 * math.pi * place / count for place in range(count)]
    axes.set_theta_offset(math.pi / 2)
    axes.set_theta_direction(-1)
    handles = []
    for place, one in enumerate(panel.lines):
        said = [math.nan if value is None else value for value in one.values]
        colour = drawing.PALETTE[models.index(one.model) % len(drawing.PALETTE)]
        # A category without a value is a gap in the line, not a zero.
        [line] = axes.plot(
            [*angles, 2 * math.pi],
            [*said, said[0]],
            color=colour,
            linewidth=1.8,
            marker="o",
            markersize=3.5,
            linestyle=("-", "--", ":", "-.")[place % 4],
            label=text.shorten(plain(one.label), 60),
            zorder=3,
            clip_on=False,
        )
        if not any(math.isnan(value) for value in said):
            axes.fill(angles, said, color=colour, alpha=0.06, zorder=2)
        handles.append(line)
    known = [value for one in panel.lines for value in one.values if value is not None]
    top = _TOP_OF_RATINGS if panel.metric == "score" else 20 * math.ceil(max([100.0, *known]) / 20)
    axes.set_ylim(0, max([top, *known]))
    step = 2 if panel.metric == "score" else 20
    axes.set_yticks(range(step, top + 1, step))
    axes.tick_params(axis="y", labelsize=7.5)
    axes.set_rlabel_position(180 / count)  # between two spokes
    size = 9.5 if count <= 12 else 7.2
    axes.set_xticks(angles, [text.shorten(plain(one), _LABEL_CHARACTERS) for one in panel.categories], fontsize=size)
    for angle, name in zip(angles, axes.get_xticklabels(), strict=True):
        name.set_horizontalalignment(
            "center" if math.isclose(math.sin(angle), 0, abs_tol=0.05) else "left" if math.sin(angle) > 0 else "right"
        )
    axes.grid(color=drawing.GRID, linewidth=0.8)
    axes.spines["polar"].set_color(drawing.GRID)
    return handles

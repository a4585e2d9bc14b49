"""The figure: one bar per model and number, its interval, and the published number beside it."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.plain import plain
from harness.reporting import text
from harness.reporting.comparison import Comparison, Row, grouped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which the common colour blindnesses keep apart, without its yellow (too faint on white).
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7F7F7F")

_WIDTH = 9.6  # inches, as all lengths here
_BAR = 0.44
_HEADING = 0.62
_FOOT = 0.85
_TOP = 0.45
_GAP = 0.06
_NOTE_COLUMN = 2.3
_LABEL_CHARACTERS = 30
_MOST_PIXELS = 60_000  # Agg draws at most 65,535 pixels a side
_DPI = 160

_INK = "#1A1A1A"
_SOFT = "#5F6368"
GRID = "#E3E5E8"

_SETTINGS: Any = {
    "text.parse_math": False,  # a `$` in a model's name is a `$`
    "text.usetex": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "wizard-harness",  # ids are then the same in every run
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same picture everywhere
    "font.size": 9.5,
    "text.color": _INK,
    "axes.edgecolor": GRID,
    "xtick.color": _SOFT,
    "ytick.color": _INK,
    "hatch.linewidth": 0.8,
    "path.simplify": False,
}


def render(comparison: Comparison) -> tuple[bytes, bytes]:
    """Draw the comparison's rows over all items.

    The same comparison gives the same bytes with the same matplotlib.

    Returns:
        The PNG and the SVG. Both are drawn on white; the SVG has its text as paths and refers to nothing outside it.
    """
    with style():
        figure = _draw(comparison)
        png, svg = io.BytesIO(), io.BytesIO()
        dpi = min(_DPI, _MOST_PIXELS / figure.get_figheight())
        figure.savefig(png, format="png", dpi=dpi, metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    return png.getvalue(), svg.getvalue()


@contextmanager
def style() -> Iterator[None]:
    """Draw in one style, the same everywhere."""
    import matplotlib as mpl

    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the tables have it in full.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def _draw(comparison: Comparison) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [rows for _, rows in grouped(comparison.overall, lambda row: (row.task, row.metric))]
    models = list(dict.fromkeys(row.model for row in comparison.overall))
    colours = {model: PALETTE[index % len(PALETTE)] for index, model in enumerate(sorted(models))}
    heights = [_HEADING + _BAR * len(rows) for rows in panels]
    height = _TOP + sum(heights) + _GAP * len(panels) + _FOOT if panels else 2.0
    figure = Figure(figsize=(_WIDTH, height), facecolor="white")
    FigureCanvasAgg(figure)
    title = "\n".join(textwrap.wrap(plain(comparison.title), 70)[:1]) or " "
    figure.text(0.02, 1 - 0.2 / height, title, fontsize=13, fontweight="bold", va="top")
    if not panels:
        figure.text(0.02, 0.45, "Nothing has been scored yet.", color=_SOFT)
        return figure
    labels = [[_label(row) for row in rows] for rows in panels]
    left = _label_width(figure, labels) + 0.3
    width = _WIDTH - left - _NOTE_COLUMN
    top = height - _TOP
    for index, (rows, names, tall) in enumerate(zip(panels, labels, heights, strict=True)):
        bottom = top - tall
        box = (left / _WIDTH, bottom / height, width / _WIDTH, (tall - _HEADING) / height)
        # One percent scale under a run of rates is enough.
        same_below = _rates(rows) and index + 1 < len(panels) and _rates(panels[index + 1])
        axes = figure.add_axes(box)
        _panel(axes, rows, names, [colours[row.model] for row in rows], ticks=not same_below)
        figure.text(0.02, (top - 0.36) / height, _heading(rows), fontsize=10.5, fontweight="bold", va="center")
        top = bottom - _GAP
    _legend(figure, comparison.overall, height)
    return figure


def _rates(rows: Sequence[Row]) -> bool:
    return all(row.rate for row in rows)


def _heading(rows: Sequence[Row]) -> str:
    first = rows[0]
    unit = " (%)" if _rates(rows) else ""
    return f"{text.shorten(plain(first.task), 60)}   {plain(first.metric)}{unit}"


def _label(row: Row) -> str:
    """The model, and on a second line whatever of the number's name the heading does not say."""
    name = plain(row.model)
    own = plain(row.name)[len(plain(row.task)) :].strip()
    if own:
        return f"{text.shorten(name, _LABEL_CHARACTERS)}\n{text.shorten(own, _LABEL_CHARACTERS)}"
    if len(name) <= _LABEL_CHARACTERS:
        return name
    seam = max(name.rfind(mark, 0, _LABEL_CHARACTERS) for mark in "/-_ ") + 1
    seam = seam if seam > _LABEL_CHARACTERS // 3 else _LABEL_CHARACTERS
    return f"{name[:seam].rstrip()}\n{text.shorten(name[seam:], _LABEL_CHARACTERS)}"


def _label_width(figure: Figure, labels: Sequence[Sequence[str]]) -> float:
    """Width of the widest label, in inches."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]  # every Agg canvas has one
    widest = 0.8
    for label in (label for names in labels for label in names):
        drawn = figure.text(0, 0, label, fontsize=9.5)
        widest = max(widest, drawn.get_window_extent(renderer).width / figure.dpi)
        drawn.remove()
    return widest


def _panel(axes: Axes, rows: Sequence[Row], labels: Sequence[str], colours: Sequence[str], *, ticks: bool) -> None:
    percent = 100 if _rates(rows) else 1
    positions = range(len(rows))
    for place, row, colour in zip(positions, rows, colours, strict=True):
        if row.value is not None:
            _bar(axes, place, row, colour, percent)
        if row.bounds is not None:
            ends = [percent * row.bounds.low, percent * row.bounds.high]
            axes.plot(ends, [place + 0.34] * 2, color=_INK, linewidth=1.1, linestyle=(0, (1, 1.2)), zorder=4)
        for published in (entry for entry in row.published if not entry.incomparable):
            axes.plot(
                percent * published.value,
                place,
                marker="D",
                markersize=6.5,
                markerfacecolor="white",
                markeredgecolor=_INK,
                markeredgewidth=1.3,
                linestyle="none",
                zorder=5,
                clip_on=False,
            )
        _note(axes, place, row)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(list(positions), labels)
    axes.tick_params(axis="both", length=0)
    if percent == 100:
        axes.set_xlim(0, 100)
        axes.set_xticks(range(0, 101, 20))
    else:
        axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    axes.tick_params(axis="x", labelbottom=ticks, labelsize=8.5)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)


def _bar(axes: Axes, place: int, row: Row, colour: str, percent: int) -> None:
    value = percent * (row.value or 0.0)
    whole = not row.marks
    axes.barh(
        place,
        value,
        height=0.58,
        color=colour if whole else "white",
        edgecolor=colour,
        hatch=None if whole else "////",
        linewidth=0.8,
        zorder=2,
    )
    if row.low is not None and row.high is not None:
        ends = [[max(0.0, value - percent * row.low)], [max(0.0, percent * row.high - value)]]
        # A white line under the dark one keeps the interval visible on every colour.
        for ink, thick, cap in (("white", 3.6, 4.6), (_INK, 1.5, 3.6)):
            axes.errorbar(
                value, place, xerr=ends, ecolor=ink, elinewidth=thick, capsize=cap, capthick=thick, fmt="none",
                zorder=3, clip_on=False,
            )  # fmt: skip


def _note(axes: Axes, place: int, row: Row) -> None:
    """The number itself, in a column of its own right of the bars, so that nothing can overlap it."""
    place_in: dict[str, Any] = {
        "xycoords": ("axes fraction", "data"),
        "textcoords": "offset points",
        "annotation_clip": False,
    }
    value = text.number(row.value, rate=row.rate, unit=False)
    axes.annotate(
        value, (1, place), (44, 0), va="center_baseline", ha="right", fontsize=10.5, fontweight="bold", **place_in
    )  # fmt: skip
    first = " · ".join([text.interval(row.low, row.high, rate=row.rate), *map(_short, row.marks[:1])])
    second = f"n {row.n} · {sum(row.unscored.values())} unscored"
    axes.annotate(
        f"{first}\n{second}",
        (1, place), (54, 0), va="center", ha="left", fontsize=7.6, color=_SOFT, linespacing=1.25, **place_in,
    )  # fmt: skip


def _short(mark: str) -> str:
    return text.shorten(plain(mark.partition(":")[0]), 12)


def _legend(figure: Figure, rows: Sequence[Row], height: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    confidence = " / ".join(f"{100 * level:g} %" for level in sorted({row.confidence for row in rows}))
    handles: list[Any] = [Line2D([], [], color=_INK, linewidth=1.5, marker="|", markersize=8)]
    labels = [f"{confidence} interval"]
    if any(not entry.incomparable for row in rows for entry in row.published):
        handles.append(
            Line2D([], [], marker="D", markersize=6.5, markerfacecolor="white", markeredgecolor=_INK, linestyle="none")
        )
        labels.append("published")
    if any(row.bounds is not None for row in rows):
        handles.append(Line2D([], [], color=_INK, linewidth=1.1, linestyle=(0, (1, 1.2))))
        labels.append("if all unscored were wrong … right")
    if any(row.marks for row in rows):
        handles.append(Patch(facecolor="white", edgecolor=_SOFT, hatch="////", linewidth=0.8))
        labels.append("partial, limited or asked by another task")
    figure.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0.012, 0.14 / height),
        ncols=len(handles),
        frameon=False,
        fontsize=8.5,
        handletextpad=0.6,
        columnspacing=1.8,
        borderpad=0,
    )

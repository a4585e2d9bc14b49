"""The comparison as one HTML file that asks no network and runs no script."""

from __future__ import annotations

from harness.catalog.folders import shipped
from harness.errors import HarnessError
from harness.plain import plain
from harness.reporting import drawing, radar, svg, text, words
from harness.reporting.comparison import Comparison, Row

_TEMPLATE = "comparison.html.j2"


def html(comparison: Comparison) -> str:
    """Write the page: tables, figure, sources, and how each number was made.

    Raises:
        HarnessError: The template is not where the installation should have it.
    """
    if comparison.figure == "none":
        return page(comparison, None)
    rounds = radar.render(comparison)
    return page(comparison, drawing.render(comparison)[1], rounds[1] if rounds else None)


def page(comparison: Comparison, drawn: bytes | None, rounds: bytes | None = None) -> str:
    """Write the page around figures that are already drawn (as SVG): bars, and the radar of judged categories.

    Raises:
        HarnessError: The template is not where the installation should have it.
    """
    import jinja2
    from markupsafe import Markup

    folder = shipped() / "reports" / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        template = environment.get_template(_TEMPLATE)
    except jinja2.TemplateNotFound as error:
        raise HarnessError(f"{folder / _TEMPLATE} does not exist", "install wizard-harness again") from error
    title = plain(comparison.title)
    # Shapes only (see `svg.inline`): the one place where markup is taken as it is.
    shapes = Markup(svg.inline(drawn, f"{title}: bars with intervals")) if drawn is not None else None  # noqa: S704
    circle = Markup(svg.inline(rounds, f"{title}: by category", "radar-")) if rounds is not None else None  # noqa: S704
    return template.render(
        title=title,
        caption=plain(comparison.caption),
        rows=[_cells(row) for row in comparison.overall],
        slices=[_cells(row) for row in comparison.sliced],
        figure=shapes,
        radar=circle,
        methods=words.methods(comparison.overall),
        reading=words.READING,
        notes=[plain(note) for note in comparison.notes],
        sources=words.sources(comparison),
        origins=[
            {"name": plain(f"{origin.model}, {origin.task}"), "id": f"o{index}", "facts": words.origin(origin)}
            for index, origin in enumerate(comparison.origins)
        ],
    )


def _cells(row: Row) -> dict[str, object]:
    return {
        "model": plain(row.model),
        "name": plain(row.name),
        "metric": plain(row.metric),
        "part": words.part(row),
        "value": words.value(row),
        "interval": words.interval(row),
        "n": row.n,
        "attempts": row.attempts,
        "unscored": words.unscored(row),
        "unscored_any": bool(row.unscored) or row.bounds is not None,
        "no_answer": row.no_answer,
        "truncated": row.truncated,
        "published": words.published(row),
        "state": words.state(row),
        "whole": not row.marks,
        "sandbox": plain(row.sandbox or text.NOTHING),
        "origin": f"o{row.origin}",
    }

"""``harness list``: what the catalog holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import options, output, session
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.catalog import Catalog

Row = dict[str, Any]
"""Column -> value; None where there is none. A declaration that cannot be read has its name and a ``problem``."""


@click.command("list", short_help="List tasks, suites, judges, models or reports.")
@click.argument("kind", type=click.Choice(["tasks", "suites", "judges", "models", "reports"]))
@options.catalog
@options.as_json
def list_command(kind: str, catalogs: tuple[Path, ...], as_json: bool) -> int:
    """List what the catalog holds: shipped, from plug-ins and from --catalog folders."""
    catalog = session.load_catalog(catalogs)
    columns, rows = _LISTINGS[kind]
    found = list(rows(catalog))
    for problem in catalog.problems():
        session.say(f"not loaded: {problem}", err=True)
    if as_json:
        output.print_document(output.document((), 0, None, **{kind: found}))
        return 0
    if not found:
        session.say(f"no {kind} in the catalog")
        return 0
    session.print_table(columns, [_cells(columns, row) for row in found])
    return 0


def _cells(columns: tuple[str, ...], row: Row) -> tuple[str, ...]:
    if "problem" in row:
        return (row[columns[0]], *("-" for _ in columns[2:]), f"BROKEN: {row['problem']}")
    return tuple(_shown(column, row[column]) for column in columns)


def _shown(column: str, value: Any) -> str:
    if value is None:
        return "-"
    if column == "version":
        return f"v{value}"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _each(kind: str, names: tuple[str, ...], read: Callable[[str], Row]) -> Iterator[Row]:
    for name in names:
        try:
            yield {kind: name, **read(name)}
        except HarnessError as error:
            yield {kind: name, "problem": str(error)}


def _tasks(catalog: Catalog) -> Iterator[Row]:
    def read(name: str) -> Row:
        task = catalog.task(name)
        return {"version": task.version, "items": task.dataset.records, "title": task.title}

    return _each("task", catalog.tasks(), read)


def _suites(catalog: Catalog) -> Iterator[Row]:
    def read(name: str) -> Row:
        suite = catalog.suite(name)
        return {"tasks": list(suite.tasks), "title": suite.title}

    return _each("suite", catalog.suites(), read)


def _judges(catalog: Catalog) -> Iterator[Row]:
    def read(name: str) -> Row:
        judge = catalog.judge(name)
        return {"version": judge.version, "model": judge.model, "title": judge.title}

    return _each("judge", catalog.judges(), read)


def _reports(catalog: Catalog) -> Iterator[Row]:
    return _each("report", catalog.reports(), lambda name: {"title": catalog.report(name).title})


def _models(catalog: Catalog) -> Iterator[Row]:
    for model in catalog.models():
        numbers = sum(number.model == model.name for number in catalog.published())
        yield {"model": model.name, "format": model.format, "published": numbers, "aliases": list(model.aliases)}


_LISTINGS: dict[str, tuple[tuple[str, ...], Callable[[Catalog], Iterator[Row]]]] = {
    "tasks": (("task", "version", "items", "title"), _tasks),
    "suites": (("suite", "tasks", "title"), _suites),
    "judges": (("judge", "version", "model", "title"), _judges),
    "models": (("model", "format", "published", "aliases"), _models),
    "reports": (("report", "title"), _reports),
}

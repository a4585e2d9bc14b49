"""``harness show``, ``harness runs`` and ``harness report``: what is asked, what was answered, how it compares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from harness.cli import options, output, session
from harness.cli.progress import number
from harness.errors import HarnessError, StoreError, UsageError

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.datasets import DataStore
    from harness.store import CellView
    from harness.types import Estimate


@click.command(short_help="Show what a task asks, a run, or one item of a run.")
@click.argument("what", metavar="task|RUN")
@click.argument("item", required=False, metavar="[NAME|ITEM]")
@click.option("--format", "chat_format", metavar="F", help="Render a task's prompt in this chat format.")
@click.option("--scoring", metavar="ID", help="Show an item's verdicts of this scoring; absent: of the newest.")
@click.option("--attempt", type=click.IntRange(min=0), metavar="N", help="Show only this attempt at an item.")
@options.runs
@options.data
@options.as_json
def show(
    *,
    what: str,
    item: str | None,
    chat_format: str | None,
    scoring: str | None,
    attempt: int | None,
    runs: Path,
    catalogs: tuple[Path, ...],
    data_dir: Path | None,
    offline: bool,
    as_json: bool,
) -> int:
    """Show what a task asks, what a run is, or one item of a run.

    \b
    harness show task humaneval/zero-shot      prompt, sampling, scorer, identities
    harness show RUN                           a run's manifest and its scorings
    harness show RUN HumanEval/3               what was asked, answered and scored
    """  # noqa: D301 - click's mark of a paragraph that is not wrapped is the character \b itself
    catalog = session.load_catalog(catalogs)
    data = session.open_data(data_dir, offline=offline)
    if what != "task":
        _show_run(runs, what, item, scoring, attempt, catalog, data, as_json=as_json)
        return 0
    if item is None:
        raise UsageError("harness show task: which task?", "see harness list tasks")
    from harness.cli.asked import look_at, task_lines

    asked = look_at(catalog, data, item, chat_format)
    if as_json:
        output.print_document(output.document((), 0, task=asked))
        return 0
    for line in task_lines(asked):
        session.say(line)
    return 0


@click.command(short_help="List the runs.")
@options.runs
@options.as_json
def runs(*, runs: Path, as_json: bool) -> int:
    """List the run cells, each with its state and headline number."""
    from harness.store import find_cells

    problems: list[StoreError] = []
    cells = find_cells(runs, problems)
    for problem in problems:
        session.say(f"left out: {problem}", err=True)
    if as_json:
        output.print_document(output.document((), 0, runs=[_summary(cell) for cell in cells]))
        return 0
    if not cells:
        session.say(f"no runs in {runs}; make one with harness run, or name another folder with --runs")
        return 0
    session.print_table(("model", "task", "state", "number", "started", "folder"), [_row(cell) for cell in cells])
    return 0


@click.command(short_help="Write table, figure and page of some runs.")
@click.argument("names", nargs=-1, metavar="[RUN]...")
@click.option("--out", type=options.Folder(), required=True, metavar="DIR")
@click.option("--report", "report_name", default="comparison", show_default=True, metavar="NAME")
@options.runs
@options.catalog
@options.as_json
def report(
    *, names: tuple[str, ...], out: Path, report_name: str, runs: Path, catalogs: tuple[Path, ...], as_json: bool
) -> int:
    """Compare RUNs (all in --runs where none is named) and write table, figure and page to DIR."""
    from harness import reporting
    from harness.cli.comparison import compared
    from harness.store import find_cell, find_cells

    catalog = session.load_catalog(catalogs)
    damaged: list[StoreError] = []
    cells = [find_cell(runs, name) for name in names] if names else find_cells(runs, damaged)
    for problem in damaged:
        session.say(f"left out: {problem}", err=True)
    if not cells:
        raise UsageError(f"no runs in {runs}", "make one with harness run, or name another folder with --runs")
    comparison = compared([cell.path for cell in cells], catalog, report_name)
    reporting.terminal(comparison, session.console(stderr=as_json))
    written = reporting.write(comparison, out)
    for path in written:
        session.say(f"wrote {path}", err=as_json)
    if as_json:
        output.print_document(output.document((), 0, comparison=comparison, wrote=[str(path) for path in written]))
    return 0


def _show_run(
    root: Path,
    name: str,
    item: str | None,
    scoring: str | None,
    attempt: int | None,
    catalog: Catalog,
    data: DataStore,
    *,
    as_json: bool,
) -> None:
    from harness.store import find_cell

    cell = find_cell(root, name)
    if item is not None:
        from harness.reporting import find_item, show_item

        tests = _tests(cell.manifest.task.name, item, catalog, data)
        found = find_item(cell, item, score_id=scoring, attempt=attempt, tests=tests)
        if as_json:
            output.print_document(output.document((), 0, item=found))
            return
        for line in show_item(found):
            click.echo(line)
        return
    if as_json:
        scorings = [
            {**msgspec.structs.asdict(cell.scoring(score_id)), "estimates": cell.estimates(score_id)}
            for score_id in cell.scorings()
        ]
        run = {"path": str(cell.path), "manifest": cell.manifest, "scorings": scorings}
        output.print_document(output.document((), 0, run=run))
        return
    from harness.cli.asked import run_lines

    for line in run_lines(cell):
        session.say(line)


def _tests(task_name: str, item: str, catalog: Catalog, data: DataStore) -> str | None:
    """What an item's programs are tested by; a run can be looked at without its task and its data, too."""
    from harness.scorers.code.programs import CODE_SCORERS, told_tests

    try:
        task = catalog.task(task_name)
        if task.scorer.name not in CODE_SCORERS:
            return None
        return next((told_tests(task, sample) for sample in data.samples(task) if sample.id == item), None)
    except HarnessError as error:
        session.say(f"the tests are not shown: {error}", err=True)
        return None


def _row(cell: CellView) -> tuple[str, ...]:
    manifest = cell.manifest
    started = manifest.invocations[-1].started if manifest.invocations else "-"
    return manifest.model.name, manifest.task.name, manifest.state, _headline(cell), started, str(cell.path)


def _headline(cell: CellView) -> str:
    found = _newest(cell)
    return number(found[0]) if found else "-"


def _newest(cell: CellView) -> list[Estimate]:
    scorings = list(cell.scorings())
    if not scorings:
        return []
    return [estimate for estimate in cell.estimates(scorings[-1]) if estimate.slice is None]


def _summary(cell: CellView) -> dict[str, object]:
    manifest = cell.manifest
    return {
        "path": str(cell.path),
        "ask_id": manifest.ask_id,
        "task": manifest.task.name,
        "model": manifest.model.name,
        "state": manifest.state,
        "expected": manifest.expected,
        "estimates": _newest(cell),
    }

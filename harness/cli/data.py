"""``harness data``: the pinned files that tasks ask from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options, session
from harness.cli.groups import Commands

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.datasets import DataStore
    from harness.types import DatasetPin


@click.group(cls=Commands, short_help="List, fetch or verify the pinned data files.")
def data() -> None:
    """The pinned data files: each is known by the sha256 of its uncompressed bytes.

    A file is looked for in the cache, in the mirrors (--data-dir, HARNESS_DATA_DIR), in installed packages, and then
    downloaded.
    """


_names = click.argument("tasks", nargs=-1, metavar="[TASK]...")


@data.command("list")
@_names
@options.data
def list_data(tasks: tuple[str, ...], catalogs: tuple[Path, ...], data_dir: Path | None, offline: bool) -> int:
    """List each task's data files and where they would come from; downloads nothing."""
    store = session.open_data(data_dir, offline=offline)
    rows = [
        (name, pin.name, pin.sha256[:12], str(pin.records or "?"), pin.licence or "?", store.locate(pin) or "missing")
        for name, pin in pins(session.load_catalog(catalogs), tasks)
    ]
    session.print_table(("task", "data", "sha256", "records", "licence", "from"), rows)
    return 0


@data.command()
@_names
@options.data
def fetch(tasks: tuple[str, ...], catalogs: tuple[Path, ...], data_dir: Path | None, offline: bool) -> int:
    """Bring the tasks' data files into the cache; what is there is not fetched again."""
    store = session.open_data(data_dir, offline=offline)
    return _each(session.load_catalog(catalogs), tasks, lambda pin: f"at {store.fetch(pin)}")


@data.command()
@_names
@options.data
def verify(tasks: tuple[str, ...], catalogs: tuple[Path, ...], data_dir: Path | None, offline: bool) -> int:
    """Hash the tasks' data files in the cache; a rotten one is fetched again. Exit 1 where one cannot be had."""
    store = session.open_data(data_dir, offline=offline)
    return _each(session.load_catalog(catalogs), tasks, lambda pin: _verified(store, pin))


def _verified(store: DataStore, pin: DatasetPin) -> str:
    from harness.errors import DataError

    found = store.verify(pin)
    if found.state == "absent":
        raise DataError(f"{pin.name} is not in the cache", "run harness data fetch")
    if found.state == "repaired":
        return f"repaired: had sha256 {found.found}, fetched {found.expected} again, at {found.path}"
    return f"ok, sha256 {found.expected}, at {found.path}"


def _each(catalog: Catalog, tasks: Sequence[str], do: Callable[[DatasetPin], str]) -> int:
    """Do something with every data file, though one fails.

    Raises:
        HarnessError: The last that failed; those before it have been told.
    """
    from harness.cli.failures import explain
    from harness.errors import HarnessError

    failed: HarnessError | None = None
    for name, pin in pins(catalog, tasks):
        try:
            session.say(f"{name}: {pin.name} {do(pin)}")
        except HarnessError as error:
            if failed is not None:
                session.say(explain(failed).line, err=True)
            failed = error
    if failed is not None:
        raise failed
    return 0


def pins(catalog: Catalog, names: Sequence[str]) -> Iterator[tuple[str, DatasetPin]]:
    """Every data file of the tasks named (all readable tasks where none is), each file once."""
    from harness.errors import HarnessError

    seen: set[str] = set()
    for name in session.expand_tasks(names, catalog) if names else catalog.tasks():
        try:
            task = catalog.task(name)
        except HarnessError as error:
            if names:
                raise
            session.say(f"{name}: left out: {error}", err=True)
            continue
        for pin in (task.dataset, *task.texts.values()):
            if pin.sha256 not in seen:
                seen.add(pin.sha256)
                yield name, pin

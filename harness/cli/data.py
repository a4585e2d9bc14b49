"""``harness data``: the pinned files that tasks ask from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import options, output, session
from harness.cli.groups import Commands
from harness.errors import DataError, HarnessError

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.cli.failures import Failure
    from harness.types import DatasetPin


Found = dict[str, str | None]
"""What became of a file: its ``state``, its ``path`` and, where it was repaired, the sha256 it ``had``."""


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
@options.as_json
def list_data(
    tasks: tuple[str, ...], catalogs: tuple[Path, ...], data_dir: Path | None, offline: bool, as_json: bool
) -> int:
    """List each task's data files and where they would come from; downloads nothing."""
    store = session.open_data(data_dir, offline=offline)
    found = list(pins(session.load_catalog(catalogs), tasks))
    if as_json:
        files = [{**_pinned(name, pin), "from": store.locate(pin)} for name, pin in found]
        output.print_document(output.document((), 0, files=files))
        return 0
    rows = [
        (name, pin.name, pin.sha256[:12], str(pin.records or "?"), pin.licence or "?", store.locate(pin) or "missing")
        for name, pin in found
    ]
    session.print_table(("task", "data", "sha256", "records", "licence", "from"), rows)
    return 0


@data.command()
@_names
@options.data
@options.as_json
def fetch(
    tasks: tuple[str, ...], catalogs: tuple[Path, ...], data_dir: Path | None, offline: bool, as_json: bool
) -> int:
    """Bring the tasks' data files into the cache; what is there is not fetched again."""
    store = session.open_data(data_dir, offline=offline)

    def fetched(pin: DatasetPin) -> Found:
        return {"state": "there", "path": str(store.fetch(pin))}

    return _each(session.load_catalog(catalogs), tasks, fetched, as_json=as_json)


@data.command()
@_names
@options.data
@options.as_json
def verify(
    tasks: tuple[str, ...], catalogs: tuple[Path, ...], data_dir: Path | None, offline: bool, as_json: bool
) -> int:
    """Hash the tasks' data files in the cache; a rotten one is fetched again. Exit 1 where one cannot be had."""
    store = session.open_data(data_dir, offline=offline)

    def verified(pin: DatasetPin) -> Found:
        found = store.verify(pin)
        if found.state == "absent":
            raise DataError(f"{pin.name} is not in the cache", "run harness data fetch")
        had = {"had": found.found} if found.state == "repaired" else {}
        return {"state": found.state, "path": str(found.path), **had}

    return _each(session.load_catalog(catalogs), tasks, verified, as_json=as_json)


def _pinned(task: str, pin: DatasetPin) -> dict[str, Any]:
    return {
        "task": task,
        "data": pin.name,
        "sha256": pin.sha256,
        "records": pin.records,
        "licence": pin.licence or None,
    }


def _each(catalog: Catalog, tasks: Sequence[str], do: Callable[[DatasetPin], Found], *, as_json: bool) -> int:
    """Do something with every data file, though one fails, and tell its state and place."""
    from harness.cli.failures import explain

    files: list[dict[str, Any]] = []
    failed: Failure | None = None
    for name, pin in pins(catalog, tasks):
        try:
            found = do(pin)
        except HarnessError as error:
            failed = explain(error)
            session.say(failed.line, err=True)
            files.append({**_pinned(name, pin), "state": "failed", "path": None})
            continue
        files.append({**_pinned(name, pin), **found})
        had = f" (had sha256 {found['had']})" if "had" in found else ""
        session.say(f"{name}: {pin.name} {found['state']}{had}, sha256 {pin.sha256}, at {found['path']}", err=as_json)
    code = failed.exit_code if failed else 0
    if as_json:
        output.print_document(output.document((), code, failed, files=files))
    return code


def pins(catalog: Catalog, names: Sequence[str]) -> Iterator[tuple[str, DatasetPin]]:
    """Every data file of the tasks named (all readable tasks where none is), each file once."""
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

"""What most commands begin with: the catalog, the data, and text made safe for a terminal."""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.failures import spelled
from harness.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.catalog import Catalog
    from harness.datasets import DataStore

_GLOB = frozenset("*?[")


def load_catalog(folders: Sequence[Path]) -> Catalog:
    """Load the shipped catalog, the plug-ins' and the user's folders; a folder that is absent is a usage error."""
    from harness.catalog import Catalog

    for folder in folders:
        if not folder.is_dir():
            raise UsageError(
                f"--catalog {folder}: no such folder", "name a folder with tasks/, judges/ or reports/ inside"
            )
    return Catalog.load(tuple(folders))


def open_data(data_dir: Path | None, *, offline: bool) -> DataStore:
    """Open the data store over cache and mirrors; downloads are shown on stderr."""
    from harness.cli.progress import Downloads
    from harness.datasets import DataStore, default_cache, mirrors_from_environment

    if data_dir is not None and not data_dir.is_dir():
        raise UsageError(f"--data-dir {data_dir}: no such folder", "name the folder that holds the data files")
    return DataStore(mirrors_from_environment(data_dir), default_cache(), progress=Downloads(), offline=offline)


def check_writable(folder: Path, option: str) -> None:
    """Make a folder for results and try it, before the work whose results it is to hold.

    Raises:
        HarnessError: It cannot be made or written.
    """
    import tempfile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".try-"):
            pass
    except OSError as error:
        raise HarnessError(
            f"{option} {folder}: cannot be written ({error.strerror})", "name a folder that you may write", code="os"
        ) from error


def expand_tasks(patterns: Sequence[str], catalog: Catalog) -> tuple[str, ...]:
    """Replace globs (``humaneval/*``) by the tasks they match, keeping the order and dropping repeats."""
    return _expand(patterns, catalog, "--task {}")


def expand_suites(
    suites: Sequence[str], patterns: Sequence[str], limit: int | None, catalog: Catalog
) -> tuple[tuple[str, ...], int | None]:
    """The tasks of some suites, then those named one by one; and the limit that holds for all of them.

    Args:
        suites: Names of suites.
        patterns: Names or globs of tasks besides.
        limit: What the command line says; None: the suites' own, on which they must agree.
        catalog: Where they are declared.

    Raises:
        UsageError: Nothing is named, a name is unknown, or the limits differ.
    """
    if not suites and not patterns:
        raise UsageError("nothing to evaluate: no --task and no --suite", "see harness list tasks, harness list suites")
    specs = [catalog.suite(name) for name in suites]
    names = [name for suite in specs for name in _expand(suite.tasks, catalog, f"suite {suite.name}: {{}}")]
    names += expand_tasks(patterns, catalog)
    if limit is None:
        limits = {suite.limit for suite in specs} | ({None} if patterns else set())
        if len(limits) > 1:
            raise UsageError("these suites and tasks have different limits", "say --limit N, or run them apart")
        limit = limits.pop()
    return tuple(dict.fromkeys(names)), limit


def _expand(patterns: Sequence[str], catalog: Catalog, where: str) -> tuple[str, ...]:
    known = catalog.tasks()
    names: dict[str, None] = {}
    for pattern in patterns:
        if not _GLOB & set(pattern):
            catalog.task(pattern)
            names[pattern] = None
            continue
        matched = fnmatch.filter(known, pattern)
        if not matched:
            hint = spelled(pattern.rstrip("*?/"), known)
            raise UsageError(f"{where.format(pattern)}: matches no task", hint or "see harness list tasks")
        names.update(dict.fromkeys(matched))
    return tuple(names)


def console(*, stderr: bool = False) -> Console:
    """A console for tables; as wide as the terminal, and wide enough where there is none."""
    from rich.console import Console

    class Unpiped(Console):
        def on_broken_pipe(self) -> None:  # rich would exit here, before reports and documents are written
            self.quiet = True

    found = Unpiped(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not found.is_terminal:
        found = Unpiped(stderr=stderr, highlight=False, markup=False, emoji=False, width=120)
    return found


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns of text that may contain anything."""
    from harness.plain import aligned, plain

    for line in aligned([columns, *([plain(text) for text in row] for row in rows)]):
        click.echo(line)


def say(text: str, *, err: bool = False) -> None:
    """Print text that may contain anything: control characters are made visible.

    Where nobody reads stderr any more, the work and what is on stdout go on.
    """
    from harness.plain import plain

    with contextlib.suppress(BrokenPipeError) if err else contextlib.nullcontext():
        click.echo(plain(text), err=err)

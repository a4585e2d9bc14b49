"""The JSON document of ``--json``: {format, status, exit, cells, error}, and what else a command tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from harness.cli.failures import Failure
    from harness.types import CellResult

FORMAT = 1
EXIT_COMPLETE = 0
EXIT_UNSCORED = 3
EXIT_INTERRUPTED = 130

_STATUS = {EXIT_COMPLETE: "complete", EXIT_UNSCORED: "unscored", EXIT_INTERRUPTED: "interrupted"}


def exit_code(cells: Sequence[CellResult], *, interrupted: bool = False) -> int:
    """0 where everything expected is scored, 3 where something is not, 130 where the run was interrupted."""
    if interrupted:
        return EXIT_INTERRUPTED
    lacking = any(cell.unscored or cell.done < cell.expected for cell in cells)
    return EXIT_UNSCORED if lacking else EXIT_COMPLETE


def document(cells: Sequence[CellResult], code: int, failure: Failure | None = None, **own: Any) -> dict[str, Any]:
    """The document of a command that ended with ``code``; ``failure`` says why, where it ended in an error.

    ``own`` are the keys that only this command has.
    """
    return {
        "format": FORMAT,
        "status": _STATUS.get(code, "error"),
        "exit": code,
        "cells": list(cells),
        **own,
        "error": failure.document() if failure else None,
    }


def print_document(content: Any) -> None:
    """Print one JSON document on stdout: null and never NaN; in ASCII, so that every locale and reader takes it."""
    from harness.store.records import dumps

    click.echo(dumps(content, indent=2))

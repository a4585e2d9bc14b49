"""What a reader of one form of file gives back."""

from __future__ import annotations

import msgspec

from harness.formats.replay import Form, ReplayRow
from harness.formats.rows import Row
from harness.types import Stage


class Reading(msgspec.Struct):
    """What a reader found.

    Attributes:
        rows: Each completion with its place in the file.
        notes: Sentences for a person, without the file's name.
        form: Where the reader knows better than the first row's keys.
        model: Who answered, where the file says so.
        md5: Of the data that recorded verdicts are on, where the file says so.
    """

    rows: list[tuple[str, ReplayRow]] = []
    notes: list[str] = []
    form: Form | None = None
    model: str | None = None
    md5: str | None = None

    def add(self, row: Row, completion: ReplayRow) -> None:
        """Take one completion."""
        self.rows.append((row.place, completion))


def guess(what: str, stage: Stage, why: str) -> str:
    """The sentence that announces a stage which nobody named."""
    return f"{what} are taken as stage '{stage}' ({why}); --stage says otherwise"

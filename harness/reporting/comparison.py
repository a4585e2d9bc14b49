"""What a comparison is: rows of numbers, and how each of them was made. Plain records; every report draws these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from harness.types import Bounds, Completion, ErrorRecord, Estimate, Fact, Manifest, Score, State


class ScoringReader(Protocol):
    """What reports read of a scoring's record; `harness.store.ScoringFacts` is one."""

    @property
    def task(self) -> str:
        """Task whose rule made the scores."""
        ...

    @property
    def version(self) -> int:
        """That task's version."""
        ...

    @property
    def scorer(self) -> Mapping[str, Any]:
        """Name, version and options."""
        ...

    @property
    def created(self) -> str:
        """RFC 3339."""
        ...

    @property
    def sandbox(self) -> str | None:
        """Level of the sandbox."""
        ...


class CellReader(Protocol):
    """What reports read of a cell; `harness.store.CellView` is one."""

    @property
    def path(self) -> Path:
        """The cell's folder."""
        ...

    @property
    def manifest(self) -> Manifest:
        """What the cell is."""
        ...

    def completions(self) -> Iterable[Completion]:
        """All journaled completions."""
        ...

    def errors(self) -> Iterable[ErrorRecord]:
        """All journaled errors, also those that a later try repaired."""
        ...

    def scorings(self) -> Mapping[str, Path]:
        """Score id -> folder of the scoring."""
        ...

    def scoring(self, score_id: str) -> ScoringReader:
        """Which rule made a scoring."""
        ...

    def scores(self, score_id: str) -> Iterable[Score]:
        """Rows of one scoring."""
        ...

    def estimates(self, score_id: str) -> Iterable[Estimate]:
        """Estimates of one scoring; none while it is unfinished."""
        ...


class Published(Fact, frozen=True, kw_only=True):
    """A published number beside a measured one.

    Attributes:
        value: As published, in the unit of the measured value.
        difference: Measured minus published; None where the two cannot be compared.
        inside: Whether the published value lies within the measured interval; None as above.
        incomparable: Why the two cannot be compared; empty where they can.
        n: Items behind it; 0 where unknown.
        source: Where it was published.
        note: What a reader must know before comparing.
        reference: Number of the source under the table, from 1.
    """

    value: float
    difference: float | None = None
    inside: bool | None = None
    incomparable: str = ""
    n: int = 0
    source: str
    note: str = ""
    reference: int


class Origin(Fact, frozen=True, kw_only=True):
    """How a cell's numbers were made; one per cell and scoring.

    Attributes:
        path: The cell, from the model's folder down.
        engine: Name and version, with the command where we started the server.
        scorer: Name of the scorer, as the scoring records it.
        datasets: Name, sha256 and number of records of each data file.
        sampling: Every sampling value that is not its default.
        others: How many other scorings the cell holds.
    """

    path: str
    ask_id: str
    score_id: str
    model: str
    identity: str
    weights: str | None
    chat_format: str | None
    task: str
    version: int
    scorer: str
    datasets: tuple[tuple[str, str, int], ...]
    sampling: Mapping[str, Any]
    overrides: Mapping[str, Any]
    seed: int
    engine: str
    sandbox: str | None
    harness: str
    state: State
    expected: int
    limit: int | None
    scored: str = ""
    others: int = 0


class Row(Fact, frozen=True, kw_only=True):
    """One estimate of one model under one task.

    Attributes:
        name: The task with its overrides, as reports print it; always the full name of the number.
        rate: Whether the value is a rate between 0 and 1 (shown in percent).
        items: Items asked for; `total` is what the data set has, None where unknown.
        marks: Why the number is not the whole of it (``partial``, ``limited: 5 of 164``); empty: complete.
        origin: Index in `Comparison.origins`.
    """

    model: str
    task: str
    name: str
    metric: str
    slice: Mapping[str, str] | None
    rate: bool
    value: float | None
    low: float | None
    high: float | None
    confidence: float
    method: str
    bounds: Bounds | None
    n: int
    items: int
    total: int | None
    attempts: int
    unscored: Mapping[str, int]
    no_answer: int
    truncated: int
    state: State
    marks: tuple[str, ...]
    sandbox: str | None
    published: tuple[Published, ...]
    origin: int

    @property
    def pessimistic(self) -> float:
        """What orderings use: the value if all that is unscored were wrong; below everything where there is none."""
        worst = self.bounds.low if self.bounds is not None else self.value
        return float("-inf") if self.value is None or worst is None else worst


class Comparison(Fact, frozen=True, kw_only=True):
    """A table, ready to draw.

    Attributes:
        rows: Grouped by task and metric; within a group the best pessimistic end first. Slices follow their whole.
        origins: How the numbers were made.
        sources: Source and note of each published number, in the order of their reference numbers.
        notes: What a reader must know (cells without a finished scoring, ...).
        figure: Kind of figure to draw.
    """

    title: str
    caption: str
    rows: tuple[Row, ...]
    origins: tuple[Origin, ...]
    sources: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    figure: Literal["bars", "none"] = "bars"

    @property
    def overall(self) -> tuple[Row, ...]:
        """Rows over all items."""
        return tuple(row for row in self.rows if row.slice is None)

    @property
    def sliced(self) -> tuple[Row, ...]:
        """Rows over one value of a field."""
        return tuple(row for row in self.rows if row.slice is not None)


def grouped(rows: Iterable[Row], key: Callable[[Row], tuple[str, ...]]) -> list[tuple[tuple[str, ...], list[Row]]]:
    """Rows under their key, in the order in which keys first appear."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return list(groups.items())

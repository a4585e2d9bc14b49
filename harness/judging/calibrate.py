"""Asking a judge about pairs whose better answer is known: LLMBar's natural subset, in both orders."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.catalog import Catalog, digest
from harness.errors import JudgeError, UsageError
from harness.judging import audit, build, evidence, material, reading
from harness.judging.asking import Key, Source
from harness.judging.panel import JudgeOptions, Panel
from harness.store import Verdicts, safe_name
from harness.store.disk import make_folder
from harness.store.journal import Syncer
from harness.types import DatasetPin, Judge

if TYPE_CHECKING:
    from harness.datasets import DataStore

LLMBAR = DatasetPin(
    name="llmbar-natural",
    source=(
        "url:https://raw.githubusercontent.com/princeton-nlp/LLMBar/900616bff90b6c6c8e1681f7d079250637c55992/"
        "Dataset/LLMBar/Natural/dataset.json"
    ),
    sha256="f7127b7aa78104cb8e03a2b1b3ac0077e95b125714dd441a8ee63666145a3375",
    records=100,
    format="json",
    licence="MIT",
)


class Labelled(msgspec.Struct, frozen=True):
    """What a judge said about labelled pairs: lines of its report, and its errors."""

    lines: list[evidence.Line]
    confusion: audit.Confusion


async def ask_llmbar(
    judge: Judge,
    options: JudgeOptions,
    catalog: Catalog,
    data: DataStore,
    folder: Path,
    *,
    limit: int | None = None,
    note: Callable[[str], None],
) -> Labelled:
    """Ask a judge of pairs about LLMBar's pairs; its verdicts are journaled, and asked for once.

    Args:
        judge: The declaration; its first prompt without a category is used.
        options: Who judges, and for how much money.
        catalog: Where known models' formats are.
        data: Where the pairs come from.
        folder: Where the journal lies.
        limit: Only the first pairs.
        note: Told what a person should know.

    Raises:
        UsageError: The judge does not judge pairs.
        HarnessError: The pairs, the prompts or the model cannot be had.
    """
    if judge.kind != "pair":
        raise UsageError(f"{judge.name} judges one answer alone", "labelled pairs need a judge of pairs")
    rows = data.records(LLMBAR)[:limit]
    both = msgspec.structs.replace(judge, position="both-orders", first="candidate")
    templates = material.templates(both, data)
    async with Panel(options, catalog, data) as panel:
        panel.note = note
        opened = await panel.opened(both, ())
        for text in panel.notes:
            note(text)
        make_folder(folder / safe_name(judge.name))
        syncer = Syncer()
        try:
            with Verdicts(folder / safe_name(judge.name) / f"{digest(opened.identity)[:8]}.jsonl", syncer) as journal:
                found = await asyncio.gather(
                    *(_pair(both, templates, opened.source, journal, place, row) for place, row in enumerate(rows))
                )
        finally:
            syncer.close()
    shares = [[share for share in pair if share is not None] for pair in found]
    labels = [int(row["label"]) for row in rows]
    winners = [
        (label, _winner(one), _winner(two, swapped=True)) for label, (one, two) in zip(labels, found, strict=True)
    ]
    source = f"{opened.by} on LLMBar"
    unread = sum(share is None for pair in found for share in pair)
    lines = [
        evidence.Line(
            section="Readability",
            name="questions without a readable verdict",
            value=unread / (2 * len(found)) if found else None,
            n=2 * len(found),
            source=source,
        ),
        *evidence.llmbar_lines(winners, source),
        *evidence.position_lines(shares, source),
    ]
    pairs = [(label == 1, one == 1) for label, one, _ in winners if one is not None]
    return Labelled(lines, audit.confusion(pairs))


async def _pair(
    judge: Judge,
    templates: Sequence[build.Template],
    source: Source,
    journal: Verdicts,
    place: int,
    row: dict[str, str],
) -> tuple[float | None, float | None]:
    """How far each order's verdict is for the output it showed second; None without a readable verdict."""
    case = build.Case(id=str(place), questions=(row["input"],), answers=(row["output_1"],), baseline=(row["output_2"],))
    shares: list[float | None] = []
    for call in build.calls(judge, templates, case):
        try:
            verdict = await source.verdict(Key(case.id, 0), call, journal, case)
        except JudgeError as error:
            if error.code in ("budget", "judge-gone"):
                raise
            shares.append(None)
            continue
        shares.append(None if verdict.parsed is None else reading.second_share(judge.reading, verdict.parsed))
    return shares[0], shares[1]


def _winner(share: float | None, *, swapped: bool = False) -> int | None:
    """Which of the data set's outputs a verdict names; a tie is none."""
    if share is None or share == 0.5:
        return None
    return 2 if (share > 0.5) != swapped else 1

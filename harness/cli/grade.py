"""``harness grade``: what exists already, without a run: pairs of answers, replies, judges' verdicts."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import options, output, session
from harness.cli.groups import Commands
from harness.errors import DataError, UsageError

if TYPE_CHECKING:
    from harness.runner.rules import RulesCompared

_SHOWN = 20


@click.group(cls=Commands, short_help="Grade answers that exist.")
def grade() -> None:
    """Grade answers that exist, asking no model."""


@grade.command("math", short_help="Compare mathematical answers with gold ones.")
@click.argument("pairs", type=click.Path(path_type=Path, allow_dash=True), metavar="PAIRS.jsonl")
@click.option(
    "--grader", "graders", multiple=True, metavar="NAME", help="Repeat for several, or all; default: harness."
)
@options.as_json
def math_command(*, pairs: Path, graders: tuple[str, ...], as_json: bool) -> int:
    """Compare the answers of PAIRS.jsonl (one object a line, with pred and gold) by one or several graders."""
    from harness.scorers.math.equivalence import math_verdicts
    from harness.scorers.math.graders import GRADERS, grader

    names = tuple(GRADERS) if "all" in graders else graders or ("harness",)
    for name in names:
        grader(name)  # an unknown one is refused before the file is read
    rows = list(_pairs(pairs))
    if not rows:
        raise DataError(f"{pairs}: no pairs", 'write one {"pred": "...", "gold": "..."} a line')
    verdicts = {name: math_verdicts(rows, grader=name) for name in names}
    if as_json:
        graded = [
            {"pred": pred, "gold": gold}
            | {"verdicts": {name: {"equal": bool(v[row].equal), "rule": v[row].rule} for name, v in verdicts.items()}}
            for row, (pred, gold) in enumerate(rows)
        ]
        output.print_document(output.document((), 0, pairs=graded))
        return 0
    totals = [(name, str(sum(bool(v.equal) for v in found)), str(len(rows))) for name, found in verdicts.items()]
    if len(rows) <= _SHOWN or len(names) == 1:
        lines = [
            (str(row), pred[:40], gold[:40], *(_told(found[row]) for found in verdicts.values()))
            for row, (pred, gold) in enumerate(rows[:_SHOWN])
        ]
        session.print_table(("row", "pred", "gold", *names), lines)
    session.print_table(("grader", "equal", "pairs"), totals)
    return 0


@grade.command("replies", short_help="Grade a file of replies by several tasks' rules at once.")
@click.argument("replies", type=click.Path(path_type=Path, exists=True), metavar="FILE")
@click.option("--task", "-t", "tasks", multiple=True, required=True, metavar="TASK", help="Name or glob; repeatable.")
@click.option("--stage", type=click.Choice(["reply", "continuation", "program"]), help="What the file's texts are.")
@click.option("--items", "shown", type=click.IntRange(min=0), default=_SHOWN, show_default=True, help="Items to show.")
@options.as_json
@options.data
def replies_command(
    *,
    replies: Path,
    tasks: tuple[str, ...],
    stage: Any,
    shown: int,
    as_json: bool,
    catalogs: tuple[Path, ...],
    data_dir: Path | None,
    offline: bool,
) -> int:
    """Grade FILE (any that replay:FILE reads) by the rules of several tasks, and show what they count differently."""
    from harness.runner.rules import compare_rules

    catalog = session.load_catalog(catalogs)
    names = session.expand_tasks(tasks, catalog)
    data = session.open_data(data_dir, offline=offline)
    found = asyncio.run(compare_rules(replies, names, catalog=catalog, data=data, stage=stage))
    for note in found.notes:
        session.say(note, err=True)
    if as_json:
        output.print_document(output.document((), 0, rules=found.counts, differing=found.differing))
        return 0
    _print_rules(found, shown)
    return 0


@grade.command("verdicts", short_help="Count a file of judges' verdicts as its protocol does.")
@click.argument("files", type=click.Path(path_type=Path, exists=True, dir_okay=False), nargs=-1, metavar="FILE...")
@click.option("--judge", "judge_name", required=True, metavar="J", help="The declaration whose protocol counts.")
@options.as_json
@options.data
def verdicts_command(
    *,
    files: tuple[Path, ...],
    judge_name: str,
    as_json: bool,
    catalogs: tuple[Path, ...],
    data_dir: Path | None,
    offline: bool,
) -> int:
    """Count verdict FILEs by themselves, as judge J's protocol does, and show its published figures.

    FastChat's mean ratings, by turn and category; its games won, lost and tied; the points of two-number reviews, by
    skill and difficulty; AlpacaEval's leaderboard rows. No answers and no run are needed.
    """
    from harness.judging.material import length_data
    from harness.judging.tables import Items, tables

    if not files:
        raise UsageError("no file of verdicts", "name FastChat's judgments or reviews, or AlpacaEval's annotations")
    catalog = session.load_catalog(catalogs)
    data = session.open_data(data_dir, offline=offline)
    judge = catalog.judge(judge_name)
    benchmark = judge.name.partition("/")[0]
    task = next((catalog.task(name) for name in catalog.tasks() if name.partition("/")[0] == benchmark), None)
    samples = data.samples(task) if task is not None else []
    fields = [*judge.slices, *filter(None, [judge.category])]
    slices = {one.id: {name: str(one.record[name]) for name in fields if name in one.record} for one in samples}
    items = Items(slices, [str(one.record.get("instruction", "")) for one in samples])
    length, notes = length_data(judge, data)
    for note in notes:
        session.say(note, err=True)
    found = {str(path): tables(judge, path, items, length) for path in files}
    if as_json:
        from harness.cli.output import FORMAT, print_document

        print_document({"format": FORMAT, "judge": judge.name, "files": found})
        return 0
    for name, some in found.items():
        for table in some:
            session.say(f"{name}: {table.title}")
            columns = list(dict.fromkeys(key for row in table.rows for key in row))
            session.print_table(columns, [tuple(_figure(row.get(key)) for key in columns) for row in table.rows])
    return 0


def _figure(value: Any) -> str:
    return "-" if value is None or value == "" else f"{value:.6f}" if isinstance(value, float) else str(value)


def _print_rules(found: RulesCompared, shown: int) -> None:
    rows = [
        (one.task, one.scorer, f"{one.right}", f"{one.attempts}", _percent(one.right, one.attempts), f"{one.no_answer}")
        for one in found.counts
    ]
    session.print_table(("rule of", "scorer", "right", "of", "%", "no answer"), rows)
    if not found.differing:
        session.say("all rules count every answer alike")
        return
    session.say(f"{len(found.differing)} answers are counted differently:")
    names = [one.task for one in found.counts]
    lines = []
    for item in found.differing[:shown]:
        scores = [item.scores.get(name) for name in names]
        told = [f"{score.value:g} {(score.extracted or '')[:16]}" if score is not None else "-" for score in scores]
        lines.append((f"{item.sample}/{item.attempt}", *told))
    session.print_table(("item", *(name.partition("/")[2] for name in names)), lines)
    if len(found.differing) > shown:
        session.say(f"and {len(found.differing) - shown} more; --items N shows more, --json all")


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole else "-"


def _told(verdict: Any) -> str:
    return f"{'equal' if verdict.equal else 'not equal'}: {verdict.rule}"


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 (byte {error.start})", "save it as UTF-8") from error
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror})", "name a file of pairs, or - for stdin"
        ) from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            # Numbers stay as they are written: 5.0 is no 5 to every grader, and 1e400 no infinity.
            row = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}:{number}: not JSON ({error})", "write one object a line") from error
        values = [row.get(key) for key in ("pred", "gold")] if isinstance(row, dict) else []
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) != 2:
            raise DataError(
                f"{path}:{number}: needs the texts 'pred' and 'gold'", 'write {"pred": "...", "gold": "..."}'
            )
        yield texts[0], texts[1]

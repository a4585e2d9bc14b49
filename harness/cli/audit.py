"""``harness audit``: how far a judge can be trusted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from harness.cli import options, output, session
from harness.cli.models import server_options
from harness.errors import UsageError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="How far can a judge be trusted?")
@click.argument("judge", metavar="JUDGE")
@click.option(
    "--evidence",
    "evidence",
    type=_FILE,
    multiple=True,
    metavar="FILE",
    help="The judge's verdicts: FastChat's judgments, reviews or votes, AlpacaEval's annotations, LLMBar's results, "
    "a journal of verdicts. Repeatable.",
)
@click.option("--votes", type=_FILE, metavar="FILE", help="People's votes, in FastChat's label-only form.")
@click.option("--run", "run_name", metavar="RUN", help="A run that this judge scored: its win rate is corrected.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only so many labelled pairs are asked.")
@click.option(
    "--report", "report_folder", type=options.Folder(), metavar="DIR", help="Also write audit.md and audit.json here."
)
@options.judging
@options.servers
@options.runs
@options.data
@options.as_json
def audit(
    *,
    judge: str,
    evidence: tuple[Path, ...],
    votes: Path | None,
    run_name: str | None,
    limit: int | None,
    report_folder: Path | None,
    runs: Path,
    catalogs: tuple[Path, ...],
    data_dir: Path | None,
    offline: bool,
    as_json: bool,
    **rest: Any,
) -> int:
    """Tell what moves JUDGE's verdicts: agreement with people, errors against labels, position, length, repeats.

    With --judge-model a judge of pairs is asked now, on LLMBar's labelled pairs in both orders; files of verdicts that
    exist say the rest.
    """
    from harness.judging import evidence as evidences
    from harness.judging.calibrate import ask_llmbar

    catalog = session.load_catalog(catalogs)
    data = session.open_data(data_dir, offline=offline)
    spec = catalog.judge(judge)
    asked = rest["judge_model"] is not None
    if not evidence and not asked:
        raise UsageError(f"nothing is known of {judge}", "name files of its verdicts with --evidence, or --judge-model")
    if report_folder is not None:
        session.check_writable(report_folder, "--report")
    lines = evidences.examine(spec, evidence, votes)
    against = evidences.calibration(spec, evidence, votes)
    if asked:
        models = [rest["judge_model"]]
        opened = options.judge_options({**rest, "runs": runs}, server_options(rest, models))
        found = asyncio.run(
            ask_llmbar(
                spec, opened, catalog, data, runs / "audits", limit=limit, note=lambda text: session.say(text, err=True)
            )
        )
        lines += found.lines
        against = found.confusion
    if run_name is not None:
        lines += evidences.correct(*_wins(runs, run_name), against, run_name)
    text = evidences.render(judge, lines)
    if report_folder is not None:
        _write(report_folder, text, lines)
    if as_json:
        output.print_document(output.document((), 0, audit=lines))
    else:
        click.echo(text)
    return output.EXIT_COMPLETE


def _wins(runs: Path, name: str) -> tuple[float, int]:
    """Wins (a tie is half of one) and games of the newest scoring with a win rate."""
    from harness.store import find_cell

    view = find_cell(runs, name)
    for score_id in reversed(list(view.scorings())):
        values = [score.value for score in view.scores(score_id) if score.metric == "win" and score.value is not None]
        if values:
            return sum(values), len(values)
    raise UsageError(f"{view.path}: no scoring of it has a win rate", "score it with a judge of pairs")


def _write(folder: Path, text: str, lines: list[Any]) -> None:
    import msgspec

    (folder / "audit.md").write_text(text, encoding="utf-8")
    (folder / "audit.json").write_bytes(msgspec.json.format(msgspec.json.encode(lines)))

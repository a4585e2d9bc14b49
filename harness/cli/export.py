"""``harness export``: a run of programs or a judged run in the files of its peers."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options, output, session


@click.command(short_help="Write a run in the files of its peers.")
@click.argument("name", metavar="RUN")
@click.option("--to", "folder", type=options.Folder(), required=True, metavar="DIR", help="Where the files go.")
@click.option("--judge", metavar="J", help="Whose verdicts; else those of the task's own judge.")
@click.option(
    "--baseline",
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="The other side's answers that the run was judged beside.",
)
@options.runs
@options.data
@options.as_json
def export(
    *,
    name: str,
    folder: Path,
    judge: str | None,
    baseline: Path | None,
    runs: Path,
    catalogs: tuple[Path, ...],
    data_dir: Path | None,
    offline: bool,
    as_json: bool,
) -> int:
    """Write RUN's answers, and the verdicts on them, as its peers have them.

    Programs: evalplus/ (samples.jsonl, samples_eval_results.json), human-eval/ (samples.jsonl and its
    _results.jsonl) and bigcode/generations.json, those that are of the data set. FastChat: model_answer/MODEL.jsonl and
    model_judgment/JUDGE_single.jsonl or JUDGE_pair.jsonl. AlpacaEval: model_outputs.json, annotations.json and
    leaderboard.csv. All can be read again: replay:FILE and --verdicts FILE.
    """
    from harness.judging.export import export as write
    from harness.runner import peers
    from harness.scorers.code.programs import CODE_SCORERS
    from harness.store import find_cell

    catalog = session.load_catalog(catalogs)
    data = session.open_data(data_dir, offline=offline)
    session.check_writable(folder, "--to")
    cell = find_cell(runs, name)
    if judge is None and catalog.task(cell.manifest.task.name).scorer.name in CODE_SCORERS:
        written = peers.export(cell, folder, catalog=catalog, data=data)
    else:
        written = write(cell, folder, catalog=catalog, data=data, judge=judge, baseline=baseline)
    for path in written:
        session.say(f"wrote {path}", err=as_json)
    if as_json:
        output.print_document(output.document((), 0, wrote=[str(path) for path in written]))
    return output.EXIT_COMPLETE

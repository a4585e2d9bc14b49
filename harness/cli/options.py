"""Options that several commands share, each declared once."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from harness.engines.vllm.options import VllmOptions
    from harness.judging.panel import JudgeOptions

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_RUNS = Path("results/runs")


class Folder(click.Path):
    """A folder that may not exist yet; the empty name, mostly a shell variable that is not set, is refused."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Take a path, or fail with a usage error."""
        if not os.fspath(value).strip():
            self.fail("the name is empty (is a shell variable unset?); name a folder, '.' for this one", param, ctx)
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A number in a range; no NaN, which no bound refuses and no budget is ever spent against."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Take a number, or fail with a usage error."""
        found: float = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value} is no number", param, ctx)
        return found


class Seconds(click.FloatRange):
    """A positive time in seconds; no NaN."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Take a number, or fail with a usage error."""
        found: float = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is no time in seconds", param, ctx)
        return found


def stacked(*decorators: Callable[[Any], Any]) -> Callable[[F], F]:
    """Apply several option decorators so that help lists them in the order given."""

    def apply(function: F) -> F:
        for decorate in reversed(decorators):
            function = decorate(function)
        return function

    return apply


runs = click.option(
    "--runs",
    type=Folder(),
    envvar="HARNESS_RUNS",
    default=DEFAULT_RUNS,
    show_default=True,
    metavar="DIR",
    help="Folder of run cells. [env: HARNESS_RUNS]",
)
catalog = click.option(
    "--catalog",
    "catalogs",
    type=Folder(),
    multiple=True,
    metavar="DIR",
    help="Also load tasks, judges and reports from this folder, laid out as ours. Repeatable.",
)
data_dir = click.option(
    "--data-dir",
    type=Folder(),
    metavar="DIR",
    help="Offline mirror of data files, searched by name and sha256. [env: HARNESS_DATA_DIR]",
)
offline = click.option("--offline", is_flag=True, help="Never download; use cache, mirrors and installed packages.")
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, all else on stderr.")
workers = click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Sandbox workers.")
unsafe_exec = click.option(
    "--unsafe-exec", is_flag=True, help="Execute model-written code even where no sandbox works. Recorded."
)

data = stacked(catalog, data_dir, offline)
"""Everything that finds tasks and their data."""

judging = stacked(
    click.option(
        "--judge-model",
        metavar="M",
        help="Who judges, as --model takes it (a bare name is an OpenAI model); else the judge's declared model.",
    ),
    click.option("--judge-format", metavar="F", help="The judge's chat format, where its server has no template."),
    click.option("--judge-concurrency", type=click.IntRange(min=1), metavar="N", help="Calls in flight, at most."),
    click.option("--batch", is_flag=True, help="Judge by OpenAI's Batch API: half the price, within a day."),
    click.option("--judge-tokens", type=click.IntRange(min=1), metavar="N", help="Bound on the judge's reply."),
    click.option("--budget", type=Number(min=0), metavar="USD", help="What judging may cost, at most."),
    click.option(
        "--prices",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Price table, as judges/prices/openai.toml.",
    ),
    click.option(
        "--baseline",
        type=click.Path(exists=True, path_type=Path),
        metavar="PATH",
        help="The other side's answers: a file that can be replayed, or a cell.",
    ),
    click.option(
        "--verdicts",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Verdicts that exist: FastChat's judgments or reviews, AlpacaEval's annotations. Asks nobody.",
    ),
    click.option(
        "--length-control-c",
        type=Number(min=0, min_open=True),
        metavar="C",
        help="Regularisation of the length-controlled win rate; else recorded (published rows) or by stable folds.",
    ),
    click.option("--trust-verdicts", is_flag=True, help="Count verdicts on other answers than this run's, too."),
)
"""Everything that concerns judges."""


def judge_options(values: dict[str, Any], vllm: VllmOptions, *, off: bool = False) -> JudgeOptions:
    """Take the judge's options out of a command's parameters; ``vllm`` are those of servers that we start."""
    from harness.engines import EngineOptions
    from harness.judging.panel import JudgeOptions

    model = values.pop("judge_model")
    return JudgeOptions(
        model=judge_address(model) if model is not None else None,
        engine=EngineOptions(concurrency=values.pop("judge_concurrency"), vllm=vllm),
        chat_format=values.pop("judge_format"),
        max_tokens=values.pop("judge_tokens"),
        budget=values.pop("budget"),
        prices=values.pop("prices"),
        baseline=values.pop("baseline"),
        verdicts=values.pop("verdicts"),
        trusted=values.pop("trust_verdicts"),
        length_control_c=values.pop("length_control_c"),
        batch=values["runs"] / "batches" if values.pop("batch") else None,
        off=off,
    )


def judge_address(model: str) -> str:
    """What ``--judge-model`` means: a bare name that is no path (``gpt-4.1``) is a model of OpenAI's."""
    bare = "/" not in model and ":" not in model and not model.startswith((".", "~"))
    return f"openai:{model}" if bare and not Path(model).exists() else model


execution = stacked(workers, unsafe_exec)
"""Everything that concerns executing model-written code."""

sampling = stacked(
    click.option("--temperature", type=Number(min=0), metavar="T", help="0 is greedy."),
    click.option("--top-p", type=Number(0, 1, min_open=True), metavar="P", help="Nucleus mass."),
    click.option("--top-k", type=click.IntRange(min=0), metavar="K", help="0 is off."),
    click.option("--min-p", type=Number(0, 1), metavar="P", help="0 is off."),
    click.option("--max-new-tokens", type=click.IntRange(min=1), metavar="N", help="Bound on a reply, in tokens."),
    click.option("--stop", multiple=True, metavar="TEXT", help="Ends a reply; replaces the task's. Repeatable."),
)
"""Overrides of the task's sampling; each makes another ``ask_id``, and the number's name says so."""

servers = stacked(
    click.option(
        "--vllm-command",
        envvar="HARNESS_VLLM_COMMAND",
        metavar="CMD",
        help="The command that takes `serve`, of another environment or a container. [env: HARNESS_VLLM_COMMAND]",
    ),
    click.option("--replicas", type=click.IntRange(min=1), default=1, metavar="N", help="Servers of the checkpoint."),
    click.option("--tensor-parallel", type=click.IntRange(min=1), default=1, metavar="N", help="GPUs a server."),
    click.option("--dtype", metavar="T", help="Number format of the weights; else as the checkpoint says."),
    click.option("--max-model-len", type=click.IntRange(min=2), metavar="N", help="Context; else as it says."),
    click.option("--quantization", metavar="Q", help="vLLM's method; else as the checkpoint says."),
    click.option("--lora", type=click.Path(path_type=Path), metavar="DIR", help="Folder of a LoRA adapter."),
    click.option(
        "--vllm-arg", "vllm_args", multiple=True, metavar="K=V", help="Any other option of vllm serve. Repeatable."
    ),
    click.option("--vllm-env", multiple=True, metavar="K=V", help="Environment variable of the servers. Repeatable."),
    click.option(
        "--vllm-restarts",
        type=click.IntRange(min=0),
        default=3,
        metavar="N",
        help="How often a server that died or hung is started again. Default: 3.",
    ),
    click.option(
        "--vllm-start-timeout",
        type=Seconds(),
        default=1800.0,
        metavar="S",
        help="Seconds until a server must be ready. Default: 1800.",
    ),
    click.option(
        "--vllm-stall-timeout",
        type=Seconds(),
        default=120.0,
        metavar="S",
        help="Seconds without a sign of life after which a server is started again. Default: 120.",
    ),
)
"""Everything that concerns the servers that we start for a checkpoint."""


class Sizes(click.ParamType[tuple[int, ...]]):
    """Numbers from 1, separated by commas."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Read the numbers."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part.isascii() and part.isdigit() and 0 < int(part) < 10**6 for part in parts):
            self.fail(f"{value!r} is no list of numbers from 1, such as 1,10,100", param, ctx)
        return tuple(sorted({int(part) for part in parts}))


pass_at = click.option(
    "--k", type=Sizes(), default=(), metavar="N,N", help="Estimate pass@N for these; absent: for the task's own."
)
SAMPLING = ("temperature", "top_p", "top_k", "min_p", "max_new_tokens", "stop")


def overrides(values: dict[str, Any]) -> dict[str, Any]:
    """Take the sampling options out of a command's parameters; only those that were given remain."""
    taken = {name: values.pop(name) for name in SAMPLING}
    return {name: value for name, value in taken.items() if value is not None and value != ()}

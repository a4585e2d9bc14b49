"""`check`: a task's own reference solutions, graded by its own scorer, against the failures that are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import msgspec

from harness import prompts
from harness.catalog import Catalog
from harness.engines import Engine, EngineOptions, open_engine
from harness.errors import HarnessError, UsageError
from harness.runner.interrupt import breakable
from harness.runner.job import Rule
from harness.runner.plan import Progress
from harness.runner.preflight import make_rule, open_rule
from harness.runner.window import pool, width
from harness.types import Sample, Task

if TYPE_CHECKING:
    from harness.datasets import DataStore


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of grading a task's references.

    Attributes:
        task: The task's name.
        checked: How many references were graded.
        failed: Sample ids whose reference failed.
        unexpected: Those of ``failed`` that the task does not declare in ``known_reference_failures``.
        repaired: Declared failures that passed.
        unscored: Sample id -> why its reference could not be graded.
    """

    task: str
    checked: int
    failed: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    unscored: dict[str, str] = {}

    @property
    def ok(self) -> bool:
        """Whether the verdicts are exactly those that the task declares."""
        return not (self.unexpected or self.repaired or self.unscored)


async def check(
    task: str,
    *,
    catalog: Catalog,
    data: DataStore,
    progress: Progress,
    workers: int | None = None,
    unsafe_exec: bool = False,
) -> CheckResult:
    """Grade every reference solution of a task; nothing is written.

    Args:
        task: The task's name.
        catalog: Where tasks come from.
        data: Where samples come from.
        progress: Who is told.
        workers: Sandbox workers; None: one per core.
        unsafe_exec: Whether code may run without a sandbox.

    Raises:
        UsageError: The task is unknown or declares no references.
        InstrumentError: The scorer failed its self-test.
    """
    spec = catalog.task(task)
    if spec.reference is None:
        raise UsageError(f"{task} declares no reference answers", "add [reference] to the task")
    with breakable():
        samples = data.samples(spec)
        texts = data.texts(spec)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine("reference", EngineOptions()))
        form = prompts.resolve_format(spec, requested=None, known=engine.model.chat_format or "raw", model="reference")
        await engine.prepare(spec, samples, form)
        rule = make_rule(spec, workers=workers, unsafe_exec=unsafe_exec)
        await open_rule(rule, samples, stack)
        checker = _Checker(spec, engine, rule, form, texts, progress)
        await checker.all(samples, width(None, 0, workers))
    return checker.result(samples)


class _Checker:
    def __init__(
        self, task: Task, engine: Engine, rule: Rule, form: str, texts: dict[str, str], progress: Progress
    ) -> None:
        self._task = task
        self._engine = engine
        self._rule = rule
        self._form = form
        self._texts = texts
        self._progress = progress
        self._passed: dict[str, bool] = {}
        self._unscored: dict[str, str] = {}

    async def all(self, samples: Sequence[Sample], window: int) -> None:
        units: Iterator[Sample] = iter(samples)

        async def worker() -> None:
            for sample in units:
                await self._one(sample)

        await pool(worker, window)

    async def _one(self, sample: Sample) -> None:
        completions = []
        history: list[str] = []
        try:
            for turn in range(prompts.turns(self._task, sample)):
                asked = prompts.requests(
                    self._task,
                    sample,
                    attempt=0,
                    turn=turn,
                    history=history,
                    chat_format=self._form,
                    sampling=self._task.sampling,
                    seed=0,
                    texts=self._texts,
                )
                completions += [await self._engine.ask(request) for request in asked]
                history.append(completions[-1].text)
            scores = await self._rule.scorer.score(sample, completions)
        except HarnessError as error:
            self._unscored[sample.id] = error.code
            self._progress.note(f"{sample.id}: {error}")
            return
        graded = [score for score in scores if score.metric == self._task.metric]
        for score in graded:
            self._progress.scored(score)
        if not graded or any(score.value is None for score in graded):
            self._unscored[sample.id] = "unscored"
        else:
            self._passed[sample.id] = all(score.value == 1 for score in graded)

    def result(self, samples: Sequence[Sample]) -> CheckResult:
        failed = tuple(sample.id for sample in samples if self._passed.get(sample.id) is False)
        known = self._task.known_reference_failures
        return CheckResult(
            task=self._task.name,
            checked=len(self._passed),
            failed=failed,
            unexpected=tuple(item for item in failed if item not in known),
            repaired=tuple(item for item in known if self._passed.get(item)),
            unscored=dict(self._unscored),
        )

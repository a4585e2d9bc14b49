"""The judges of one command: engines opened once, money counted once, a scorer for each task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from harness.catalog import Catalog, digest, judge_spec
from harness.engines import Engine, EngineOptions, OwnsServers, open_engine
from harness.engines.batch import BatchOpenAI
from harness.errors import EngineError, HarnessError, JudgeError, SpecError, UsageError
from harness.judging import material as materials
from harness.judging.asking import Model, Source
from harness.judging.limiter import Limiter
from harness.judging.recorded import Recorded
from harness.judging.scorer import NAME, Absent, JudgeScorer, Opened, Unreached
from harness.judging.spending import PriceTable, Spending, batched, forecast, read_prices, shipped_prices
from harness.store import safe_name
from harness.types import Completion, DatasetPin, Judge, Prompt, Sample, ScorerSpec, Spec, Task

if TYPE_CHECKING:
    from harness.datasets import DataStore


HEADLINES = {"rating": "score", "pairwise": "win", "alpaca-eval": "win", "relative": "score"}
"""The item metric of each way to count."""


class JudgeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says about judging.

    Attributes:
        model: Who judges, as ``--model`` takes it; None: the declaration's model.
        engine: Options of its engine.
        chat_format: Its chat format; None: the one known of it, else its server's own.
        max_tokens: Bound on its reply instead of the declared one; part of the identity.
        budget: USD that the command may spend.
        prices: A price table; None: the one that ships.
        verdicts: A file of verdicts that exist; nobody is asked.
        trusted: Count those on other answers, too.
        baseline: The other side's answers, instead of the judge's own.
        batch: Ask by OpenAI's Batch API; folder that remembers what was submitted.
        forecast_only: Nobody is asked; a judge that cannot be reached is forecast all the same.
        off: Ask the candidate only; what it says is judged later.
        length_control_c: Regularisation of the length-controlled win rate; None: the recorded one of published
            annotations, else chosen over stable folds.
    """

    model: str | None = None
    engine: EngineOptions = EngineOptions()
    chat_format: str | None = None
    max_tokens: int | None = None
    budget: float | None = None
    prices: Path | None = None
    verdicts: Path | None = None
    trusted: bool = False
    baseline: Path | None = None
    batch: Path | None = None
    forecast_only: bool = False
    off: bool = False
    length_control_c: float | None = None


class _Options(Spec, frozen=True, kw_only=True):
    """Options of the scorer ``judge``."""

    judge: str


class _Seat:
    """One judging model at work; its own servers are started when the first question comes."""

    def __init__(self, engine: Engine, spending: Spending, chat_format: str, note: Callable[[str], None]) -> None:
        self.engine = engine
        self.spending = spending
        self.limiter = Limiter(engine.concurrency)
        self.chat_format = chat_format
        self._starting = asyncio.Lock()
        self._started = False
        self._failure: EngineError | None = None
        self._note = note

    async def start(self) -> None:
        """Start the judge's servers where they are ours, once; what failed once is not tried for every item.

        Raises:
            JudgeError: They do not start.
        """
        if not isinstance(self.engine, OwnsServers):
            return
        async with self._starting:
            if self._failure is not None:
                raise JudgeError(self._failure.message, self._failure.remedy, code=self._failure.code)
            if not self._started:
                try:
                    await self.engine.start(self._note)
                except EngineError as error:
                    self._failure = error
                    raise JudgeError(error.message, error.remedy, code=error.code) from error
                self._started = True

    async def stop(self) -> None:
        """Stop them."""
        if isinstance(self.engine, OwnsServers):
            await self.engine.stop()


class Panel:
    """Makes the scorers of judged tasks. Use as an async context: leaving closes the judges' engines.

    Args:
        options: What the command line says.
        catalog: Where judges come from.
        data: Where their prompts come from.

    Attributes:
        notes: What a person should know, collected while judges are opened.
        note: Told what happens later: the start of the judge's own servers, and at the end what was spent.
    """

    def __init__(self, options: JudgeOptions, catalog: Catalog, data: DataStore) -> None:
        self.options = options
        self.notes: list[str] = []
        self.note: Callable[[str], None] = lambda text: None
        self._catalog = catalog
        self._data = data
        self._stack = AsyncExitStack()
        self._seats: dict[str, _Seat] = {}
        self._prices: PriceTable | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close the engines, and tell what was spent."""
        await self._stack.aclose()
        for seat in self._seats.values():
            if (line := seat.spending.line(self.prices)) is not None:
                self.note(line)

    @property
    def prices(self) -> PriceTable:
        """The price table in force."""
        if self._prices is None:
            self._prices = read_prices(self.options.prices or shipped_prices())
        return self._prices

    @property
    def concurrency(self) -> int:
        """Calls that may be in flight, of all judges together."""
        return sum(seat.engine.concurrency for seat in self._seats.values())

    def scorer(self, task: Task, samples: Sequence[Sample]) -> JudgeScorer:
        """The scorer of a judged task, with its prompts and the other side's answers; entering it opens the judge.

        Raises:
            HarnessError: The declaration, prompts or baseline cannot be had.
        """
        judge = self._catalog.judge(judge_name(task))
        if self.options.max_tokens is not None:
            sampling = msgspec.structs.replace(judge.sampling, max_new_tokens=self.options.max_tokens)
            judge = msgspec.structs.replace(judge, sampling=sampling)
        off, baseline = self.options.off, self._baseline(judge)
        material = materials.load(judge, task, samples, self._data, baseline=baseline, now=not off)
        self.notes += material.notes

        async def seek() -> Opened:
            found = await self.opened(judge, samples)
            if baseline is None or off:
                return found
            other = digest({sample: list(turns) for sample, turns in material.baseline.items()})
            return msgspec.structs.replace(found, identity={**found.identity, "baseline": other})

        return JudgeScorer(material, seek, self.options.length_control_c)

    async def opened(self, judge: Judge, samples: Sequence[Sample]) -> Opened:
        """Open a judge.

        Raises:
            HarnessError: Its model, prices or recorded verdicts cannot be had.
        """
        source, by, who = await self._source(judge, samples)
        return Opened(source, by, {"declaration": judge_spec(judge), "by": who})

    async def _source(self, judge: Judge, samples: Sequence[Sample]) -> tuple[Source, str, dict[str, Any]]:
        if self.options.off:
            return Absent(), "nobody", {"off": True}
        if self.options.verdicts is not None:
            recorded = Recorded(judge, self.options.verdicts, trusted=self.options.trusted)
            return recorded, recorded.name or "recorded", {"name": recorded.name, **recorded.identity()}
        try:
            seat = await self._seated(self._model(judge))
        except EngineError as error:
            if not self.options.forecast_only:
                raise
            name = self._model(judge).rpartition("#")[2].removeprefix("openai:")
            self.notes.append(f"{error.message}: forecast without it, and without the verdicts that may be there")
            return Unreached(), name, {"unreached": name}
        pseudo = _pseudo_task(judge)
        try:
            prepared = await seat.engine.prepare(pseudo, samples, seat.chat_format)
        except HarnessError as error:
            error.remedy = error.remedy.replace("--format", "--judge-format")  # what engines say of candidates
            raise
        self.notes += prepared.notes
        model = msgspec.structs.replace(seat.engine.model, chat_format=seat.chat_format)
        who = {**msgspec.to_builtins(model), "settings": dict(seat.engine.settings())}
        source = Model(judge, seat.engine, pseudo, seat.chat_format, seat.spending, seat.limiter, start=seat.start)
        return source, seat.engine.model.name, who

    def _baseline(self, judge: Judge) -> Path | None:
        """The file of the other side's answers that a user named; recorded reviews may hold them, too."""
        named, recorded = self.options.baseline, self.options.verdicts
        if named is None and recorded is not None and judge.kind == "pair" and judge.baseline is None:
            return recorded if materials.holds_both_sides(recorded) else None
        return named

    def _model(self, judge: Judge) -> str:
        return self.options.model or judge.model

    def _tell(self, text: str) -> None:
        self.note(text)

    def _engine(self, model: str) -> Engine:
        if self.options.batch is None:
            return open_engine(model, self.options.engine)
        scheme, _, name = model.partition(":")
        if scheme != "openai":
            raise UsageError(f"--batch: {model} has no Batch API", "leave it out, or judge by openai:NAME")
        return BatchOpenAI(name, self.options.engine, self.options.batch / f"{safe_name(name)}.jsonl")

    async def _seated(self, model: str) -> _Seat:
        """Open a judging model, once for all tasks."""
        if model not in self._seats:
            if model.partition(":")[0] in ("replay", "reference", "reference-with-faults"):
                raise UsageError(f"--judge-model {model}: cannot judge", "name a model, or use --verdicts FILE")
            engine = await self._stack.enter_async_context(self._engine(model))
            name = engine.model.name
            batch = self.options.batch is not None
            spending = Spending(self.prices.of(name), self.options.budget, name, batch=batch)
            known = self._catalog.known_model(name)
            form = self.options.chat_format or engine.model.chat_format or (known.format if known else None)
            self._seats[model] = _Seat(engine, spending, form or "tokenizer", self._tell)
            self._stack.push_async_callback(self._seats[model].stop)
        return self._seats[model]

    def stop(self) -> None:
        """Ask no judge anything new: whoever would gets a `StoppedError`; calls in flight go on."""
        for seat in self._seats.values():
            seat.limiter.stop()

    def forecast(self, scorer: JudgeScorer, items: Iterable[tuple[Sample, Sequence[Completion]]]) -> str | None:
        """What judging these items will take, in a sentence; None where nobody is asked."""
        if not scorer.asks:
            return None
        listed = self.prices.of(scorer.by)
        price = batched(listed) if self.options.batch is not None else listed
        judge = scorer.judge
        limit = judge.sampling.max_new_tokens or judge.tokens
        found = forecast(scorer.pending(items), usual=judge.tokens, limit=limit, price=price)
        return found.line(f"{judge.name} by {scorer.by}", self.prices)


def judged(task: Task) -> bool:
    """Whether a judge scores a task."""
    return task.scorer.name == NAME


def judge_name(task: Task) -> str:
    """The judge that a task declares.

    Raises:
        SpecError: It declares none.
    """
    try:
        return msgspec.convert(dict(task.scorer.options), _Options).judge
    except msgspec.ValidationError as error:
        raise SpecError(
            f"{task.name}: scorer.options: {error}", 'write options = { judge = "benchmark/protocol" }'
        ) from error


def with_judge(task: Task, judge: Judge) -> Task:
    """A task scored by another judge; its numbers bear the judge's name."""
    spec = ScorerSpec(name=NAME, options={"judge": judge.name})
    return msgspec.structs.replace(task, name=judge.name, scorer=spec, metric=HEADLINES[judge.aggregation])


def number_name(task: Task, scorer: JudgeScorer) -> str:
    """What a judged number is called: the task's name, and who judged where that is not the declared model."""
    judge = scorer.judge
    declared = {judge.model, judge.model.rpartition(":")[2], *judge.aliases}
    return task.name if scorer.by in declared else f"{task.name}@{scorer.by}"


def _pseudo_task(judge: Judge) -> Task:
    """What an engine is told before it judges: the sampling, and that messages come."""
    return Task(
        name=f"judge {judge.name}",
        version=judge.version,
        title=judge.title,
        dataset=DatasetPin(name="judge", source="file:none", sha256="0" * 64),
        prompt=Prompt(turns=("{question}",)),
        sampling=judge.sampling,
        scorer=ScorerSpec(name=NAME),
        metric="score",
    )

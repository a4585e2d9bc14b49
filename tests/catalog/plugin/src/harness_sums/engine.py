"""An engine that can add: ``adder:0`` is right, ``adder:1`` is always one too high."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

from harness.engines import EngineOptions, Prepared
from harness.errors import RequestError, UsageError
from harness.prompts import prompt_sha256
from harness.types import Completion, EngineFacts, Generate, ModelFacts, Request, Sample, Task


class Adder:
    """Reads two numbers from the prompt and adds them and ``target``."""

    def __init__(self, target: str, options: EngineOptions) -> None:
        if not re.fullmatch(r"-?\d+", target):
            raise UsageError(f"adder:{target}: the error must be a whole number", "write adder:0")
        self._error = int(target)
        self.concurrency = options.concurrency or 4
        self.facts = EngineFacts(name="adder", version="1.2")
        self.model = ModelFacts(name=f"adder{target}", identity="declared", weights=target, chat_format="raw")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    def settings(self) -> Mapping[str, Any]:
        """Nothing but the error can change an answer, and that is the model's identity."""
        return {}

    async def prepare(self, task: Task, samples: Sequence[Sample], chat_format: str) -> Prepared:
        """Any task will do; prompts without two numbers fail one by one."""
        return Prepared()

    async def ask(self, request: Request) -> Completion:
        """Answer one request."""
        if not isinstance(request, Generate) or request.prompt is None:
            raise RequestError("unsupported", "the adder continues plain prompts only")
        numbers = [int(number) for number in re.findall(r"-?\d+", request.prompt)]
        if len(numbers) != 2:
            raise RequestError("no-numbers", f"the prompt has {len(numbers)} numbers, not 2")
        return Completion(
            sample=request.sample,
            attempt=request.attempt,
            turn=request.turn,
            prompt=request.prompt,
            prompt_sha256=prompt_sha256(request.prompt),
            text=str(sum(numbers) + self._error),
            finish_reason="stop",
            max_tokens=request.sampling.max_new_tokens,
            seed=request.seed,
        )

"""One attempt at one sample: ask turn by turn, journal each reply, score, journal the scores."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from harness import prompts
from harness.errors import EngineError, HarnessError, RequestError, StoppedError, StoreError
from harness.runner.grade import Grader
from harness.runner.job import Job
from harness.runner.plan import Progress
from harness.store import RecordError
from harness.types import Completion, Request, Sample

DEAD_AFTER = 20
"""Connection failures in a row, without one success between, after which the engine counts as gone."""


class Line:
    """The way to one engine: bounds what is in flight, and notices when nobody answers any more.

    Attributes:
        stopping: Set when nothing new may be asked.
    """

    def __init__(self, concurrency: int) -> None:
        self.stopping = False
        self._slots = asyncio.Semaphore(concurrency)
        self._failures = 0

    async def ask(self, job: Job, request: Request) -> Completion:
        """Ask one request in a slot of the engine.

        Raises:
            StoppedError: The run is ending.
            RequestError: The request failed for good.
            EngineError: The engine is gone.
        """
        async with self._slots:
            if self.stopping:
                raise StoppedError
            try:
                completion = await job.engine.ask(request)
            except RequestError as error:
                self._count(job, error)
                raise
            self._failures = 0
            return completion

    def _count(self, job: Job, error: RequestError) -> None:
        if not error.code.startswith("connect"):
            self._failures = 0
            return
        self._failures += 1
        if self._failures >= DEAD_AFTER:
            raise EngineError(
                f"{job.engine.model.name}: {self._failures} requests in a row found nobody ({error.message})",
                "start the server again and repeat the same command: it resumes, and asks nothing twice",
                code="engine-gone",
            ) from error


class Attempts:
    """Carries attempts through; one for all jobs of a model.

    Args:
        line: The way to the engine.
        progress: Who is told.
    """

    def __init__(self, line: Line, progress: Progress) -> None:
        self._line = line
        self._progress = progress

    async def carry(self, job: Job, sample: Sample, attempt: int) -> None:
        """Ask what is not journaled, then score; failures of this attempt are recorded and end only it.

        Raises:
            StoppedError: The run is ending.
            EngineError: The engine is gone.
            StoreError: The run folder cannot be written.
            InstrumentError: The scorer must not grade.
        """
        completions = await self._asked(job, sample, attempt)
        if completions is not None and not job.scoring.has(sample.id, attempt):
            await self._grader(job).grade(sample, attempt, completions)

    def _grader(self, job: Job) -> Grader:
        return Grader(job.cell, job.scoring, job.rule, self._progress)

    async def _asked(self, job: Job, sample: Sample, attempt: int) -> list[Completion] | None:
        completions: list[Completion] = []
        history: list[str] = []
        turn = 0
        fail = self._grader(job).fail
        try:
            for turn in range(prompts.turns(job.task, sample)):
                requests = prompts.requests(
                    job.task,
                    sample,
                    attempt=attempt,
                    turn=turn,
                    history=history,
                    chat_format=job.chat_format,
                    sampling=prompts.sampling_of(job.task, sample),
                    seed=job.seed,
                    texts=job.texts,
                )
                completions += await self._replies(job, requests)
                history.append(completions[-1].text)
        except RequestError as error:
            fail(sample, attempt, turn, "request", error.code, error.message, error.tries)
        except EngineError as error:
            fail(sample, attempt, turn, "request", error.code, str(error))
            raise
        except RecordError as error:
            fail(sample, attempt, turn, "request", error.code, str(error))
        except (StoppedError, StoreError):
            raise
        except HarnessError as error:
            fail(sample, attempt, turn, "request", error.code, str(error))
        except Exception as error:
            fail(sample, attempt, turn, "request", "bug", f"{type(error).__name__}: {error}")
        else:
            return completions
        return None

    async def _replies(self, job: Job, requests: Sequence[Request]) -> list[Completion]:
        """Answer the requests of one turn, from the journal where they are there; in their order."""
        if len(requests) == 1:
            return [await self._reply(job, requests[0])]
        # Every answer that comes is journaled, also where another choice of the sample fails.
        replies = await asyncio.gather(*(self._reply(job, one) for one in requests), return_exceptions=True)
        for reply in replies:
            if isinstance(reply, BaseException):
                raise reply
        return [reply for reply in replies if isinstance(reply, Completion)]

    async def _reply(self, job: Job, request: Request) -> Completion:
        key = (request.sample, request.attempt, request.turn)
        if key in job.cell:
            return job.cell.completion(*key)
        completion = await self._line.ask(job, request)
        if (completion.sample, completion.attempt, completion.turn) != key:
            given = (completion.sample, completion.attempt, completion.turn)
            raise TypeError(f"engine {job.engine.facts.name} answered {given} when asked {key}")
        completion = msgspec.structs.replace(completion, invocation=job.invocation.id)
        job.cell.append(completion)
        self._progress.asked(completion)
        return completion

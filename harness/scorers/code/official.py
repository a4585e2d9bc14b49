"""EvalPlus itself: the `evalplus` package executes and compares, for whoever needs its very behaviour.

Its known defects are part of it (`docs/code-benchmarks.md` lists them). It runs in a process of its own, with the
Python that ``HARNESS_EVALPLUS`` names, else with this one; as a whole in bubblewrap.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self

from harness.errors import HarnessError, InstrumentError, SandboxError, SpecError
from harness.prompts import reference_text
from harness.sandbox import foreign
from harness.scorers import declared
from harness.scorers.code import evalplus_server
from harness.scorers.code.programs import BEFORE, program_of, whole_program
from harness.scorers.code.proof import REFERENCES, known_wrong
from harness.types import Completion, Reason, Sample, Score, Spec, Stage, Task

VARIABLE: Final = "HARNESS_EVALPLUS"
_LIVES: Final = 2
_SILENCE_SECONDS: Final = 600.0
"""More than EvalPlus takes for one sample, or for the expected results of one problem."""
_FIELDS: Final = ("task_id", "prompt", "entry_point", "canonical_solution", "base_input", "plus_input", "atol")
_REASONS: Final[Mapping[str, Reason]] = {"pass": "ok", "timeout": "timeout"}
_EXTRA: Final = {"pass": "passed", "timeout": "timeout"}
_LOOK: Final = """
import importlib.util, json, os, sys, sysconfig
search = [os.path.realpath(one) for one in sys.path if os.path.exists(one)]
libraries = sysconfig.get_config_var("LIBDIR") or ""
found = importlib.util.find_spec("evalplus") is not None
print(json.dumps([found, os.path.realpath(sys.executable), [libraries] * os.path.isdir(libraries) + search, search]))
"""
_BOOT: Final = "import sys, json; sys.path[:] = json.loads(sys.argv.pop(1)); exec(sys.argv.pop(1))"


class OfficialOptions(Spec, frozen=True, kw_only=True):
    """``scorer.options``.

    Attributes:
        dataset: EvalPlus's name of the data: how inputs are read and which oracles apply.
        before: What is executed before a reply or continuation, with placeholders as in a prompt.
        min_time_limit: Seconds of one call, at least; EvalPlus's own default.
        gt_time_limit_factor: Or so many times the reference solution's; EvalPlus's own default.
    """

    dataset: Literal["humaneval", "mbpp"]
    before: str = BEFORE
    min_time_limit: float = 1.0
    gt_time_limit_factor: float = 4.0


class Official:
    """Grades by `evalplus.evaluate`. Two scores: ``base`` and ``plus`` (both sets of inputs)."""

    version: ClassVar[int] = 1

    def __init__(self, task: Task, *, workers: int | None = None, unsafe_exec: bool = False) -> None:
        self._options = declared.options(task, OfficialOptions)
        self._task = task
        self._workers = workers or len(os.sched_getaffinity(0))
        self._unsafe = unsafe_exec
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._asked: dict[int, asyncio.Future[Mapping[str, Any] | None]] = {}
        self._starting = asyncio.Lock()
        self._number = 0
        self._evalplus = ""
        self.sandbox: str | None = None

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stop()

    async def _start(self) -> None:
        executable, read, search = _environment()
        source = Path(evalplus_server.__file__).read_text(encoding="utf-8")
        command = [executable, "-S", "-P", "-B", "-c", _BOOT, json.dumps(search), source, str(self._workers)]
        env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HF_HUB_OFFLINE": "1"}
        self._process, self.sandbox = await foreign.start(command, read, env, unsafe=self._unsafe)
        try:
            first = await asyncio.wait_for(self._output.readline(), _SILENCE_SECONDS)
            self._evalplus = str(json.loads(first)["version"])
        except BaseException as error:
            await self._stop()
            if not isinstance(error, ValueError | KeyError | TypeError | TimeoutError):
                raise
            raise SandboxError(
                "the evalplus package did not start", f"try `{executable} -c 'import evalplus.evaluate'`"
            ) from error
        self._reader = asyncio.create_task(self._read())

    async def _stop(self) -> None:
        if self._process is not None:
            await foreign.end(self._process)
            self._process = None
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
            self._reader = None

    @property
    def _input(self) -> asyncio.StreamWriter:
        assert self._process is not None
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _output(self) -> asyncio.StreamReader:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout

    async def self_test(self, samples: Sequence[Sample]) -> None:
        """A wrong value must fail, and one of a few reference solutions must pass: EvalPlus fails some of its own."""
        chosen = [one for one in samples if one.id not in self._task.known_reference_failures][:REFERENCES]
        passed = []
        for sample in chosen:
            wrong = known_wrong(sample.record["entry_point"])["a wrong value"]
            if (await self._ask(sample, 0, wrong))["base"][0] == "pass":
                raise InstrumentError(
                    f"self-test of scorer evalplus: a wrong value passed the tests of {sample.id}",
                    "nothing was graded; check the evalplus package",
                )
            if self._task.reference is not None:
                stage = self._task.reference.stage
                text = self._extracted(sample, reference_text(self._task, sample), stage)
                answer = await self._ask(
                    sample, 0, whole_program(self._task, sample, text or "", stage, self._options.before)
                )
                passed.append(answer["base"][0] == answer["plus"][0] == "pass")
        if passed and not any(passed):
            raise InstrumentError(
                f"self-test of scorer evalplus: no reference solution of {len(passed)} passed",
                "nothing was graded; check the evalplus package and the data set with `harness data verify`",
            )

    async def score(self, sample: Sample, completions: Sequence[Completion]) -> list[Score]:
        """Have EvalPlus grade the last turn's program."""
        completion = completions[-1]
        text = self._extracted(sample, completion.text, completion.stage)
        if text is None:
            return [self._score(sample, completion, name, 0.0, "no_answer", None, {}) for name in ("base", "plus")]
        program = whole_program(self._task, sample, text, completion.stage, self._options.before)
        answer = await self._ask(sample, completion.attempt, program)
        (base, base_tried), (extra, extra_tried) = answer["base"], answer["plus"]
        first = len(sample.record["base_input"])
        told = {"evalplus": self._evalplus}
        at_base, at_extra = {"call": base_tried - 1}, {"call": first + extra_tried - 1}
        failed = at_base if base != "pass" else at_extra if extra != "pass" else {}
        alone = {"extra": _EXTRA.get(extra, "wrong")}
        if base != "pass" and extra != "pass":
            alone["extra_call"] = at_extra["call"]
        worse = base if base != "pass" else extra
        return [
            self._score(
                sample, completion, "base", float(base == "pass"), _REASONS.get(base, "wrong"), text,
                told | (at_base if base != "pass" else {}),
            ),
            self._score(
                sample, completion, "plus", float(worse == "pass"), _REASONS.get(worse, "wrong"), None,
                told | failed | alone,
            ),
        ]  # fmt: skip

    def _score(
        self,
        sample: Sample,
        completion: Completion,
        metric: str,
        value: float,
        reason: Reason,
        extracted: str | None,
        detail: Mapping[str, Any],
    ) -> Score:
        return Score(
            sample=sample.id,
            attempt=completion.attempt,
            turn=completion.turn,
            metric=metric,
            value=value,
            reason=reason,
            extracted=extracted if extracted != completion.text else None,
            slices=declared.slices(self._task, sample),
            detail=detail,
        )

    def _extracted(self, sample: Sample, text: str, stage: Stage) -> str | None:
        return program_of(text, stage, self._task.extraction, str(sample.record.get("entry_point", "")))

    async def _ask(self, sample: Sample, attempt: int, solution: str) -> Mapping[str, Any]:
        missing = [name for name in _FIELDS if name not in sample.record]
        if missing:
            raise SpecError(
                f"task {self._task.name}: sample {sample.id} has no field {missing[0]!r}",
                "scorer evalplus needs it; use a data set in EvalPlus's form",
            )
        problem = {name: sample.record[name] for name in _FIELDS}
        for _ in range(_LIVES):
            async with self._starting:
                if self._reader is None or self._reader.done():
                    await self._stop()
                    await self._start()
            answer = await self._answer({"problem": problem, "solution": solution, "attempt": attempt})
            if answer is not None:
                break
        else:
            raise SandboxError(
                f"the process that runs evalplus ended twice while it graded {sample.id}: a tested program may have "
                "ended it, or memory ran out",
                "score again, with fewer --workers",
                code="evalplus",
            )
        if "error" in answer:
            raise SandboxError(f"evalplus on {sample.id}: {answer['error']}", "score again", code="evalplus")
        return answer

    async def _answer(self, request: dict[str, Any]) -> Mapping[str, Any] | None:
        """The answer to a request; None where the process ended before."""
        self._number += 1
        number, options = self._number, self._options
        request["id"], request["dataset"] = number, options.dataset
        request["min_time_limit"], request["gt_time_limit_factor"] = (
            options.min_time_limit,
            options.gt_time_limit_factor,
        )
        future: asyncio.Future[Mapping[str, Any] | None] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        try:
            self._input.write(json.dumps(request).encode("ascii") + b"\n")
            await self._input.drain()
            return await future
        except OSError:
            return None
        finally:
            del self._asked[number]

    async def _read(self) -> None:
        """Hand the answers out; a line may be none, for a tested program may reach into what runs it."""
        while True:
            try:
                line = await asyncio.wait_for(self._output.readline(), _SILENCE_SECONDS)
            except TimeoutError:
                if self._asked:
                    break
                continue
            except ValueError:  # longer than any of ours
                continue
            if not line:
                break
            answer = _read_answer(line)
            future = self._asked.get(answer.get("id", 0))
            if future is not None and not future.done():
                future.set_result(answer)
        for future in self._asked.values():
            if not future.done():
                future.set_result(None)


def _read_answer(line: bytes) -> dict[str, Any]:
    """A line as an answer; empty where it is none."""
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        said = json.loads(line)
        if type(said["id"]) is not int:
            return {}
        if "error" in said:
            return {"id": said["id"], "error": str(said["error"])[:500]}
        (base, base_tried), (plus, plus_tried) = said["base"], said["plus"]
        return {"id": said["id"], "base": (str(base), int(base_tried)), "plus": (str(plus), int(plus_tried))}
    return {}


def _environment() -> tuple[str, list[str], list[str]]:
    """The Python that has evalplus: its real path, the folders that it reads, where it looks for modules.

    Raises:
        HarnessError: It has no evalplus.
    """
    python = os.environ.get(VARIABLE) or sys.executable
    try:
        look = subprocess.run([python, "-P", "-c", _LOOK], capture_output=True, check=True, timeout=60)  # noqa: S603
        found, executable, read, search = json.loads(look.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise HarnessError(
            f"{VARIABLE}: {python} is no Python that works", "name the Python of an environment with evalplus"
        ) from error
    if not found:
        raise HarnessError(
            f"{python} has no package evalplus, which scorer 'evalplus' runs",
            f"pip install 'wizard-harness[code]', or name another environment's Python with {VARIABLE}",
            code="no-evalplus",
        )
    return executable, read, search

"""Runs a trial on a zygote: two processes that never meet, and the verdict of the one that knows the tests."""

from __future__ import annotations

import functools
import json
import marshal
import os
import signal
import time
import warnings
from collections.abc import Sequence
from typing import Any, Literal

from harness.errors import SandboxError
from harness.sandbox.attached import Attached, payloads
from harness.sandbox.clocks import Clocks
from harness.sandbox.errand import Done, Errand
from harness.sandbox.inside import protocol
from harness.sandbox.trial import Limits, Outcome, Trial
from harness.sandbox.zygote import Zygote, sealed

_CHUNK = 1 << 16
_ATTEMPTS = 3
_Process = Literal["solution", "tester"]


async def run_trial(zygote: Zygote, trial: Trial) -> Outcome:
    """Run one trial; where somebody else killed a process of it, run it again.

    Raises:
        ZygoteDiedError: The zygote ended; start another and try again.
        SandboxError: The tests themselves are broken, the machine gave the trial no processor, or its tester was killed
            each time.
    """
    killed = 0
    for _ in range(_ATTEMPTS):
        outcome, victim = await _attempt(zygote, trial)
        if victim is None:
            return outcome
        killed += victim == "solution"
        if killed == 2:
            # Twice is no accident: what it does makes the kernel kill it.
            return outcome
    raise SandboxError(
        f"the tester of a trial was killed (SIGKILL) {_ATTEMPTS} times, by somebody else or for want of memory",
        "see the kernel's log, run with fewer --workers, and score again",
        code="killed",
    )


async def _attempt(zygote: Zygote, trial: Trial) -> tuple[Outcome, _Process | None]:
    """Run it once; returns too which of its processes somebody else killed."""
    limits = trial.limits

    def clocks(pids: Sequence[int], began: float) -> Clocks:
        return Clocks(
            pids,
            cpu_seconds=limits.cpu_seconds,
            wall_seconds=limits.wall_seconds,
            idle_seconds=limits.idle_seconds,
            began=began,
        )

    told = [sealed(payload) for payload in payloads(trial, _compiled(trial.helpers, trial.test))]
    read_end, write_end = os.pipe()
    ours = [*told, write_end]
    try:
        with Attached(trial.calls) as attached:
            order = zygote.carry_out(
                protocol.TRIAL,
                [*ours, *attached.descriptors],
                clocks,
                cpu_seconds=limits.cpu_seconds,
                file_bytes=limits.file_bytes,
                first_look=min(limits.cpu_seconds, limits.wall_seconds, limits.idle_seconds or limits.wall_seconds),
            )
            done, errand = await order
            while ours:
                os.close(ours.pop())
            verdict = _read_verdict(read_end)
    finally:
        for descriptor in (*ours, read_end):
            os.close(descriptor)
    wall = time.monotonic() - (errand.began or 0.0)
    limit = _limit(done, errand, limits)
    return _outcome(done, limit, verdict, wall), None if limit is not None else _victim(done, verdict)


def _limit(done: Done, errand: Errand, limits: Limits) -> str | None:
    """The limit that was spent; the kernel's own limit on processor time kills as somebody else does."""
    if done.killed:
        return errand.limit
    return "cpu" if any(fate.killed and fate.cpu_seconds > limits.cpu_seconds for fate in done.fates) else None


def _victim(done: Done, verdict: dict[str, Any] | None) -> _Process | None:
    solution, tester = done.fates
    if tester.killed:
        return "tester"
    # The tester may notice the end of the solution before the zygote can.
    noticed = verdict is not None and verdict["kind"] == "SolutionGone"
    return "solution" if solution.killed or (noticed and solution.exit == -signal.SIGKILL) else None


@functools.lru_cache(maxsize=256)
def _compiled(helpers: str, test: str) -> bytes:
    """Compile the tests (trusted code) once for all samples of a problem; the tester only has to load them."""
    try:
        with warnings.catch_warnings(action="ignore"):
            code = compile(helpers + "\n\n" + test, "<test>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise SandboxError(
            f"the tests cannot be compiled: {type(error).__name__}: {error}",
            "check the task's data set and its reference solution",
            code="broken-test",
        ) from error
    return marshal.dumps(code)


def _outcome(done: Done, limit: str | None, verdict: dict[str, Any] | None, wall: float) -> Outcome:
    solution, tester = done.fates
    cpu = solution.cpu_seconds + tester.cpu_seconds
    if limit in ("cpu", "wall"):
        return Outcome(status="timeout", kind=limit, cpu_seconds=cpu, wall_seconds=wall)
    if limit is not None:
        text = f"it used more {limit} than a trial may"
        return Outcome(status="error", kind=limit, message=text, cpu_seconds=cpu, wall_seconds=wall)
    if verdict is None:
        # The tester is ours: it dies only of what the solution sent (memory, processor time).
        text = f"the tester ended without a verdict (exit {tester.exit})"
        return Outcome(status="error", kind="tester", message=text, cpu_seconds=cpu, wall_seconds=wall)
    if verdict["status"] == "broken":
        raise SandboxError(
            f"the tests cannot be loaded: {verdict['kind']}: {verdict['message']}",
            "check the task's data set and its reference solution",
            code="broken-test",
        )
    return Outcome(
        status=verdict["status"],
        kind=verdict["kind"],
        message=verdict["message"],
        cpu_seconds=cpu,
        wall_seconds=wall,
        detail=verdict.get("detail", {}),
    )


def _read_verdict(descriptor: int) -> dict[str, Any] | None:
    body = b""
    while chunk := os.read(descriptor, _CHUNK):
        body += chunk
    try:
        verdict: dict[str, Any] = json.loads(body)
    except ValueError:
        return None
    return verdict

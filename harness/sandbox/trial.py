"""A trial: one program against one test, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one trial may use.

    Attributes:
        cpu_seconds: Processor time of solution and tester together; spent, it is a conclusive timeout.
        wall_seconds: Time in which the processes were running or waiting of their own accord; time spent waiting for
            a processor does not count, so a loaded machine changes no verdict.
        idle_seconds: Time in which they neither ran nor waited for a processor; None: `wall_seconds` alone counts.
        file_bytes: Size of one file in the scratch folder.
    """

    cpu_seconds: float = 3.0
    wall_seconds: float = 4.0
    idle_seconds: float | None = None
    file_bytes: int = 64 << 20


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that are known beforehand, so that the solution makes them by itself and sends its answers many at a time.

    Both files are made by `harness.sandbox.inside.calls.write`.

    Attributes:
        arguments: File of marshalled blocks of argument tuples; solution and tester read it.
        expected: File of the forms of answers, which only the tester reads.
        compute: There is no solution, and what the trial's ``check(arguments, fill)`` hands to ``fill`` is written
            into ``expected``, which is empty.
        first: Number of the block to begin with.
        options: What the trial's ``check(answers, arguments, expected, options)`` is told, in JSON;
            ``call_cpu_seconds`` is the processor time of one call.
    """

    arguments: Path
    expected: Path
    compute: bool = False
    first: int = 0
    options: Mapping[str, Any] = {}


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One program and its tests; the two never meet in one process.

    Attributes:
        program: Source of the solution, as executed.
        entry_point: Name of the function under test.
        helpers: Source that the tests may use: the prompt with its reference solution.
        test: Source that defines ``check(candidate)``, or the ``check`` that `Calls` describes.
        calls: Calls that are known beforehand.
    """

    program: str
    entry_point: str
    helpers: str
    test: str
    limits: Limits = Limits()
    calls: Calls | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a trial.

    Attributes:
        status: ``passed``; ``wrong`` (a test refused a result); ``error`` (the solution raised or died);
            ``timeout`` (a limit was spent).
        kind: Type of the exception, or which limit (``cpu``, ``wall``).
        message: Its text, shortened; written by untrusted code.
        cpu_seconds: Processor time of solution and tester.
        wall_seconds: From start to end.
        detail: What else the test told; parts of it were written by untrusted code.
    """

    status: Literal["passed", "wrong", "error", "timeout"]
    kind: str = ""
    message: str = ""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    detail: Mapping[str, Any] = {}

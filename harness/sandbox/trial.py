"""A trial: one program against one test, and what came of it."""

from __future__ import annotations

from typing import Literal

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one trial may use.

    Attributes:
        cpu_seconds: Processor time of solution and tester together; spent, it is a conclusive timeout.
        wall_seconds: Time in which the processes were running or waiting of their own accord; time spent waiting for
            a processor does not count, so a loaded machine changes no verdict.
        file_bytes: Size of one file in the scratch folder.
    """

    cpu_seconds: float = 3.0
    wall_seconds: float = 4.0
    file_bytes: int = 64 << 20


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One program and its tests; the two never meet in one process.

    Attributes:
        program: Source of the solution, as executed.
        entry_point: Name of the function under test.
        helpers: Source that the tests may use: the prompt with its reference solution.
        test: Source that defines ``check(candidate)``.
    """

    program: str
    entry_point: str
    helpers: str
    test: str
    limits: Limits = Limits()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a trial.

    Attributes:
        status: ``passed``; ``wrong`` (a test refused a result); ``error`` (the solution raised or died);
            ``timeout`` (a limit was spent).
        kind: Type of the exception, or which limit (``cpu``, ``wall``).
        message: Its text, shortened; written by untrusted code.
        cpu_seconds: Processor time of solution and tester.
        wall_seconds: From start to end.
    """

    status: Literal["passed", "wrong", "error", "timeout"]
    kind: str = ""
    message: str = ""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0

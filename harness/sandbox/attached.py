"""The files of a trial whose calls are known beforehand, opened for its processes."""

from __future__ import annotations

import os
from typing import Any

from harness.errors import SandboxError
from harness.sandbox.trial import Calls, Trial


class Attached:
    """The descriptors of a trial's files, in the order in which the zygote takes them. Use as a context.

    Args:
        calls: What the trial declares; None: no files.

    Raises:
        SandboxError: A file cannot be opened.
    """

    def __init__(self, calls: Calls | None) -> None:
        self.descriptors: list[int] = []
        if calls is None:
            return
        try:
            self.descriptors.append(os.open(calls.arguments, os.O_RDONLY | os.O_CLOEXEC))
            access = os.O_WRONLY if calls.compute else os.O_RDONLY
            self.descriptors.append(os.open(calls.expected, access | os.O_CLOEXEC))
        except OSError as error:
            self.close()
            raise SandboxError(
                f"the calls of a trial cannot be read: {error}", "run again; the cache is made anew", code="calls"
            ) from error

    def __enter__(self) -> Attached:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        while self.descriptors:
            os.close(self.descriptors.pop())


def payloads(trial: Trial, compiled: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """What solution and tester are told; neither learns anything of the other's."""
    solution: dict[str, Any] = {"source": trial.program, "entry_point": trial.entry_point}
    tester: dict[str, Any] = {"tests": compiled}
    if trial.calls is not None:
        solution["first"] = trial.calls.first
        tester["options"] = {**trial.calls.options, "first": trial.calls.first}
        tester["compute"] = trial.calls.compute
    return solution, tester

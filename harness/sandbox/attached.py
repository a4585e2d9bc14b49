"""The files of a trial whose calls are known beforehand: opened for its processes, and read where one was filled."""

from __future__ import annotations

import mmap
import os
from typing import Any, Final

from harness.errors import SandboxError
from harness.sandbox.trial import Calls, Trial

MAX_OUTPUT: Final = 2 << 30
"""Bytes that a computing trial may fill; only what it does fill takes memory."""


class Attached:
    """The descriptors of a trial's files, in the order in which the zygote takes them. Use as a context.

    Args:
        calls: What the trial declares; None: no files.

    Raises:
        SandboxError: A file cannot be opened.
    """

    def __init__(self, calls: Calls | None) -> None:
        self._calls = calls
        self.descriptors: list[int] = []
        if calls is None:
            return
        try:
            self.descriptors.append(_open(calls.arguments))
            self.descriptors.append(_output() if calls.expected is None else _open(calls.expected))
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

    def output(self, verdict: dict[str, Any] | None) -> bytes | mmap.mmap:
        """What the trial filled; empty where nothing was to be filled."""
        size = 0 if verdict is None else verdict.get("size", 0)
        if self._calls is None or self._calls.expected is not None or not size:
            return b""
        return mmap.mmap(self.descriptors[1], size, prot=mmap.PROT_READ)


def payloads(trial: Trial, compiled: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """What solution and tester are told; neither learns anything of the other's."""
    solution: dict[str, Any] = {"source": trial.program, "entry_point": trial.entry_point}
    tester: dict[str, Any] = {"tests": compiled}
    if trial.calls is not None:
        solution["first"] = trial.calls.first
        tester["options"] = {**trial.calls.options, "first": trial.calls.first}
        tester["compute"] = trial.calls.expected is None
    return solution, tester


def _open(path: os.PathLike[str]) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _output() -> int:
    descriptor = os.memfd_create("output", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, MAX_OUTPUT)
    return descriptor

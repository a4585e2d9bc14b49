"""What can go wrong, said once: every error names what failed and what to do about it."""

from __future__ import annotations

from typing import ClassVar


class HarnessError(Exception):
    """An error a person can act on; the command line prints it as one line and exits with ``exit_code``.

    Args:
        message: What failed, naming the file, key or item.
        remedy: What to do about it; empty where the message already says so.
        code: A stable, machine-readable name of the cause; the class's own where absent.
    """

    exit_code: ClassVar[int] = 1
    default_code: ClassVar[str] = "error"

    def __init__(self, message: str, remedy: str = "", *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code or self.default_code

    def __str__(self) -> str:
        return f"{self.message} — {self.remedy}" if self.remedy else self.message


class StoppedError(Exception):
    """The run is ending: nothing new is asked, and what was not asked is left to the next run."""


class UsageError(HarnessError):
    """The command or a file that a person wrote is wrong (exit 64)."""

    exit_code = 64
    default_code = "usage"


class SpecError(UsageError):
    """A TOML specification is wrong; the message names file, key and the nearest valid spelling."""

    default_code = "spec"


class DataError(HarnessError):
    """A data set is absent, unreachable or not the pinned bytes."""

    default_code = "data"


class StoreError(HarnessError):
    """A run folder cannot be read or written, or is held by another process."""

    default_code = "store"


class EngineError(HarnessError):
    """The engine as a whole cannot work: nothing listens, the model is unknown, a key is missing."""

    default_code = "engine"


class RequestError(HarnessError):
    """One request failed for good after its retries: the instrument's fault, so the sample is unscored.

    Args:
        code: Cause, counted in reports (``http-500``, ``timeout``, ``missing``, ``context``, ...).
        message: What the server said, shortened.
        tries: How often it was tried.
    """

    default_code = "request"

    def __init__(self, code: str, message: str, tries: int = 1) -> None:
        super().__init__(message, code=code)
        self.tries = tries


class JudgeError(HarnessError):
    """A judge could not be asked or read: the instrument's fault, so the item is unscored."""

    default_code = "judge"


class SandboxError(HarnessError):
    """Untrusted code cannot be run safely here, or the sandbox broke."""

    default_code = "sandbox"


class InstrumentError(HarnessError):
    """A scorer failed its self-test: known-right answers failed or known-wrong ones passed. Nothing is graded."""

    default_code = "invalid"

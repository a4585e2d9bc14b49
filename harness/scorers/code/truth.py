"""Expected results: what a problem's reference solution returns, computed once for each version of the data and kept.

They are kept as files (`harness.sandbox.inside.calls.Pieces`) that the processes of a trial read as they go: 250 MB of
results for HumanEval+ take no memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import json
import marshal
import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.datasets.places import default_cache
from harness.errors import HarnessError, SandboxError, StoreError
from harness.sandbox import Calls, Limits, Sandbox, Trial
from harness.sandbox.inside import calls
from harness.scorers.code import expectation

VERSION: Final = 5
"""Raised when files made earlier must not be used any more."""
_BLOCK: Final = 64
_LIMITS: Final = Limits(cpu_seconds=300.0, wall_seconds=400.0)
_ABANDONED_SECONDS: Final = 86400.0
_BROKEN: Final = "broken-reference"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9.-]+")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a reference solution is called with.

    Attributes:
        id: The sample's id.
        data: sha256 of the data set.
        solution: Source that defines the entry point.
        entry_point: Name of the function.
        base: Arguments of each call of the first set.
        extra: Arguments of each call of the second set.
        only_given: Keep only whether there is a result.
    """

    id: str
    data: str
    solution: str
    entry_point: str
    base: Sequence[tuple[Any, ...]]
    extra: Sequence[tuple[Any, ...]]
    only_given: bool


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a problem's calls beside the files.

    Attributes:
        base_calls: Calls of the first set.
        base_blocks: Blocks of the first set.
        calls: Calls of both sets.
        float_from: For each set, the first call whose expected result is a float or a sequence of floats.
        slowest: Processor seconds of the reference solution's slowest call, its result's encoding included.
        seconds: Those of all its calls.
        exact: Whether equal forms are equal results; NaN, say, does not equal itself.
        sizes: Bytes of the two files.
    """

    base_calls: int
    base_blocks: int
    calls: int
    float_from: tuple[int | None, int | None]
    slowest: float
    seconds: float
    exact: bool
    sizes: tuple[int, int]


class Truth(Facts, frozen=True, kw_only=True):
    """A problem's calls and their expected results.

    Attributes:
        arguments: File of blocks of argument tuples; those of the first set come first.
        expected: File of the forms of expected results.
    """

    arguments: Path
    expected: Path


class TruthCache:
    """Finds or computes expected results; each problem is computed once, however many samples wait for it.

    Args:
        sandbox: Where reference solutions run; entered.
        folder: Where files are kept; None: ``ground-truth`` in the harness's cache.
    """

    def __init__(self, sandbox: Sandbox, folder: Path | None = None) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._found: dict[str, asyncio.Task[Truth]] = {}

    async def truth(self, problem: Problem) -> Truth:
        """The expected results of a problem.

        Raises:
            HarnessError: Its reference solution fails on its own inputs (``code`` ``broken-reference``).
            StoreError: The cache cannot be written.
            SandboxError: The sandbox broke.
        """
        task = self._found.get(problem.id)
        if task is None or (task.done() and _may_be_tried_again(task)):
            task = self._found[problem.id] = asyncio.create_task(self._find(problem))
        return await asyncio.shield(task)

    async def _find(self, problem: Problem) -> Truth:
        folder = self._place(problem)
        facts = _kept(folder) or await self._compute(problem, folder)
        return Truth(arguments=folder / "arguments", expected=folder / "expected", **msgspec.structs.asdict(facts))

    def _place(self, problem: Problem) -> Path:
        root = self._folder if self._folder is not None else default_cache() / "ground-truth"
        python = f"{sys.version_info.major}{sys.version_info.minor}"
        # The id is the data's: made harmless, and told apart by a digest of what decides the results beside the data.
        counts = [len(problem.base), len(problem.extra)]
        said = json.dumps([problem.id, problem.solution, problem.entry_point, problem.only_given, counts])
        digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        name = f"{_UNSAFE.sub('-', problem.id)[:80]}-{digest}"
        return root / f"{problem.data[:16]}-v{VERSION}-py{python}" / name

    async def _compute(self, problem: Problem, folder: Path) -> Facts:
        base = _blocks(problem.base)
        blocks = [marshal.dumps(block) for block in [*base, *_blocks(problem.extra)]]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(folder)
            with _whole(folder / "arguments") as unfinished, unfinished.open("wb") as file:
                calls.write(blocks, file.write)
            with _whole(folder / "expected") as unfinished:
                told = await self._run(problem, folder / "arguments", unfinished)
            counted = {"base_calls": len(problem.base), "base_blocks": len(base)}
            counted["calls"] = len(problem.base) + len(problem.extra)
            facts = msgspec.convert({**told, **counted, "sizes": _sizes(folder)}, Facts)
            # Last: who finds it finds the others.
            with _whole(folder / "facts.json") as unfinished:
                unfinished.write_bytes(msgspec.json.encode(facts))
        except OSError as error:
            raise StoreError(
                f"expected results cannot be kept in {folder}: {error.strerror or error}",
                "free some space, or name another cache with HARNESS_CACHE",
            ) from error
        return facts

    async def _run(self, problem: Problem, arguments: Path, expected: Path) -> dict[str, Any]:
        trial = Trial(
            program="",
            entry_point="",
            helpers="",
            test=_test(problem),
            limits=_LIMITS,
            calls=Calls(arguments=arguments, expected=expected, compute=True),
        )
        try:
            # Before everything whose length is known: samples wait for it.
            outcome = await self._sandbox.run(trial, seconds=math.inf)
        except SandboxError as error:
            if error.code != "broken-test":
                raise
            raise _broken(problem, error.message) from error
        if outcome.kind == calls.UnwrittenError.__name__:
            raise OSError(outcome.message)
        if outcome.status != "passed":
            raise _broken(problem, f"{outcome.status} {outcome.kind} {outcome.message}".rstrip())
        return dict(outcome.detail)


def _test(problem: Problem) -> str:
    counted = f"base_calls={len(problem.base)}, only_given={problem.only_given}"
    return (
        f"{inspect.getsource(expectation)}\n\n"
        "def check(arguments, fill):\n"
        "    namespace = {}\n"
        f"    exec(compile({problem.solution!r}, '<reference>', 'exec', dont_inherit=True), namespace)\n"
        f"    return compute(namespace[{problem.entry_point!r}], arguments, fill, {counted})\n"
    )


def _broken(problem: Problem, why: str) -> HarnessError:
    return HarnessError(
        f"the reference solution of {problem.id} fails on its own inputs: {why}",
        "check its canonical_solution and inputs, and the data set with `harness data verify`",
        code=_BROKEN,
    )


def _blocks(arguments: Sequence[tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
    return [list(arguments[at : at + _BLOCK]) for at in range(0, len(arguments), _BLOCK)]


def _kept(folder: Path) -> Facts | None:
    """What is known of a folder's files; None where one is absent or not whole."""
    try:
        facts = msgspec.json.decode((folder / "facts.json").read_bytes(), type=Facts)
        return facts if facts.sizes == _sizes(folder) else None
    except (OSError, msgspec.MsgspecError):
        return None


def _sizes(folder: Path) -> tuple[int, int]:
    return (folder / "arguments").stat().st_size, (folder / "expected").stat().st_size


def _may_be_tried_again(task: asyncio.Task[Truth]) -> bool:
    """Whether a task that is done has failed for a cause that may pass; a reference that fails will fail again."""
    if task.cancelled():
        return True
    error = task.exception()
    return error is not None and getattr(error, "code", "") != _BROKEN


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed processes have left unfinished, older than any that still works."""
    for file in folder.glob(".*"):
        with contextlib.suppress(OSError):
            if time.time() - file.stat().st_mtime > _ABANDONED_SECONDS:
                file.unlink()


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all: it gets its name at the end of the context."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(descriptor)
    try:
        yield Path(name)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

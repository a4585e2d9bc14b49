"""The whole suite on two processes: pytest-xdist, told which files belong together and which suffer no company.

All tests of a file run in one process, so that what a module's fixture makes is made once. A run of a part of the suite
(``pytest tests/cli``) takes one process, and ``-n 0`` takes one for everything.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

PROCESSES = 2
ALONE = (
    "tests/sandbox/hostile/test_bounds.py",
    "tests/sandbox/hostile/test_hostile_load.py",
)
"""They count what the machine as a whole has in use, or keep all of it busy: nothing else runs meanwhile."""
REAL_VLLM = (
    "tests/engines/vllm/test_real_runs.py",
    "tests/engines/vllm/test_real_formats.py",
    "tests/engines/vllm/test_prompt_tokens.py",
    "tests/judging/test_real_vllm.py",
)
"""In one process: they share a server, and more than two servers at once would need much memory."""
_WORKER = "PYTEST_XDIST_WORKER"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two for the whole suite, none but pytest itself where files are named."""
    return PROCESSES if config.args_source is not pytest.Config.ArgsSource.ARGS else 0


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    return Files(config, log)


class Files(LoadScopeScheduling):
    """Gives a process the tests of one file after another."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((files[0] for files in (ALONE, REAL_VLLM) if file in files), file)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that both processes end at about the same time."""
    for file in (*ALONE, *REAL_VLLM):
        if not (config.rootpath / file).is_file():
            raise pytest.UsageError(f"{Path(__file__).name} names {file}, which is not there")
    for item in items:
        if "vllm_command" in getattr(item, "fixturenames", ()) and _file(item) not in REAL_VLLM:
            raise pytest.UsageError(f"{_file(item)} starts a real vLLM: name it in REAL_VLLM of {Path(__file__).name}")
    if _WORKER in os.environ:
        slow = {_file(item) for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: _rank(_file(item), slow))  # stable: a file's own order stays


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _rank(file: str, slow: set[str]) -> tuple[bool, bool, bool]:
    return (file not in ALONE, file not in REAL_VLLM, file not in slow)


class Machine:
    """A lock that tests share, or one process has for itself; nobody overtakes who waits for that."""

    def __init__(self) -> None:
        here = Path(__file__)
        self._gate, self._room = here.open(), here.with_name("conftest.py").open()
        self._alone = False

    def enter(self, *, alone: bool) -> None:
        if not self._alone:
            fcntl.flock(self._gate, fcntl.LOCK_EX)
            fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            fcntl.flock(self._gate, fcntl.LOCK_UN)
            self._alone = alone

    def leave(self, *, alone_again: bool) -> None:
        if not (self._alone and alone_again):
            fcntl.flock(self._room, fcntl.LOCK_UN)
            self._alone = False


MACHINE = Machine()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Let a test of `ALONE` wait for what other processes are at, and them for all of it; no test's time runs yet."""
    if _WORKER not in os.environ:
        return (yield)
    MACHINE.enter(alone=_file(item) in ALONE)
    try:
        return (yield)
    finally:
        MACHINE.leave(alone_again=nextitem is not None and _file(nextitem) in ALONE)

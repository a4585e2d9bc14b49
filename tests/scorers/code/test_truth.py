"""Expected results: computed once for a problem, kept whole or not at all."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from harness.errors import HarnessError, StoreError
from harness.sandbox import Sandbox, Trial
from harness.sandbox.inside import calls
from harness.scorers.code.truth import Problem, TruthCache

PROBLEM = Problem(
    id="Own/../0",
    data="0" * 64,
    solution="def double(a):\n    return [a] * 2\n",
    entry_point="double",
    base=[(1,), (2.5,)],
    extra=[("x" * at,) for at in range(100)],
    only_given=False,
)


def kept(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


async def test_it_is_computed_once_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials: list[Trial] = []
    run = Sandbox.run

    async def counted(self: Sandbox, trial: Trial, *, seconds: float = 0.0) -> object:
        trials.append(trial)
        return await run(self, trial, seconds=seconds)

    async with Sandbox(workers=1) as sandbox:
        monkeypatch.setattr(Sandbox, "run", counted)
        cache = TruthCache(sandbox, tmp_path)
        truth, other = await asyncio.gather(cache.truth(PROBLEM), cache.truth(PROBLEM))
        again = await TruthCache(sandbox, tmp_path).truth(PROBLEM)
    assert truth == other == again
    assert len(trials) == 1
    assert (truth.base_calls, truth.base_blocks, truth.calls) == (2, 1, 102)
    assert truth.float_from == (1, None)
    file = os.open(truth.expected, os.O_RDONLY)
    results = [calls.decode(form) for form in calls.Pieces(file).read()]
    os.close(file)
    assert results == [[one, one] for (one,) in (*PROBLEM.base, *PROBLEM.extra)]


@pytest.mark.parametrize("name", ["arguments", "expected", "facts.json"])
async def test_what_is_absent_or_cut_is_computed_again(name: str, tmp_path: Path) -> None:
    async with Sandbox(workers=1) as sandbox:
        truth = await TruthCache(sandbox, tmp_path).truth(PROBLEM)
        file = truth.expected.with_name(name)
        whole = file.read_bytes()
        for damaged in (b"", None):
            file.unlink()
            if damaged is not None:
                file.write_bytes(damaged)
            found = await TruthCache(sandbox, tmp_path).truth(PROBLEM)
            assert (found.calls, found.float_from) == (truth.calls, truth.float_from)
            assert name == "facts.json" or file.read_bytes() == whole


async def test_of_a_reference_that_fails_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Problem(
        id="Own/1", data="0" * 64, solution="def f(a):\n    return 1 / a\n", entry_point="f",
        base=[(1,)], extra=[(0,)], only_given=False,
    )  # fmt: skip
    async with Sandbox(workers=1) as sandbox:
        cache = TruthCache(sandbox, tmp_path)
        for _ in range(2):
            with pytest.raises(HarnessError, match="division by zero") as caught:
                await cache.truth(broken)
            assert caught.value.code == "broken-reference"
            monkeypatch.setattr(Sandbox, "run", None)  # it is not tried again
    assert [path.name for path in kept(tmp_path)] == ["arguments"]


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
def f(a):
    return "a" * a
"""


async def test_what_does_not_fit_is_told_as_a_full_disk_and_leaves_nothing(tmp_path: Path) -> None:
    large = Problem(
        id="Own/2", data="0" * 64, solution=LIMITED, entry_point="f", base=[(1,)], extra=[(10**6,)], only_given=False
    )
    async with Sandbox(workers=1) as sandbox:
        with pytest.raises(StoreError, match="cannot be kept") as caught:
            await TruthCache(sandbox, tmp_path).truth(large)
    assert "HARNESS_CACHE" in str(caught.value.remedy)
    assert [path.name for path in kept(tmp_path)] == ["arguments"]


async def test_what_a_killed_process_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    async with Sandbox(workers=1) as sandbox:
        cache = TruthCache(sandbox, tmp_path)
        folder = (await cache.truth(PROBLEM)).expected.parent
        (folder / "facts.json").unlink()
        old, young = folder / ".expected-old", folder / ".expected-young"
        old.touch()
        young.touch()
        os.utime(old, (0, 0))
        await TruthCache(sandbox, tmp_path).truth(PROBLEM)
    assert not old.exists()
    assert young.exists()

"""Computations: an item that hangs, swells or crashes costs only itself, and nothing reaches the host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from harness.errors import SandboxError
from harness.sandbox import Calculator, Computation, Sandbox


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(workers=1, preload=("fractions",)) as running:
        yield running


def calls(function: str, *items: tuple[Any, ...], cpu: float = 1.0, wall: float = 2.0, mib: int = 256) -> Computation:
    return Computation(function=function, items=items, cpu_seconds=cpu, wall_seconds=wall, memory_bytes=mib << 20)


@pytest.mark.asyncio(loop_scope="module")
async def test_each_item_has_its_result_in_order(sandbox: Sandbox) -> None:
    computed = await sandbox.compute(calls("math:gcd", *((n, 12) for n in range(200))))
    assert [result.value for result in computed.results] == [__import__("math").gcd(n, 12) for n in range(200)]
    assert {result.status for result in computed.results} == {"ok"}


@pytest.mark.asyncio(loop_scope="module")
async def test_no_items_need_no_process(sandbox: Sandbox) -> None:
    assert (await sandbox.compute(calls("math:gcd"))).results == ()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_bad_item_costs_only_itself(sandbox: Sandbox) -> None:
    items = ["1 + 1", "9 ** 9 ** 9 ** 9", "[0] * (1 << 40)", "1 / 0", "2 + 2"]
    items += ["__import__('os')._exit(0)", "__import__('os')._exit(9)", "__import__('ctypes').string_at(8)"]
    items += ["__import__('time').sleep(60)", "object()", "'x' * (2 << 20)", "float('nan')", "3 + 3"]
    found = (await sandbox.compute(calls("builtins:eval", *((item,) for item in items), cpu=0.4, wall=0.8))).results
    assert [(result.status, result.kind) for result in found] == [
        ("ok", ""),
        ("timeout", "cpu"),
        ("memory", "MemoryError"),
        ("error", "ZeroDivisionError"),
        ("ok", ""),
        ("died", "exit 0"),
        ("died", "exit 9"),
        ("died", "signal 11"),
        ("timeout", "wall"),
        ("error", "TypeError"),
        ("error", "ValueError"),
        ("error", "ValueError"),
        ("ok", ""),
    ]
    assert [result.value for result in found if result.status == "ok"] == [2, 4, 6]


@pytest.mark.asyncio(loop_scope="module")
async def test_the_limit_is_each_items_own(sandbox: Sandbox) -> None:
    items = [("sum(range(4_000_000))",)] * 25
    found = (await sandbox.compute(calls("builtins:eval", *items, cpu=0.6, wall=2.0))).results
    assert {result.status for result in found} == {"ok"}
    assert sum(result.cpu_seconds for result in found) > 0.6


ESCAPES = {
    "files": "open('/etc/passwd').read()",
    "processes": "__import__('os').fork()",
    "network": "__import__('socket').socket()",
    "signals": "__import__('os').kill(__import__('os').getppid(), 0)",
    "installed packages": "__import__('os').listdir(__import__('msgspec').__path__[0] + '/..')",
    "writing": "open('/tmp/escaped', 'w')",
}


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_a_model_wrote_reaches_nothing(sandbox: Sandbox, name: str) -> None:
    (result,) = (await sandbox.compute(calls("builtins:eval", (ESCAPES[name],)))).results
    assert result.status == "error"
    assert result.kind in ("PermissionError", "FileNotFoundError", "ProcessLookupError", "OSError")


@pytest.mark.asyncio(loop_scope="module")
async def test_the_harness_itself_can_be_called(sandbox: Sandbox) -> None:
    (result,) = (await sandbox.compute(calls("harness.spelling:nearest", ("hunan", ["human", "other"])))).results
    assert result.status == "ok", result
    assert "human" in str(result.value)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_absent_function_is_the_instruments_fault(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="no_such"):
        await sandbox.compute(calls("math:no_such", (1,)))
    with pytest.raises(SandboxError, match="nowhere"):
        await sandbox.compute(calls("nowhere.at_all:f", (1,)))


async def test_a_cancelled_computation_leaves_a_working_worker() -> None:
    async with Sandbox(workers=1) as single:
        task = asyncio.create_task(single.compute(calls("time:sleep", (60,), wall=60)))
        await asyncio.sleep(0.4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await single.compute(calls("math:gcd", (4, 6)))).results[0].value == 2


async def test_a_killed_zygote_is_replaced_and_results_stay() -> None:
    async with Sandbox(workers=1) as single:
        assert (await single.compute(calls("math:gcd", (4, 6)))).results[0].value == 2
        process = single._all[0]._library._process
        assert process is not None
        process.kill()
        assert (await single.compute(calls("math:gcd", (4, 6)))).results[0].value == 2


def test_synchronous_code_computes_too() -> None:
    with Calculator(packages=()) as calculator:
        assert calculator.compute(calls("math:gcd", (4, 6))).results[0].value == 2
        assert calculator.compute(calls("math:gcd", (9, 6))).results[0].value == 3
    assert calculator.compute(calls("math:gcd", (5, 10))).results[0].value == 5
    calculator.close()


def test_symbolic_mathematics_is_warm() -> None:
    pytest.importorskip("sympy")
    with Calculator(packages=("sympy", "mpmath"), preload=("sympy",)) as calculator:
        computed = calculator.compute(calls("sympy:srepr", ("x",), cpu=3.0))
    assert computed.results[0].status == "ok"
    assert computed.results[0].cpu_seconds < 0.5

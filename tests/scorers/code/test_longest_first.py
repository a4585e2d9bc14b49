"""Turns: the longest that waits comes first, and a place is never lost."""

from __future__ import annotations

import asyncio

from harness.scorers.code.longest_first import LongestFirst


async def test_the_longest_comes_first() -> None:
    turns, order = LongestFirst(1), []

    async def work(seconds: float) -> None:
        async with turns.turn(seconds):
            order.append(seconds)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(seconds) for seconds in (1.0, 2.0, 5.0, 3.0)))
    assert order == [1.0, 5.0, 3.0, 2.0]


async def test_who_gives_up_takes_no_place() -> None:
    turns = LongestFirst(1)
    entered = asyncio.Event()

    async def wait(seconds: float) -> None:
        async with turns.turn(seconds):
            entered.set()

    async with turns.turn(0.0):
        gone = [asyncio.create_task(wait(9.0)), asyncio.create_task(wait(8.0))]
        await asyncio.sleep(0)
        gone[0].cancel()
        await asyncio.sleep(0)
    # The place is given to the second, which is cancelled before it can take it.
    gone[1].cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    assert not entered.is_set()
    async with asyncio.timeout(1):
        await wait(1.0)
    assert entered.is_set()

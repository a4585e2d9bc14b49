"""Turns: of all that waits the longest comes first, nobody waits behind a long one, and a place is never lost."""

from __future__ import annotations

import asyncio

from harness.sandbox.turns import Turns

SHORT, LONG = 0.01, 5.0


async def order_of(turns: Turns[str], times: list[float]) -> list[float]:
    order = []

    async def work(seconds: float) -> None:
        async with turns.turn(seconds):
            order.append(seconds)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(seconds) for seconds in times))
    return order


async def test_the_longest_comes_first() -> None:
    assert await order_of(Turns("a"), [1.0, 2.0, 5.0, 3.0]) == [1.0, 5.0, 3.0, 2.0]


async def test_equal_times_are_first_come_first_served() -> None:
    turns = Turns("a")
    order: list[int] = []

    async def twice(name: int) -> None:
        for _ in range(2):
            async with turns.turn(0.0):
                order.append(name)
                await asyncio.sleep(0)

    await asyncio.gather(*map(twice, range(5)))
    assert order == [*range(5)] * 2


async def test_only_behind_a_short_one_may_one_wait_at_a_worker() -> None:
    turns = Turns("ab")
    async with turns.turn(LONG) as first, turns.turn(SHORT) as second, turns.turn(SHORT) as third:
        assert (first, second, third) == ("a", "b", "b")
        more = asyncio.create_task(order_of(turns, [SHORT]))
        await asyncio.sleep(0.01)
        assert not more.done()
    assert await more == [SHORT]


async def test_who_gives_up_takes_no_place() -> None:
    turns = Turns("a")
    entered = asyncio.Event()

    async def wait(seconds: float) -> None:
        async with turns.turn(seconds):
            entered.set()

    async with turns.turn(LONG):
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

"""What the tester process executes to compute expected results; its text is sent after the reference solution's.

Every call gets arguments of its own, made from the file, so that a solution which changes them spoils none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from harness.sandbox.inside import calls, wire


def compute(function: Any, arguments: calls.Blocks, *, only_given: bool) -> bytes:
    """Call the reference solution on all arguments.

    Args:
        function: The reference solution.
        arguments: Of the calls.
        only_given: Keep only whether a result is something, for results that are no data.

    Returns:
        The file of blocks of expected results; one more block at the end has two numbers, the processor seconds of the
        slowest call and of all.

    Raises:
        TypeError: A result is no plain data.
    """
    try:
        return calls.pack(_blocks(function, arguments, only_given))
    except ValueError as error:
        raise TypeError("a reference result is no plain data") from error


def _blocks(function: Any, arguments: calls.Blocks, only_given: bool) -> Iterator[list[Any]]:
    times: list[float] = []
    for block in arguments.load():
        yield [_result(function, one, only_given, times) for one in block]
    yield [max(times, default=0.0), sum(times)]


def _result(function: Any, arguments: Any, only_given: bool, times: list[float]) -> Any:
    """What is kept of a result: exact built-in types, and nothing that a later call can change.

    A call ends when its result has been encoded: a solution's is, too, before the next call, and a large result takes
    longer to encode than to compute.
    """
    began = time.process_time()
    value = function(*arguments)
    crossed = wire.encode(value is not None if only_given else value)
    times.append(time.process_time() - began)
    return wire.decode(crossed)

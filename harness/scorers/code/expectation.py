"""What the tester process executes to compute expected results; its text is sent before the reference solution's.

Every call gets arguments of its own, made from the file, so that a solution which changes them spoils none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from harness.sandbox.inside import calls


def compute(
    function: Any,
    arguments: calls.Pieces,
    fill: Callable[[Iterable[bytes]], None],
    *,
    base_calls: int,
    only_given: bool,
) -> dict[str, Any]:
    """Call the reference solution on all arguments.

    Args:
        function: The reference solution.
        arguments: Of the calls.
        fill: Takes the form of each expected result (`calls.encode`).
        base_calls: How many of them belong to the first set.
        only_given: Keep only whether a result is something, for results that are no data.

    Returns:
        The verdict; ``detail`` has processor seconds of the ``slowest`` call and of all (``seconds``); ``float_from``,
        for each set the first call whose result is a float or a sequence of floats; ``exact``, whether each result
        equals itself, so that equal forms are equal results.

    Raises:
        TypeError: A result is no plain data.
    """
    facts: dict[str, Any] = {}
    fill(_forms(function, arguments, facts, base_calls=base_calls, only_given=only_given))
    return {"status": "passed", "kind": "", "message": "", "detail": facts}


def _forms(
    function: Any, arguments: calls.Pieces, facts: dict[str, Any], *, base_calls: int, only_given: bool
) -> Iterator[bytes]:
    times: list[float] = []
    float_from: list[int | None] = [None, None]
    exact = True
    for block in arguments.load():
        for one in block:
            at, began = len(times), time.process_time()
            value = function(*one)
            if only_given:
                value = value is not None
            form = calls.encode(value)
            # A solution's call ends so, too; a large result takes longer to encode than to compute.
            times.append(time.process_time() - began)
            if form[:1] == b"e" and b'{"opaque":' in form:
                raise TypeError("a reference result is no plain data")
            exact = exact and _equals_itself(value, form)
            if float_from[at >= base_calls] is None and is_floats(value):
                float_from[at >= base_calls] = at
            del value  # before the next, which may be as large, is made
            yield form
            del form
    facts |= {"slowest": max(times, default=0.0), "seconds": sum(times), "float_from": float_from, "exact": exact}


def _equals_itself(value: Any, form: bytes) -> bool:
    kind = calls.kind_of_items(form)
    if kind in b"swi":  # texts and integers
        return True
    try:
        return bool(value == calls.decode(form))
    except Exception:  # arrays have no truth value
        return False


def is_floats(value: Any) -> bool:
    """Whether a value is a float or a sequence of nothing but floats."""
    if isinstance(value, float):
        return True
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, float) for item in value)

"""A computation: one trusted function on many items, and what came of each."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Computation(msgspec.Struct, frozen=True, kw_only=True):
    """One function, called once for each item, in order.

    Attributes:
        function: ``package.module:name`` in one of the sandbox's packages or in the harness itself.
        items: Positional arguments of each call, as JSON has them.
        cpu_seconds: Processor time of one call.
        wall_seconds: Time in which one call runs or waits of its own accord; waiting for a processor does not count.
        memory_bytes: Address space of the process above what the warm interpreter has.
    """

    function: str
    items: tuple[tuple[Any, ...], ...]
    cpu_seconds: float = 5.0
    wall_seconds: float = 10.0
    memory_bytes: int = 1 << 30


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one call.

    Attributes:
        status: ``ok``; ``error`` (it raised); ``timeout`` (a limit was spent); ``memory`` (it ran out of memory);
            ``died`` (its process ended).
        value: What the function returned, at most 1 MiB of JSON.
        kind: Type of the exception, which limit (``cpu``, ``wall``), or how the process ended (``signal 11``).
        message: Text of the exception, shortened; may have been written by a model.
        cpu_seconds: Processor time of the call.
    """

    status: Literal["ok", "error", "timeout", "memory", "died"]
    value: Any = None
    kind: str = ""
    message: str = ""
    cpu_seconds: float = 0.0


class Computed(msgspec.Struct, frozen=True):
    """What came of a computation.

    Attributes:
        results: One for each item, in their order.
    """

    results: tuple[Result, ...]

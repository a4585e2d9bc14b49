"""The solution process: executes a completion and answers calls of its entry point. Everything in it is untrusted."""

from __future__ import annotations

from typing import Any

from harness.sandbox.inside import wire

MAX_MESSAGE = 500


def serve(payload: dict[str, Any], requests: int, replies: int) -> None:
    """Load the program, say so, then answer calls until the tester closes its end.

    Args:
        payload: ``source`` (the whole program) and ``entry_point`` (the function's name).
        requests: Descriptor to read calls from.
        replies: Descriptor to write answers to.
    """
    namespace: dict[str, Any] = {}
    try:
        exec(compile(payload["source"], "<completion>", "exec"), namespace)
        function = namespace[payload["entry_point"]]
    except BaseException as error:
        wire.send(replies, {"failed": _describe(error)})
        return
    wire.send(replies, {"loaded": True})
    while True:
        try:
            call = wire.receive(requests)
        except EOFError:
            return
        try:
            wire.send(replies, _answer(function, call))
        except wire.WireError as error:
            wire.send(replies, {"raised": ["ValueError", f"the result is {error}"]})


def _answer(function: Any, call: Any) -> Any:
    try:
        arguments, keywords = wire.decode(call)
        result = function(*arguments, **keywords)
        return {"returned": wire.encode(result)}
    except BaseException as error:
        return {"raised": _describe(error)}


def _describe(error: BaseException) -> list[str]:
    try:
        text = str(error)[:MAX_MESSAGE]
    except BaseException:
        text = ""
    return [type(error).__name__[:100], text]

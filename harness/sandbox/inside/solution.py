"""The solution process: executes a completion and answers calls of its entry point. Everything in it is untrusted."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

from harness.sandbox.inside import calls, wire

MAX_MESSAGE = 500


def serve(payload: dict[str, Any], requests: int, replies: int) -> None:
    """Load the program, say so, then answer calls until the tester closes its end.

    Args:
        payload: ``source`` (the whole program) and ``entry_point`` (the function's name).
        requests: Descriptor to read calls from.
        replies: Descriptor to write answers to.
    """
    function = _load(payload, replies)
    while function is not None:
        try:
            call = wire.receive(requests)
        except EOFError:
            return
        try:
            wire.send(replies, _answer(function, call))
        except wire.WireError as error:
            wire.send(replies, {"raised": ["ValueError", f"the result is {error}"]})


def serve_calls(payload: dict[str, Any], arguments: int, replies: int) -> None:
    """Load the program, say so, then make the calls that are known beforehand and send what they return.

    Ends at the first call that raises. Each call gets arguments of its own.

    Args:
        payload: As in `serve`, and ``first``: number of the block of calls to begin with.
        arguments: Descriptor of a file (`calls.Pieces`) of blocks, each a list of tuples of arguments.
        replies: Descriptor to write answers to.
    """
    function = _load(payload, replies)
    if function is None:
        return
    answers = _Answers(replies)
    for block in calls.Pieces(arguments).load(payload["first"]):
        for one in block:
            try:
                result = function(*one)
            except BaseException as error:
                answers.end(_describe(error))
                return
            try:
                answers.add(result)
                del result  # before the next, which may be as large, is made
            except BaseException as error:
                answers.end(["ValueError", f"the result is {error}"[:MAX_MESSAGE]])
                return
    answers.end(None)


class _Answers:
    """Sends answers in frames: the first ones soon, so that a wrong one ends the trial, then many at a time.

    A timer of processor time sends what waits when a call takes long, so that the tester knows which call that is.
    """

    _MOST = 64
    _BYTES = 1 << 20
    _SECONDS = 0.02

    def __init__(self, replies: int) -> None:
        self._replies = replies
        self._forms: list[bytes] = []
        self._bytes = 0
        self._at_once = 1
        self._sent = time.monotonic()
        self._busy = False
        signal.signal(signal.SIGPROF, self._remind)
        signal.setitimer(signal.ITIMER_PROF, 0.1, 0.1)

    def add(self, result: Any) -> None:
        form = calls.encode(result)
        self._busy = True
        self._forms.append(form)
        self._bytes += len(form)
        full = len(self._forms) >= self._at_once or self._bytes > self._BYTES
        if full or time.monotonic() - self._sent > self._SECONDS:
            self._send(None)
            self._at_once = min(2 * self._at_once, self._MOST)
        self._busy = False

    def end(self, raised: list[str] | None) -> None:
        self._busy = True
        self._send(raised)

    def _send(self, raised: list[str] | None) -> None:
        calls.send(self._replies, self._forms, raised)
        self._forms, self._bytes = [], 0
        self._sent = time.monotonic()

    def _remind(self, number: int, frame: object) -> None:
        if not self._busy and self._forms:
            self._busy = True
            self._send(None)
            self._busy = False


def _load(payload: dict[str, Any], replies: int) -> Callable[..., Any] | None:
    """Execute the program and tell the tester what came of it; None where it failed."""
    namespace: dict[str, Any] = {}
    try:
        # Not this module's own __future__ import: an annotation that names nothing is an error.
        exec(compile(payload["source"], "<completion>", "exec", dont_inherit=True), namespace)
        name = payload["entry_point"]
        if name not in namespace:
            raise NameError(f"the program defines no {name!r}")
        function: Callable[..., Any] = namespace[name]
    except BaseException as error:
        wire.send(replies, {"failed": _describe(error)})
        return None
    wire.send(replies, {"loaded": True})
    return function


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

"""The tester process: runs the data set's own tests against a proxy of the entry point. No completion is in it.

Where the calls are known beforehand, the solution makes them by itself, and the rule that the harness sent compares
what comes back with what is expected.
"""

from __future__ import annotations

import builtins
import functools
import marshal
import time
import traceback
from typing import Any

from harness.sandbox.inside import calls, jail, wire
from harness.sandbox.inside.calls import MAX_MESSAGE
from harness.sandbox.inside.showing import shown

MAX_EXPECTED = 2 << 30
"""Bytes of expected results that a rule may write."""


class SolutionGone(BaseException):
    """The solution process ended or broke the protocol; no Exception, so that `except Exception` lets it pass."""


class Proxy:
    """Stands for the solution's entry point: a call crosses to the solution process and its result comes back."""

    def __init__(self, requests: int, replies: int) -> None:
        self._requests = requests
        self._replies = replies
        self.opaque: str | None = None
        self.last: tuple[tuple[Any, ...], dict[str, Any], Any] | None = None
        """Arguments of the last call that was answered, and what it returned or, as an exception, raised."""
        self.gone: SolutionGone | None = None

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call the solution; what it raises is raised here, as a built-in exception."""
        try:
            wire.send(self._requests, wire.encode((arguments, keywords)))
            reply = wire.receive(self._replies)
            (kind, content), *rest = reply.items()
            if rest:
                raise wire.WireError("not one answer")
            if kind == "returned":
                result = wire.decode(content)
                if isinstance(result, wire.Opaque):
                    self.opaque = result.kind
                self.last = arguments, keywords, result
                return result
            name, message = content
            raised = _exception(name, message)
            self.last = arguments, keywords, raised
        except EOFError:
            self.gone = SolutionGone("the solution process ended during a call")
        except BrokenPipeError:
            self.gone = SolutionGone("the solution process ended before a call")
        except (wire.WireError, AttributeError, ValueError, TypeError) as error:
            self.gone = SolutionGone(f"the solution's answer is not readable: {error}")
        if self.gone is not None:
            raise self.gone
        raise raised


def _await_load(replies: int) -> list[str] | None:
    """Wait for the solution to load.

    Returns:
        None when it did, else the exception's type name and message.
    """
    try:
        reply = wire.receive(replies)
        if reply == {"loaded": True}:
            return None
        name, message = reply["failed"]
        return [str(name)[:100], str(message)[:MAX_MESSAGE]]
    except EOFError:
        return ["SolutionGone", "the solution process ended while it loaded"]
    except (wire.WireError, KeyError, ValueError, TypeError):
        return ["SolutionGone", "the solution's first message is not readable"]


def _exception(name: Any, message: Any) -> Exception:
    kind = getattr(builtins, name, None) if isinstance(name, str) else None
    text = str(message)[:MAX_MESSAGE]
    unfit = UnicodeError | BaseExceptionGroup | StopIteration | StopAsyncIteration
    # The first two take other arguments; the end of an iteration would end the test's own loop as if it had passed.
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, unfit):
        raised: Exception = kind(text)
    else:
        raised = RuntimeError(f"{str(name)[:100]}: {text}")
    raised.__dict__["from_solution"] = True
    return raised


def grade(payload: dict[str, Any], requests: int, replies: int) -> dict[str, Any]:
    """Run the tests.

    Args:
        payload: ``tests``: the compiled code (marshalled) of the helpers and of ``check(candidate)``. It comes
            from the harness, never from a completion.
        requests: Descriptor to write calls to.
        replies: Descriptor to read answers from.

    Returns:
        ``status`` (``passed``, ``wrong``, ``error``), ``kind`` and ``message`` of what failed, and in ``detail`` the
        ``line`` of the tests and the ``input`` and ``got`` of the last call, where they are known.
    """
    proxy = Proxy(requests, replies)
    try:
        check = _load_check(payload)
    except BaseException as error:
        return _verdict("broken", error)
    failed = _await_load(replies)
    if failed is not None:
        return {"status": "error", "kind": failed[0], "message": failed[1]}
    try:
        check(proxy)
    except BaseException as error:
        return _failure(error, proxy)
    if proxy.gone is not None:  # a bare `except:` in the test took it for an error of the call
        return _failure(proxy.gone, proxy)
    return {"status": "passed", "kind": "", "message": ""}


def grade_calls(payload: dict[str, Any], replies: int, arguments: int, expected: int, solution: int) -> dict[str, Any]:
    """Apply a rule to the answers of calls that the solution makes by itself.

    Args:
        payload: ``tests`` as in `grade`, but its ``check(answers, arguments, expected, options)`` returns the verdict,
            a mapping with ``status``, ``kind``, ``message`` and, bounded, what else it tells. ``options`` go to it.
            With ``compute`` no solution is asked: ``check(arguments, fill)`` hands the expected results to ``fill``.
        replies: Descriptor to read answers from.
        arguments: Descriptor of the file of arguments (`calls.Pieces`).
        expected: Descriptor of the file of expected results; with ``compute``, of the file to fill.
        solution: The solution's process, whose clock is watched.

    Returns:
        What the rule returned.
    """
    found: dict[str, Any]
    try:
        check = _load_check(payload)
        options = payload["options"]
        pieces = calls.Pieces(arguments)
        if payload["compute"]:
            jail.limit_files(MAX_EXPECTED)
            found = check(pieces, functools.partial(calls.fill, expected))
            return found
        known = calls.Pieces(expected)
    except calls.UnwrittenError as error:
        return _verdict("error", error)
    except BaseException as error:
        return _verdict("broken", error)
    failed = _await_load(replies)
    if failed is not None:
        return {"status": "error", "kind": failed[0], "message": failed[1]}
    clock = functools.partial(_cpu_seconds, solution)
    try:
        found = check(calls.Answers(replies, clock, options["call_cpu_seconds"]), pieces, known, options)
    except BaseException as error:
        return _verdict("broken", error)
    return found


def _cpu_seconds(pid: int) -> float:
    # The clock of another process, as clock_getcpuclockid(3) numbers it.
    return time.clock_gettime((~pid << 3) | 2)


def _verdict(status: str, error: BaseException) -> dict[str, Any]:
    return {"status": status, "kind": type(error).__name__, "message": str(error)[:MAX_MESSAGE]}


def _load_check(payload: dict[str, Any]) -> Any:
    namespace: dict[str, Any] = {}
    code = payload["tests"]
    exec(marshal.loads(code), namespace)
    _seed_random(code)
    return namespace["check"]


def _seed_random(code: bytes) -> None:
    """Make tests that draw random cases draw the same ones for every program."""
    if b"random" in code:
        import random

        random.seed(0)


def _failure(error: BaseException, proxy: Proxy) -> dict[str, Any]:
    from_solution = isinstance(error, SolutionGone) or bool(getattr(error, "from_solution", False))
    status = "error" if from_solution else "wrong"
    return {
        "status": status,
        "kind": type(error).__name__,
        "message": _message(error, proxy),
        "detail": _seen(error, proxy),
    }


def _message(error: BaseException, proxy: Proxy) -> str:
    try:
        # A KeyError would quote a text that the solution's own has quoted already.
        message = str(error.args[0] if isinstance(error, KeyError) and error.args else error)[:MAX_MESSAGE]
    except BaseException:
        message = ""
    if proxy.opaque is not None:
        message = f"returned an opaque {proxy.opaque}, which equals nothing. {message}".strip()
    return message


def _seen(error: BaseException, proxy: Proxy) -> dict[str, Any]:
    """The line of the tests that failed, counted from 1, and the last call before it."""
    seen: dict[str, Any] = {}
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == "<test>"]
    if lines:
        seen["line"] = lines[-1]
    if proxy.last is not None:
        arguments, keywords, answer = proxy.last
        seen["input"] = shown([*arguments, keywords] if keywords else list(arguments))
        raised = isinstance(answer, Exception)
        seen["got"] = f"raised {type(answer).__name__}: {_message(answer, proxy)}" if raised else shown(answer)
    return seen

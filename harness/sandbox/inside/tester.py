"""The tester process: runs the data set's own tests against a proxy of the entry point. No completion is in it."""

from __future__ import annotations

import base64
import builtins
import marshal
from typing import Any

from harness.sandbox.inside import wire

MAX_MESSAGE = 500


class SolutionGone(BaseException):
    """The solution process ended or broke the protocol; a BaseException, so that no test can swallow it."""


class Proxy:
    """Stands for the solution's entry point: a call crosses to the solution process and its result comes back."""

    def __init__(self, requests: int, replies: int) -> None:
        self._requests = requests
        self._replies = replies
        self.opaque: str | None = None

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
                return result
            name, message = content
            raised = _exception(name, message)
        except EOFError:
            raise SolutionGone("the solution process ended during a call") from None
        except BrokenPipeError:
            raise SolutionGone("the solution process ended before a call") from None
        except (wire.WireError, AttributeError, ValueError, TypeError) as error:
            raise SolutionGone(f"the solution's answer is not readable: {error}") from None
        raise raised

    def await_load(self) -> list[str] | None:
        """Wait for the solution to load.

        Returns:
            None when it did, else the exception's type name and message.
        """
        try:
            reply = wire.receive(self._replies)
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
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, UnicodeError):
        raised: Exception = kind(text)
    else:
        raised = RuntimeError(f"{str(name)[:100]}: {text}")
    raised.__dict__["from_solution"] = True
    return raised


def grade(payload: dict[str, Any], requests: int, replies: int) -> dict[str, Any]:
    """Run the tests.

    Args:
        payload: ``tests``: the compiled code (marshalled, base64) of the helpers and of ``check(candidate)``. It comes
            from the harness, never from a completion.
        requests: Descriptor to write calls to.
        replies: Descriptor to read answers from.

    Returns:
        ``status`` (``passed``, ``wrong``, ``error``), ``kind`` and ``message`` of what failed.
    """
    proxy = Proxy(requests, replies)
    namespace: dict[str, Any] = {}
    try:
        code = base64.b64decode(payload["tests"])
        exec(marshal.loads(code), namespace)
        check = namespace["check"]
        _seed_random(code)
    except BaseException as error:
        return {"status": "broken", "kind": type(error).__name__, "message": str(error)[:MAX_MESSAGE]}
    failed = proxy.await_load()
    if failed is not None:
        return {"status": "error", "kind": failed[0], "message": failed[1]}
    try:
        check(proxy)
    except BaseException as error:
        return _failure(error, proxy)
    return {"status": "passed", "kind": "", "message": ""}


def _seed_random(code: bytes) -> None:
    """Make tests that draw random cases draw the same ones for every program."""
    if b"random" in code:
        import random

        random.seed(0)


def _failure(error: BaseException, proxy: Proxy) -> dict[str, Any]:
    from_solution = isinstance(error, SolutionGone) or bool(getattr(error, "from_solution", False))
    try:
        message = str(error)[:MAX_MESSAGE]
    except BaseException:
        message = ""
    if proxy.opaque is not None:
        message = f"returned an opaque {proxy.opaque}, which equals nothing. {message}".strip()
    return {"status": "error" if from_solution else "wrong", "kind": type(error).__name__, "message": message}

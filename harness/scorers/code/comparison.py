"""The rule that the tester process applies to answers of known calls: EvalPlus's meaning of a right answer.

The text of this module is sent to the tester and executed there, so it imports nothing but the standard library and
the sandbox's own inside; the module that computes arrays is never named, for its name alone would warm it.

Source: evalplus 0.3.1 ``evalplus/eval/__init__.py`` and ``_special_oracle.py``. An answer is right when it equals the
expected one. Else, where the problem declares ``atol``, or an expected result of this or an earlier call of the
same set
is a float or a sequence of floats (then 1e-6), it is right when it has the same type and length and every number
is within
``atol + 1e-7 * |expected|``. A few problems have an oracle of their own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

from harness.sandbox.inside import calls, wire
from harness.sandbox.inside.showing import shown

_RTOL = 1e-7


def check(answers: calls.Answers, arguments: calls.Pieces, expected: calls.Pieces, options: Mapping[str, Any]) -> Any:
    """Compare the answers with what is expected, up to the first that is wrong.

    Args:
        answers: From the solution.
        arguments: Blocks of arguments, for oracles and for showing one.
        expected: The form of each expected result (`calls.encode`).
        options: ``first`` (block to begin with), ``first_call`` (its number), ``calls`` (number of all), ``base`` (how
            many belong to the first set), ``atol``, ``float_from`` (for each set, the call from which floats are
            compared with a tolerance, or null), ``oracle`` (name or null), ``same_type``, ``exact`` (whether equal
            forms are equal results).

    Returns:
        The verdict; ``detail`` has ``call``, ``input``, ``expected`` and ``got`` of the call that failed.
    """
    comparison = Comparison(arguments, options)
    at: int = options["first_call"]
    known = itertools.islice(expected.read(at), options["calls"] - at)
    try:
        frames = answers.frames() if at < options["calls"] else iter(())
        for forms, raised in frames:
            wanted = list(itertools.islice(known, len(forms)))
            wrong = comparison.first_wrong(at, forms, wanted)
            if wrong is not None:
                return comparison.failure(at + wrong, forms[wrong], wanted[wrong])
            at += len(wanted)
            if at >= options["calls"]:
                break
            if raised is not None:
                return comparison.raised(at, next(known), raised)
    except calls.CallTimeoutError:
        return comparison.broken(at, next(known), "timeout", "cpu", "a call spent its processor time")
    except EOFError:
        return comparison.broken(at, next(known), "error", "SolutionGone", "the solution process ended during a call")
    except (wire.WireError, MemoryError) as error:
        return comparison.broken(at, next(known), "error", "SolutionGone", f"its answer is not readable: {error}")
    return {"status": "passed", "kind": "", "message": ""}


class Comparison:
    """Compares answers with what is expected.

    Args:
        arguments: Of the calls.
        options: As in `check`.
    """

    def __init__(self, arguments: calls.Pieces, options: Mapping[str, Any]) -> None:
        self._arguments = arguments
        self._options = options
        self._oracle = ORACLES.get(options["oracle"])

    def first_wrong(self, at: int, forms: list[bytes], wanted: list[bytes]) -> int | None:
        """Position of the first wrong answer; ``at`` is the number of the first call."""
        plain = self._oracle is None and self._options["exact"]
        if plain and forms == wanted:
            return None
        for position, (form, right) in enumerate(zip(forms, wanted, strict=False)):
            if not (plain and form == right) and not self._right(at + position, form, right):
                return position
        return None

    def _right(self, call: int, form: bytes, expected: bytes) -> bool:
        try:
            answer = calls.decode(form)
        except wire.WireError:
            return False
        return self.right(call, answer, calls.decode(expected))

    def right(self, call: int, answer: Any, expected: Any) -> bool:
        """Whether one answer is right."""
        try:
            atol = self._tolerance(call)
            if self._oracle is None:
                exact = bool(answer == expected)
            else:
                found = self._oracle(answer, expected, self._input(call), self._options["atol"])
                if found is not None:
                    return found
                exact = bool(answer == expected)
            return exact or (atol != 0 and close(answer, expected, atol, same_type=self._options["same_type"]))
        except Exception:  # what the value is decides what comparing it raises, and a value that cannot be is wrong
            return False

    def _tolerance(self, call: int) -> float:
        atol: float = self._options["atol"]
        since = self._options["float_from"][call >= self._options["base"]]
        return 1e-6 if atol == 0 and since is not None and call >= since else atol

    def _input(self, call: int) -> Any:
        at = self._options["first_call"]
        for block in self._arguments.load(self._options["first"]):
            if call < at + len(block):
                return block[call - at]
            at += len(block)
        raise IndexError(call)

    def failure(self, call: int, form: bytes, expected: bytes) -> dict[str, Any]:
        """The verdict on a wrong answer."""
        try:
            answer = calls.decode(form)
        except wire.WireError as error:
            return self.broken(call, expected, "error", "SolutionGone", f"its answer is not readable: {error}")
        kind = "opaque" if type(answer) is wire.Opaque else "wrong"
        return self._verdict(call, expected, "wrong", kind, "", shown(answer))

    def raised(self, call: int, expected: bytes, raised: calls.Raised) -> dict[str, Any]:
        """The verdict on a call that raised."""
        told = f"raised {raised.kind}: {raised.message}"
        return self._verdict(call, expected, "error", raised.kind, raised.message, told)

    def broken(self, call: int, expected: bytes, status: str, kind: str, message: str) -> dict[str, Any]:
        """The verdict where a call has no answer."""
        return self._verdict(call, expected, status, kind, message, None)

    def _verdict(
        self, call: int, expected: bytes, status: str, kind: str, message: str, got: str | None
    ) -> dict[str, Any]:
        # Made anew from the file, not what the solution was given: it may have changed that.
        given = shown(list(self._input(call)))
        detail = {"call": call, "input": given, "expected": shown(calls.decode(expected)), "got": got}
        return {"status": status, "kind": kind, "message": message, "detail": detail}


def close(answer: Any, expected: Any, atol: float, *, same_type: bool) -> bool:
    """Whether every number of an answer is near the expected one."""
    if same_type and type(answer) is not type(expected):
        return False
    if isinstance(expected, list | tuple):
        return (
            isinstance(answer, list | tuple)
            and len(answer) == len(expected)
            and all(close(one, other, atol, same_type=False) for one, other in zip(answer, expected, strict=True))
        )
    if not (_is_number(answer) and _is_number(expected)):
        return False
    if answer == expected:
        return True
    difference = abs(answer - expected)
    return math.isfinite(abs(expected)) and difference <= atol + _RTOL * abs(expected)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | complex)


# --- oracles: True or False is the verdict, None leaves it to the comparison ------------------------------------------


def _root(answer: Any, expected: Any, arguments: Any, atol: float) -> bool | None:
    """HumanEval/32: a zero of the polynomial with these coefficients, lowest first."""
    (coefficients,) = arguments
    value = sum(coefficient * math.pow(answer, power) for power, coefficient in enumerate(coefficients))
    return bool(abs(value) <= atol)


def _anything(answer: Any, expected: Any, arguments: Any, atol: float) -> bool | None:
    """Mbpp/164: the problem's statement does not say enough to decide."""
    return True


def _or_zero(answer: Any, expected: Any, arguments: Any, atol: float) -> bool | None:
    """Mbpp/295: the sum of divisors, or 0 where the number itself is none of them."""
    return True if answer == 0 else None


def _pyramid(answer: Any, expected: Any, arguments: Any, atol: float) -> bool | None:
    """Mbpp/581: the height may be that of the pyramid instead of that of its faces."""
    base, height = arguments
    slant = math.sqrt((base / 2) ** 2 + height**2)
    return True if abs(answer - round(base**2 + 2 * base * slant)) <= atol else None


def _digit_distance(answer: Any, expected: Any, arguments: Any, atol: float) -> bool | None:
    """Mbpp/558: the shorter number may be filled with zeros and compared digit by digit."""
    texts = [str(number) for number in arguments]
    longest = max(map(len, texts))
    first, second = (text.zfill(longest) for text in texts)
    return True if answer == sum(abs(int(a) - int(b)) for a, b in zip(first, second, strict=True)) else None


def _same_set(answer: Any, expected: Any, arguments: Any, atol: float) -> bool | None:
    """The order and the number of equal items do not matter."""
    return True if set(answer) == set(expected) else None


def _given(answer: Any, expected: Any, arguments: Any, atol: float) -> bool | None:
    """Results that are no data (a match): only whether there is one counts; ``expected`` is a truth value."""
    return bool(answer == expected) if isinstance(answer, bool) else bool(expected) == (answer is not None)


def _not_none(answer: Any, expected: Any, arguments: Any, atol: float) -> bool | None:
    """As `_given` was in EvalPlus 0.2.0, for which an answer of False is something."""
    return bool(expected) == (answer is not None)


ORACLES: Mapping[str | None, Callable[[Any, Any, Any, float], bool | None]] = {
    "root": _root,
    "anything": _anything,
    "or-zero": _or_zero,
    "pyramid": _pyramid,
    "digit-distance": _digit_distance,
    "same-set": _same_set,
    "given": _given,
    "not-none": _not_none,
}

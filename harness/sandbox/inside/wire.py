"""Plain data between the solution and the tester: tagged, bounded, rebuilt as exact built-in types; never pickle.

A frame is a 4-byte big-endian length and that many bytes of JSON. JSON's own null, booleans, finite numbers, strings
and arrays (lists) stand for themselves; everything else is ``{tag: content}``. A subclass of a built-in type crosses as
the built-in value it holds, so methods that a hostile completion overrode (``__eq__``, ``__hash__``) stay behind. What
is not plain data crosses as an opaque value that equals nothing and names its type.
"""

from __future__ import annotations

import importlib
import json
import os
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

MAX_FRAME: Final = 128 << 20
"""Bytes of one frame; a longer value is refused by the sender and by the receiver."""
MAX_DEPTH: Final = 100
"""Nesting of a value."""
_BIG_INT: Final = 1 << 62
_LARGE: Final = 1 << 20
"""Bytes that are not copied to be sent at once."""

_ITERATORS: Final[tuple[type, ...]] = (
    type(iter([])),
    type(iter(())),
    type(iter(range(0))),
    type(iter({})),
    type(iter({}.values())),
    type(iter({}.items())),
    type(iter("")),
    type(iter("é")),
    type(iter(set())),
    type(reversed([])),
    type(_ for _ in ()),
    map,
    filter,
    zip,
    enumerate,
    reversed,
)


class WireError(Exception):
    """A frame or a value is not what the protocol allows."""


class Opaque:
    """A value that is not plain data: it equals nothing, not even itself, and has no other use."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<opaque {self.kind}>"


def _type_name(value: object) -> str:
    kind = type(value)
    name = type.__dict__["__name__"].__get__(kind)
    return str.__str__(name)[:100] if isinstance(name, str) else "?"


def encode(value: object, depth: int = 0) -> Any:
    """Turn a value into its JSON form.

    Raises:
        WireError: The value is nested too deeply (or contains itself).
    """
    if value is None or value is True or value is False:
        return value
    if depth > MAX_DEPTH:
        raise WireError(f"nested deeper than {MAX_DEPTH}")
    kind = type(value)
    encoder = _EXACT.get(kind)
    if encoder is None and "numpy" in sys.modules:
        # Before the built-in bases: numpy's float64 is a float too, and shall stay a float64.
        done = _encode_numpy(value, depth)
        if done is not None:
            return done
    if encoder is None:
        encoder = next((_EXACT[base] for base in _type_mro(kind) if base in _EXACT), None)
    if encoder is not None:
        return encoder(value, depth + 1)
    if kind in _ITERATORS:
        return {"iterator": [encode(item, depth + 1) for item in value]}  # type: ignore[attr-defined]
    done = _encode_library(value, depth)
    if done is not None:
        return done
    return {"opaque": _type_name(value)}


def _type_mro(kind: type) -> tuple[type, ...]:
    # type.__mro__ itself: a metaclass may lie about its own attributes.
    return type.__dict__["__mro__"].__get__(kind)  # type: ignore[no-any-return]


def _encode_int(value: Any, depth: int) -> Any:
    number = int.__index__(value)
    return number if -_BIG_INT < number < _BIG_INT else {"int": int.__format__(number, "x")}


def _encode_float(value: Any, depth: int) -> Any:
    number = float.__float__(value)
    # NaN and the infinities are no JSON.
    return number if number - number == 0.0 else {"float": float.__repr__(number)}


def _encode_complex(value: Any, depth: int) -> Any:
    plain = complex.__complex__(value) if type(value) is not complex else value
    return {"complex": [_encode_float(plain.real, depth), _encode_float(plain.imag, depth)]}


def _encode_dict(value: Any, depth: int) -> Any:
    return {"dict": [[encode(key, depth), encode(item, depth)] for key, item in dict.items(value)]}


def _sequence(tag: str | None, iterate: Callable[[Any], Any]) -> Callable[[Any, int], Any]:
    def encoder(value: Any, depth: int) -> Any:
        items = [encode(item, depth) for item in iterate(value)]
        return items if tag is None else {tag: items}

    return encoder


_EXACT: Final[dict[type, Callable[[Any, int], Any]]] = {
    int: _encode_int,
    float: _encode_float,
    complex: _encode_complex,
    str: lambda value, depth: str.__str__(value),
    bytes: lambda value, depth: {"bytes": bytes.hex(value)},
    bytearray: lambda value, depth: {"bytearray": bytearray.hex(value)},
    list: _sequence(None, list.__iter__),
    tuple: _sequence("tuple", tuple.__iter__),
    set: _sequence("set", set.__iter__),
    frozenset: _sequence("frozenset", frozenset.__iter__),
    type({}.keys()): _sequence("set", type({}.keys()).__iter__),
    type({}.items()): _sequence("set", type({}.items()).__iter__),
    dict: _encode_dict,
    range: lambda value, depth: {"range": [_encode_int(n, depth) for n in (value.start, value.stop, value.step)]},
}


def _encode_library(value: Any, depth: int) -> Any:
    """Encode the standard library's own numbers and dates, of modules that the program has imported."""
    fractions, decimal, datetime = (sys.modules.get(name) for name in ("fractions", "decimal", "datetime"))
    if fractions is not None and isinstance(value, fractions.Fraction):
        return {"fraction": [_encode_int(value.numerator, depth), _encode_int(value.denominator, depth)]}
    if decimal is not None and isinstance(value, decimal.Decimal):
        return {"decimal": decimal.Decimal.__str__(value)}
    if datetime is not None:
        for kind in ("datetime", "date", "time"):
            if isinstance(value, getattr(datetime, kind)):
                return {kind: getattr(datetime, kind).isoformat(value)}
        if isinstance(value, datetime.timedelta):
            return {"timedelta": [value.days, value.seconds, value.microseconds]}
    return None


def _encode_numpy(value: Any, depth: int) -> Any:
    import numpy as np

    if isinstance(value, np.ndarray):
        array = np.asarray(value)
        if array.dtype.kind in "biufcSU":
            return {
                "ndarray": [
                    array.dtype.str,
                    [int(n) for n in array.shape],
                    [encode(item, depth + 1) for item in array.reshape(-1).tolist()],
                ]
            }
        return {"opaque": f"ndarray of {array.dtype.kind}"}
    if isinstance(value, np.generic) and value.dtype.kind in "biufcSU":
        return {"scalar": [value.dtype.str, encode(value.item(), depth + 1)]}
    return None


def decode(form: Any, depth: int = 0) -> Any:
    """Rebuild a value from its JSON form, as exact built-in types.

    Raises:
        WireError: The form is none that `encode` makes.
    """
    if form is None or type(form) in (bool, int, float, str):
        return form
    if depth > MAX_DEPTH + 2:
        raise WireError(f"nested deeper than {MAX_DEPTH}")
    if type(form) is list:
        return [decode(item, depth + 1) for item in form]
    if type(form) is not dict or len(form) != 1:
        raise WireError("not a tagged value")
    ((tag, content),) = form.items()
    decoder = _DECODERS.get(tag)
    if decoder is None:
        raise WireError("unknown tag")
    try:
        return decoder(content, depth + 1)
    except WireError:
        raise
    except (
        ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, ArithmeticError, MemoryError
    ) as error:  # fmt: skip
        raise WireError(f"bad {tag}") from error


def _items(content: Any, depth: int) -> list[Any]:
    if type(content) is not list:
        raise WireError("not a list")
    return [decode(item, depth) for item in content]


def _decode_int(content: Any, depth: int) -> int:
    if type(content) is not str or len(content) > 1_000_000:
        raise WireError("bad int")
    return int(content, 16)


def _decode_ndarray(content: Any, depth: int) -> Any:
    import numpy as np

    dtype, shape, items = content
    if np.dtype(dtype).kind not in "biufcSU":
        raise WireError("bad dtype")
    return np.array(_items(items, depth), dtype=dtype).reshape([int(n) for n in shape])


def _decode_scalar(content: Any, depth: int) -> Any:
    import numpy as np

    dtype, item = content
    if np.dtype(dtype).kind not in "biufcSU":
        raise WireError("bad dtype")
    return np.array(decode(item, depth), dtype=dtype)[()]


def _decode_library(module: str, maker: str) -> Callable[[Any, int], Any]:
    def decoder(content: Any, depth: int) -> Any:
        make: Any = importlib.import_module(module)
        for part in maker.split("."):
            make = getattr(make, part)
        return make(*_items(content, depth)) if type(content) is list else make(content)

    return decoder


_DECODERS: Final[dict[str, Callable[[Any, int], Any]]] = {
    "int": _decode_int,
    "float": lambda content, depth: float(content),
    "complex": lambda content, depth: complex(*_items(content, depth)),
    "bytes": lambda content, depth: bytes.fromhex(content),
    "bytearray": lambda content, depth: bytearray.fromhex(content),
    "tuple": lambda content, depth: tuple(_items(content, depth)),
    "set": lambda content, depth: set(_items(content, depth)),
    "frozenset": lambda content, depth: frozenset(_items(content, depth)),
    "dict": lambda content, depth: {decode(key, depth): decode(item, depth) for key, item in content},
    "range": lambda content, depth: range(*_items(content, depth)),
    "iterator": lambda content, depth: iter(_items(content, depth)),
    "fraction": _decode_library("fractions", "Fraction"),
    "decimal": _decode_library("decimal", "Decimal"),
    "datetime": _decode_library("datetime", "datetime.fromisoformat"),
    "date": _decode_library("datetime", "date.fromisoformat"),
    "time": _decode_library("datetime", "time.fromisoformat"),
    "timedelta": _decode_library("datetime", "timedelta"),
    "ndarray": _decode_ndarray,
    "scalar": _decode_scalar,
    "opaque": lambda content, depth: Opaque(str(content)[:100]),
}


def send(descriptor: int, message: Any) -> None:
    """Write one frame.

    Raises:
        WireError: The message is longer than `MAX_FRAME`.
        OSError: The other side is gone.
    """
    send_bytes(descriptor, json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii"))


def send_bytes(descriptor: int, body: bytes, *more: bytes) -> None:
    """Write one frame whose JSON is made already, and what comes after it; raises as `send`."""
    if len(body) > MAX_FRAME:
        raise WireError(f"longer than {MAX_FRAME >> 20} MiB")
    parts: tuple[bytes, ...] = (struct.pack(">I", len(body)), body, *more)
    for part in parts if sum(map(len, more)) > _LARGE else (b"".join(parts),):
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view) :]


def receive(descriptor: int) -> Any:
    """Read one frame.

    Returns:
        The JSON form, not yet decoded.

    Raises:
        EOFError: The other side closed its end.
        WireError: The bytes are no frame.
    """
    (length,) = struct.unpack(">I", exactly(descriptor, 4))
    if length > MAX_FRAME:
        raise WireError(f"longer than {MAX_FRAME >> 20} MiB")
    body = exactly(descriptor, length)
    try:
        return json.loads(body)
    except (ValueError, RecursionError, MemoryError) as error:
        raise WireError("not JSON") from error


def exactly(descriptor: int, count: int) -> bytes:
    """Read so many bytes; raises EOFError where the other side closed its end before."""
    chunks = []
    while count:
        chunk = os.read(descriptor, min(count, 1 << 20))
        if not chunk:
            raise EOFError
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)

"""What crosses between solution and tester comes out as the same plain value, whatever is thrown at it."""

from __future__ import annotations

import collections
import contextlib
import datetime
import decimal
import enum
import fractions
import json
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sandbox.inside import wire

_hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary()
    | st.fractions()
    | st.decimals(allow_nan=False)
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=8,
)
values = st.recursive(
    _hashable,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.sets(_hashable, max_size=4)
        | st.dictionaries(_hashable, inner, max_size=4)
        | st.tuples(inner)
    ),
    max_leaves=12,
)


def cross(value: Any) -> Any:
    return wire.decode(json.loads(json.dumps(wire.encode(value))))


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


@given(values)
def test_a_value_crosses_unchanged(value: Any) -> None:
    assert same(cross(value), value)


def test_lone_surrogates_and_nul_cross() -> None:
    assert cross("\ud800\x00é") == "\ud800\x00é"


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), -0.0, 1e-320, 2**62, -(2**400)])
def test_unusual_numbers_cross(number: float) -> None:
    assert repr(cross(number)) == repr(number)


def test_nan_stays_nan() -> None:
    assert cross(float("nan")) != cross(float("nan"))


class AlwaysEqual(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class Liar(str):
    def __eq__(self, other: object) -> bool:
        return True

    def __str__(self) -> str:
        return "another text"

    __hash__ = str.__hash__


class Colour(enum.IntEnum):
    RED = 1


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (AlwaysEqual(3), 3),
        (Liar("text"), "text"),
        (Colour.RED, 1),
        (Point(1, 2), (1, 2)),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.defaultdict(list, a=[1]), {"a": [1]}),
        ({"a": 1}.keys(), {"a"}),
        (True, True),
        (bytearray(b"ab"), bytearray(b"ab")),
        (range(1, 9, 2), range(1, 9, 2)),
        (fractions.Fraction(1, 3), fractions.Fraction(1, 3)),
        (decimal.Decimal("1.10"), decimal.Decimal("1.10")),
        (datetime.timedelta(days=1), datetime.timedelta(days=1)),
    ],
)
def test_a_subclass_crosses_as_the_built_in_value_it_holds(value: Any, plain: Any) -> None:
    assert same(cross(value), plain)


def test_numpy_values_cross_with_their_type() -> None:
    array = cross(np.array([[1.5, 2.0]], dtype=np.float32))
    assert array.dtype == np.float32
    assert array.shape == (1, 2)
    assert type(cross(np.int64(3))) is np.int64
    assert type(cross(np.float64(0.5))) is np.float64


def test_an_iterator_can_be_read_once() -> None:
    assert list(cross(x * x for x in range(4))) == [0, 1, 4, 9]


class Stranger:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__


@pytest.mark.parametrize("value", [Stranger(), object(), len, lambda: 0, type])
def test_what_is_no_plain_data_equals_nothing(value: object) -> None:
    opaque = cross(value)
    assert isinstance(opaque, wire.Opaque)
    assert opaque != opaque
    assert type(value).__name__ in repr(opaque)


def test_deep_nesting_is_refused_not_followed() -> None:
    nested: list[Any] = []
    for _ in range(1000):
        nested = [nested]
    with pytest.raises(wire.WireError, match="deeper"):
        wire.encode(nested)
    itself: list[Any] = []
    itself.append(itself)
    with pytest.raises(wire.WireError, match="deeper"):
        wire.encode(itself)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*wire._DECODERS, "x"]), inner, min_size=1, max_size=2)
    ),
    max_leaves=20,
)


@given(_json)
def test_any_json_is_decoded_or_refused(form: Any) -> None:
    with contextlib.suppress(wire.WireError):
        wire.decode(form)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_frame_or_refused(raw: bytes) -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, raw)
        os.close(writer)
        with contextlib.suppress(wire.WireError, EOFError):
            wire.receive(reader)
    finally:
        os.close(reader)


def test_frames_keep_their_borders() -> None:
    reader, writer = os.pipe()
    wire.send(writer, {"a": 1})
    wire.send(writer, [2])
    os.close(writer)
    assert wire.receive(reader) == {"a": 1}
    assert wire.receive(reader) == [2]
    with pytest.raises(EOFError):
        wire.receive(reader)
    os.close(reader)

"""Answers of calls that are known beforehand: every value has a form, and any bytes are a form or refused."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sandbox.inside import calls, wire

_plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6)
_one_kind = st.one_of(st.lists(one) for one in (st.integers(), st.floats(allow_nan=False), st.text(max_size=6)))
_rows = st.integers(0, 3).flatmap(lambda length: st.lists(st.tuples(*[_plain] * length)))


@given(_one_kind | _rows | st.lists(_plain) | st.lists(st.lists(_plain) | _plain) | st.lists(_plain).map(tuple))
def test_a_value_has_one_form_and_comes_back_as_it_was(value: Any) -> None:
    form = calls.encode(value)
    answer = calls.decode(form)
    assert repr(answer) == repr(value)
    assert calls.encode(answer) == form


@given(st.sampled_from("sptlfimwre").map(str.encode), st.binary(max_size=40))
def test_any_bytes_are_a_form_or_refused(kind: bytes, body: bytes) -> None:
    with contextlib.suppress(wire.WireError):
        calls.decode(kind + body)


VALUES: list[Any] = [
    None,
    True,
    3,
    2.5,
    "é\ud800",
    "",
    [],
    [1, [2.0, "x"]],
    [1.5, -0.0, float("inf")],
    [1, -(2**63), 2**63 - 1],
    [1, 2**63],
    [True, False],
    [1, *[0.5] * 20, 3],
    [2**53 + 1, *[0.5] * 20],
    [1, 0.5, 2],
    (1, 2),
    [(1,), (2,)],
    [(1, 2.5), (3, "x")],
    [(1, 2), (3,)],
    [(), ()],
    [("a", "b"), ("c", "\0")],
    [("a", ""), ("", "")],
    [(1, [2])],
    ["a", "", "é\ud800"],
    [""],
    ["a\0b", "c"],
    {1, 2},
    {"a": 1},
    10**5000,
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_answers_cross_as_what_they_are(value: Any) -> None:
    form = calls.encode(value)
    answer = calls.decode(form)
    assert answer == value
    assert type(answer) is type(value)
    if type(value) is list:
        assert list(map(type, answer)) == list(map(type, value))
    assert calls.encode(answer) == form


@pytest.mark.parametrize(
    "form",
    [b"", b"z1", b"p", b"p{", b"t1", b"l[1]", b"s\xff", b"f1234567", b"i1", b"m", b"m" + bytes(7), b'e{"x":1}',
     b"m" + b"\x01" + bytes(7) + b"\xff" * 8, b"m\x01" + bytes(7) + bytes(8) + b"\xff" * 8, b"p" + b"[" * 100_000,
     b"r", b"r" + bytes(8), b"r" + bytes(8) + b"p[]", b"r\1" + bytes(7) + b"p[]",
     b"r\2" + bytes(7) + b"p[1]", b"r\1" + bytes(7) + b'p"ab"',
     b"r\1" + bytes(7) + b"sab", (b"r\1" + bytes(7)) * 2 + b"p[1]", b"w\xff"],
)  # fmt: skip
def test_forms_that_are_none_are_refused(form: bytes) -> None:
    with pytest.raises(wire.WireError):
        calls.decode(form)


def frames(*heads: Any, body: bytes = b"") -> list[tuple[list[bytes], calls.Raised | None]]:
    reader, writer = os.pipe()
    try:
        for head in heads:
            wire.send_bytes(writer, json.dumps(head).encode(), body)
        os.close(writer)
        return list(calls.Answers(reader, lambda: 0.0, None).frames())
    finally:
        os.close(reader)


def test_frames_come_until_a_call_raises() -> None:
    first, (forms, raised) = frames([[2, 1], None], [[3], ["E", "why"]], body=b"pnp")
    assert first == ([b"pn", b"p"], None)
    assert forms == [b"pnp"]
    assert raised is not None
    assert (raised.kind, raised.message) == ("E", "why")


@pytest.mark.parametrize(
    "head",
    [None, [], [[0], None], [[-1], None], [[True], None], [[1.0], None], ["p", None], [1, None], [[1], 5],
     [[1], ["a"]], [[1 << 40], None]],
)  # fmt: skip
def test_frames_that_are_none_are_refused(head: Any) -> None:
    with pytest.raises(wire.WireError):
        frames(head, body=b"p")


def test_a_frame_that_is_cut_is_an_end() -> None:
    with pytest.raises(EOFError):
        frames([[5], None], body=b"p1")


@pytest.fixture
def file() -> Iterator[int]:
    descriptor = os.memfd_create("pieces")
    yield descriptor
    os.close(descriptor)


def test_pieces_are_read_from_any_of_them_on(file: int) -> None:
    parts = [b"a" * 10, b"", b"b" * (1 << 20), b"c", *[bytes([at]) * 300_000 for at in range(7)], b"", b"d"]
    calls.fill(file, parts)
    read = calls.Pieces(file)
    assert len(read) == len(parts)
    for first in range(len(parts) + 1):
        assert list(read.read(first)) == parts[first:]


def test_of_a_full_disk_is_said_what_it_is() -> None:
    try:
        full = os.open("/dev/full", os.O_WRONLY)
    except OSError:
        pytest.skip("this machine has no /dev/full")
    try:
        with pytest.raises(calls.UnwrittenError, match=os.strerror(errno.ENOSPC)):
            calls.fill(full, [b"a"])
    finally:
        os.close(full)

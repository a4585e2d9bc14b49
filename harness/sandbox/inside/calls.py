"""Calls that are known beforehand: their arguments in a file, the answers in frames of many.

A file of arguments is read by whoever it was written for, and was written by the harness, so its pieces are
marshalled. Answers come from untrusted code. Each is a form: a letter for its kind, then the value's bytes, so that
who knows the form of the expected value need not read it.

``s`` text, ``p`` JSON that stands for itself, ``t`` a tuple, ``f`` a list of floats, ``i`` one of integers, ``m`` one
of floats with a few integers, ``w`` one of texts, ``r`` one of tuples of one length (the form of their items), ``l``
one of other tuples, ``e`` the tagged JSON of `wire`. Reading makes nothing but exact built-in types, so a lie about a
kind can at most be a wrong answer. A frame is JSON, ``[lengths, raised]``, and the forms.
"""

from __future__ import annotations

import array
import bisect
import itertools
import json
import marshal
import os
import select
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from harness.sandbox.inside import wire

MAX_MESSAGE: Final = 500
MAX_FORM: Final = wire.MAX_FRAME - (4 << 20)
"""Bytes of one answer."""
_LENGTH: Final = struct.Struct("<Q")
_PLAIN: Final = frozenset({type(None), bool, int, float, str})
_NESTED: Final = _PLAIN | {list}
_FLOATS, _INTEGERS, _MIXED, _TEXTS, _TUPLES = {float}, {int}, {float, int}, {str}, {tuple}
_LISTS: Final = (b"p", b"f", b"i", b"m", b"w")
_SEPARATOR: Final = "\0"
_EXACT: Final = 1 << 53
"""Integers below it are exact as floats."""
_FEW: Final = 8
"""One in so many items may be an integer among floats."""
_WATCH_SECONDS: Final = 0.25
_CHUNK: Final = 1 << 20
"""Bytes that are read or written at once where pieces are shorter."""

text: Final[Callable[[Any], str]] = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
"""JSON of a plain value; NaN and the infinities in JavaScript's spelling, which ``json.loads`` reads."""


class CallTimeoutError(BaseException):
    """One call spent its processor time; a BaseException, so that no rule can swallow it."""


class UnwrittenError(BaseException):
    """A file cannot be written; a BaseException, so that no rule can swallow it."""


class Raised:
    """The answer to a call that raised.

    Attributes:
        kind: Name of the exception's type.
        message: Its text; written by untrusted code.
    """

    __slots__ = ("kind", "message")

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message


class Pieces:
    """A file of byte strings, as `write` makes it; those that are not asked for are not read.

    Args:
        file: The open file's descriptor; where it is read does not move.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        end = os.fstat(file).st_size - _LENGTH.size
        (size,) = _LENGTH.unpack(os.pread(file, _LENGTH.size, end))
        self._ends: list[int] = [0, *marshal.loads(os.pread(file, size, end - size))]

    def __len__(self) -> int:
        return len(self._ends) - 1

    def read(self, first: int = 0) -> Iterator[bytes]:
        """The pieces from ``first`` on, one at a time."""
        ends = self._ends
        while first < len(self):
            begin = ends[first]
            last = max(first + 1, bisect.bisect_right(ends, begin + _CHUNK) - 1)
            body = os.pread(self._file, ends[last] - begin, begin)
            for at in range(first, last):
                yield body[ends[at] - begin : ends[at + 1] - begin]
            first = last

    def load(self, first: int = 0) -> Iterator[list[Any]]:
        """Each piece from ``first`` on as the block of values it is, made anew (`marshal`)."""
        return map(marshal.loads, self.read(first))


def write(pieces: Iterable[bytes], into: Callable[[bytes], object]) -> None:
    """Write a file of pieces, which are taken one at a time.

    Args:
        pieces: The pieces.
        into: Takes the file's bytes from its begin to its end.
    """
    ends: list[int] = []
    waiting: list[bytes] = []
    at = written = 0
    for piece in pieces:
        waiting.append(piece)
        at += len(piece)
        ends.append(at)
        del piece  # before the next, which may be as large, is made
        if at - written > _CHUNK:
            into(b"".join(waiting))
            waiting.clear()
            written = at
    index = marshal.dumps(ends)
    into(b"".join((*waiting, index, _LENGTH.pack(len(index)))))


def fill(descriptor: int, pieces: Iterable[bytes]) -> None:
    """Write a file of pieces into an open, empty file.

    Raises:
        UnwrittenError: The disk is full, say.
    """

    def into(body: bytes) -> None:
        view = memoryview(body)
        try:
            while view:
                view = view[os.write(descriptor, view) :]
        except OSError as error:
            raise UnwrittenError(error.strerror) from error

    write(pieces, into)


def encode(value: Any) -> bytes:
    """The form of an answer.

    Raises:
        WireError: The value is nested too deeply, or longer than `MAX_FORM`.
    """
    form = _form(value)
    if len(form) > MAX_FORM:
        raise wire.WireError(f"longer than {MAX_FORM >> 20} MiB")
    return form


def _form(value: Any) -> bytes:
    kind = type(value)
    try:
        if kind is str:
            return b"".join((b"s", value.encode("utf-8", "surrogatepass")))
        if kind in _PLAIN:
            return _json("p", value)
        if kind is list:
            found = _list_form(value)
            if found is not None:
                return found
        elif kind is tuple and _PLAIN.issuperset(map(type, value)):
            return _json("t", value)
    except (ValueError, RecursionError):  # an integer of more digits than Python prints, a list that holds itself
        pass
    return _json("e", wire.encode(value))


def _json(kind: str, value: Any) -> bytes:
    return f"{kind}{text(value)}".encode("ascii")


def _list_form(value: list[Any]) -> bytes | None:
    kinds = set(map(type, value))
    if kinds == _FLOATS:
        return b"f" + array.array("d", value).tobytes()
    if kinds == _INTEGERS:
        try:
            return b"i" + array.array("q", value).tobytes()
        except OverflowError:
            return _json("p", value)
    if kinds == _MIXED and (found := _mixed(value)) is not None:
        return found
    if kinds == _TEXTS and (found := _texts(value, len(value))) is not None:
        return b"w" + found
    if kinds == _TUPLES:
        return _tuples(value)
    return _json("p", value) if _is_plain(value, kinds) else None


def _is_plain(value: list[Any], kinds: set[type]) -> bool:
    return kinds <= _PLAIN or (
        kinds <= _NESTED and all(_is_plain(item, set(map(type, item))) for item in value if type(item) is list)
    )


def _texts(texts: Iterable[str], count: int) -> bytes | None:
    """The texts with a separator between them; None where one holds it."""
    whole = _SEPARATOR.join(texts)
    return whole.encode("utf-8", "surrogatepass") if whole.count(_SEPARATOR) == count - 1 else None


def _tuples(value: list[tuple[Any, ...]]) -> bytes | None:
    kinds = set(map(type, itertools.chain.from_iterable(value)))
    lengths = set(map(len, value))
    if not kinds <= _PLAIN:
        return None
    if len(lengths) > 1 or not kinds:
        return _json("l", value)
    (length,) = lengths
    head = b"r" + _LENGTH.pack(length)
    # Without a list of all items: of texts there can be many.
    if kinds == _TEXTS and (found := _texts(map(_SEPARATOR.join, value), length * len(value))) is not None:
        return b"".join((head, b"w", found))
    form = _list_form(list(itertools.chain.from_iterable(value)))
    return None if form is None else head + form


def _mixed(value: list[Any]) -> bytes | None:
    """Floats with a few integers: how many, where they are, and all as floats."""
    kinds = list(map(type, value))
    count = kinds.count(int)
    if count * _FEW > len(kinds):
        return None
    places = array.array("q")
    at = -1
    for _ in range(count):
        at = kinds.index(int, at + 1)
        if not -_EXACT < value[at] < _EXACT:
            return None
        places.append(at)
    return b"".join([b"m", _LENGTH.pack(count), places.tobytes(), array.array("d", value).tobytes()])


def kind_of_items(form: bytes) -> bytes:
    """The letter of a form, or of the items of tuples."""
    at = 1 + _LENGTH.size if form[:1] == b"r" else 0
    return form[at : at + 1]


def decode(form: bytes) -> Any:
    """The value of a form.

    Raises:
        WireError: It is none.
    """
    try:
        return _READERS[form[:1]](form[1:])
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError, struct.error) as error:
        raise wire.WireError("no form of an answer") from error


def _items(code: str, body: bytes) -> list[Any]:
    items = array.array(code)
    items.frombytes(body)
    return items.tolist()


def _read_mixed(body: bytes) -> list[Any]:
    (count,) = _LENGTH.unpack_from(body)
    begin = _LENGTH.size * (1 + count)
    items = _items("d", body[begin:])
    for at in _items("q", body[_LENGTH.size : begin]):
        items[at] = int(items[at])
    return items


def _read_tuples(body: bytes) -> list[tuple[Any, ...]]:
    (length,) = _LENGTH.unpack_from(body)
    form = body[_LENGTH.size :]
    items = decode(form) if form[:1] in _LISTS else None
    if type(items) is not list or not items or length < 1 or len(items) % length:
        raise ValueError("no items of tuples")
    return list(zip(*[iter(items)] * length, strict=True))


_READERS: Final[dict[bytes, Callable[[bytes], Any]]] = {
    b"s": lambda body: body.decode("utf-8", "surrogatepass"),
    b"p": json.loads,
    b"t": lambda body: tuple(json.loads(body)),
    b"l": lambda body: list(map(tuple, json.loads(body))),
    b"f": lambda body: _items("d", body),
    b"i": lambda body: _items("q", body),
    b"m": _read_mixed,
    b"w": lambda body: body.decode("utf-8", "surrogatepass").split(_SEPARATOR),
    b"r": _read_tuples,
    b"e": lambda body: wire.decode(json.loads(body)),
}


def send(descriptor: int, forms: Sequence[bytes], raised: list[str] | None) -> None:
    """Write a frame of answers; ``raised`` has name and text of the exception that ended the last call.

    Raises:
        WireError: It is longer than `wire.MAX_FRAME`.
        OSError: The other side is gone.
    """
    if sum(map(len, forms)) > wire.MAX_FRAME:
        raise wire.WireError(f"longer than {wire.MAX_FRAME >> 20} MiB")
    head = text([list(map(len, forms)), raised]).encode("ascii")
    wire.send_bytes(descriptor, head, *forms)


class Answers:
    """The answers of a solution, as they come.

    Args:
        descriptor: Where the frames come from.
        clock: Processor time that the solution has used, in seconds.
        call_seconds: Processor time that one call may use; None: as much as the trial.
    """

    def __init__(self, descriptor: int, clock: Callable[[], float], call_seconds: float | None) -> None:
        self._descriptor = descriptor
        self._clock = clock
        self._call_seconds = call_seconds

    def frames(self) -> Iterator[tuple[list[bytes], Raised | None]]:
        """Forms of answers to successive calls, and what the next call raised; that one is the last.

        Raises:
            CallTimeoutError: A call spent its processor time.
            EOFError: The solution ended before its last frame.
            WireError: A frame is not readable.
        """
        raised = None
        while raised is None:
            self._await()
            lengths, raised = _head(wire.receive(self._descriptor))
            yield _parts(wire.exactly(self._descriptor, sum(lengths)), lengths), raised

    def _await(self) -> None:
        """Wait for the next frame, watching how much processor time goes by."""
        if self._call_seconds is None:
            return
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        began: float | None = None
        while not poller.poll(_WATCH_SECONDS * 1000):
            now = self._clock()
            # The first look comes after the call has begun; what it misses is at most one interval.
            began = now if began is None else began
            if now - began >= self._call_seconds:
                raise CallTimeoutError


def _head(frame: Any) -> tuple[list[int], Raised | None]:
    try:
        lengths, raised = frame
        if type(lengths) is not list or set(map(type, lengths)) - {int} or min(lengths, default=1) < 1:
            raise wire.WireError("no frame of answers")
        if sum(lengths) > wire.MAX_FRAME:
            raise wire.WireError(f"longer than {wire.MAX_FRAME >> 20} MiB")
        if raised is None:
            return lengths, None
        name, message = raised
    except (ValueError, TypeError) as error:
        raise wire.WireError("no frame of answers") from error
    return lengths, Raised(str(name)[:100], str(message)[:MAX_MESSAGE])


def _parts(body: bytes, lengths: list[int]) -> list[bytes]:
    if len(lengths) == 1:
        return [body]
    parts = []
    at = 0
    for length in lengths:
        parts.append(body[at : at + length])
        at += length
    return parts

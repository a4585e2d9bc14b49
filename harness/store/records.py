"""One encoder and one decoder for every record the harness writes.

A record is one line of JSON in ASCII: everything else is written as an escape. So a line holds any text a model can
produce (NUL, lone surrogates, U+2028), never breaks in the middle for any reader, and decodes to the very same text.
(msgspec's own encoder is faster, and used where it agrees, but refuses lone surrogates, which token-by-token servers do
produce.)
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec

from harness.errors import StoreError

T = TypeVar("T")


class RecordError(StoreError):
    """One record cannot be written (a NaN, a doubled key, a type JSON has no form for); the folder itself is sound."""

    default_code = "record"


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Encode structs and plain values as JSON in ASCII.

    Raises:
        RecordError: The value has no faithful JSON form (NaN, infinities, foreign types).
    """
    separators = None if indent else (",", ":")
    try:
        plain = msgspec.to_builtins(value, str_keys=True)
        return json.dumps(plain, ensure_ascii=True, allow_nan=False, indent=indent, separators=separators)
    except (TypeError, ValueError, RecursionError, NotImplementedError) as error:
        raise _unwritable(value, error) from error


def encode(record: msgspec.Struct) -> bytes:
    """Encode one record as a whole line, newline included, that `decode` will take.

    Structs check no types when they are made, so a plug-in may have put anything into one.

    Raises:
        RecordError: The record has no faithful JSON form, or a field of the wrong type.
    """
    try:
        plain = msgspec.to_builtins(record, str_keys=True)
        msgspec.convert(plain, type(record))
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError, NotImplementedError) as error:
        raise _unwritable(record, error) from error
    return _quick(plain) or dumps(record).encode("ascii") + b"\n"


def _quick(plain: dict[str, Any]) -> bytes | None:
    """The line by msgspec's encoder, three times as fast; None unless it is sure to say the same.

    It would write a NaN as null and leave what is not ASCII as it is, so only flat records of finite numbers and ASCII
    texts are left to it.
    """
    for value in plain.values():
        if (type(value) is float and not math.isfinite(value)) or (type(value) in (dict, list) and value):
            return None
    try:
        line = _encode(plain)
    except (TypeError, ValueError, RecursionError, NotImplementedError):
        return None  # the other way says what is wrong
    return line + b"\n" if line.isascii() else None


_encode = msgspec.json.Encoder().encode


def decode(line: bytes | str, kind: type[T]) -> T:
    """Decode one record; keys that ``kind`` does not know are ignored.

    Raises:
        ValueError: Not JSON, holds NaN, or misses what ``kind`` needs.
    """
    try:
        return msgspec.json.decode(line, type=kind)  # five times as fast, and the same wherever it succeeds
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass  # it refuses lone surrogates, which a text may hold
    try:
        plain = json.loads(line, parse_constant=_refuse)
        return msgspec.convert(plain, kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error


def damaged(path: Path, number: int, error: Exception, *, derived: bool = False) -> StoreError:
    """Describe an unreadable line in the middle of a journal, which is never skipped.

    Args:
        path: The journal.
        number: Line number from 1.
        error: What the decoder said.
        derived: Whether the file may be deleted and made again.
    """
    fix = f"sed -i.bak '{number}d' '{path}'"
    remedy = (
        f"restore the file from a copy, or remove that line ({fix}) and run the same command again: "
        "only what the line held is asked again"
    )
    if derived:
        remedy = f"the file is derived: remove the line ({fix}) or the file and run the same command again"
    return StoreError(f"{path}:{number}: not a record of this journal ({error})", remedy, code="damaged")


def _unwritable(value: Any, error: Exception) -> RecordError:
    return RecordError(
        f"a {type(value).__name__} cannot be written as JSON: {error}",
        "this is a fault of the scorer or engine that made the record; please report it",
    )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")

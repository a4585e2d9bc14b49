"""From a file to its JSON objects, each with the place that an error message names."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from harness.errors import DataError
from harness.formats.packed import unpacked

GENERATIONS = "generations"
"""The key of a row that its file has without keys, as a list."""
_SHOWN = 12
_BOM = b"\xef\xbb\xbf"


class Row(msgspec.Struct, frozen=True):
    """One object of a file.

    Attributes:
        place: ``file:line``, or ``file: item N`` in a JSON list, for error messages.
        fields: The object.
    """

    place: str
    fields: Mapping[str, Any]

    def fail(self, what: str, remedy: str = "") -> NoReturn:
        """Raise a `DataError` that names the place and the keys the row has."""
        keys = list(self.fields)
        shown = ", ".join(repr(key) for key in keys[:_SHOWN]) or "none"
        more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
        raise DataError(f"{self.place}: {what}; its keys are {shown}{more}", remedy, code="row")

    def text(self, key: str) -> str:
        """The string under ``key``, exactly as written."""
        value = self._required(key)
        if not isinstance(value, str):
            self.fail(f"'{key}' is {kind(value)}, not a string")
        return value

    def optional_text(self, key: str) -> str | None:
        """The string under ``key``; None where it is absent or null."""
        return self.text(key) if self.fields.get(key) is not None else None

    def key(self, key: str) -> str:
        """An id: a string that is not empty, or an integer, which becomes a string."""
        value = self._required(key)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            self.fail(f"'{key}' is {kind(value)}, not an id (a string or an integer)")
        return str(value)

    def number(self, key: str, default: int | None) -> int | None:
        """A count from 0 under ``key``; ``default`` where it is absent or null."""
        value = self.fields.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.fail(f"'{key}' is {kind(value)}, not a number from 0")
        return value

    def _required(self, key: str) -> Any:
        if key not in self.fields:
            near = difflib.get_close_matches(key, self.fields, n=1)
            self.fail(f"no '{key}'" + (f" (is '{near[0]}' meant?)" if near else ""))
        return self.fields[key]


def kind(value: object) -> str:
    """Name a JSON value for an error message."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if value == "":
        return "an empty string"
    for types, name in (((int, float), "a number"), (str, "a string"), (list, "a list"), (dict, "an object")):
        if isinstance(value, types):
            return f"the number {value!r}" if name == "a number" else name
    return type(value).__name__


def read_rows(path: Path, *, torn_tail: bool = False) -> list[Row]:
    """Read JSON lines, one JSON list or one JSON object, plain, gzipped or zipped: told apart by the first bytes.

    Where a list holds lists and no objects (bigcode's generations), each is a row with the key `GENERATIONS`.

    A file that is one object with such a list under ``data`` (logs that say more beside it) is read as the list.

    Args:
        path: The file.
        torn_tail: Whether a last line without its newline that is no JSON is left out (a journal being written).

    Raises:
        DataError: The file cannot be read, or a row is no JSON object; the message has the line.
    """
    try:
        return _parse(path, unpacked(path, path.read_bytes()), torn_tail=torn_tail)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})", code="unreadable") from error


def _parse(path: Path, data: bytes, *, torn_tail: bool) -> list[Row]:
    data = data.removeprefix(_BOM)
    if data.lstrip()[:1] == b"[":
        return list(_items(path, data))
    return _document(path, data) or list(_lines(path, data, torn_tail=torn_tail))


def _document(path: Path, data: bytes) -> list[Row]:
    """The rows of a file that is one object: those under ``data``, else the object; empty for other files."""
    first, _, rest = data.lstrip().partition(b"\n")
    if rest.strip() and first.strip() != b"{":  # lines of objects
        return []
    try:
        document = _loads(data)
    except ValueError as error:
        if not rest.strip():
            return []
        remedy = "completions are JSON lines, a JSON list, or one object"
        raise DataError(f"{path}: not JSON ({error})", remedy, code="row") from error
    rows = document.get("data") if isinstance(document, dict) else None
    if isinstance(rows, list) and all(isinstance(one, dict) for one in rows):
        return [Row(f"{path}: data item {number}", one) for number, one in enumerate(rows)]
    return [Row(f"{path}", document)] if rest.strip() and isinstance(document, dict) else []


def _lines(path: Path, data: bytes, *, torn_tail: bool) -> Iterator[Row]:
    # Only \n ends a line: U+2028, form feeds and lone \r occur inside texts.
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            fields = _loads(line)
        except ValueError as error:
            if torn_tail and number == len(lines):
                return
            raise DataError(
                f"{place}: not JSON ({error})", "each line must be one whole JSON object", code="row"
            ) from error
        if not isinstance(fields, dict):
            raise DataError(f"{place}: {kind(fields)}, not an object", code="row")
        yield Row(place, fields)


def _items(path: Path, data: bytes) -> Iterator[Row]:
    try:
        items = _loads(data)
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error})", "is the file complete?", code="row") from error
    for number, fields in enumerate(items):
        place = f"{path}: item {number}"
        if isinstance(fields, list):
            fields = {GENERATIONS: fields}
        if not isinstance(fields, dict):
            raise DataError(f"{place}: {kind(fields)}, not an object", code="row")
        yield Row(place, fields)


def _loads(data: bytes) -> Any:
    # Replies hold lone surrogates: as escapes they pass json, as raw bytes only a lenient decoder.
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
        raise ValueError(f"{error.msg} at {where}") from error

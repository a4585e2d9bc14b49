"""From a TOML file to a Spec: strict, and with errors that name file, key and the nearest valid spelling.

msgspec decides whether a document is valid. Where it is not, the document is walked beside the type tree to say every
problem in TOML's own terms: msgspec stops at the first one and loses the keys of mappings (``$.texts[...].name``).
"""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from harness.errors import SpecError
from harness.spelling import nearest, suggestion
from harness.types import Spec

SpecT = TypeVar("SpecT", bound=Spec)


class Problem(NamedTuple):
    """What is wrong at one key (``sampling.temperature``, ``number[3].model``; empty: the whole file)."""

    key: str
    text: str


def shown(path: Path) -> str:
    """``path`` as messages print it: relative to the working directory where it lies below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):  # elsewhere, or the working directory is gone
        return str(path)


def refuse(path: Path, problems: Iterable[Problem]) -> None:
    """Raise `SpecError` for the first of ``problems``, saying how many there are; return where there is none."""
    found = list(problems)
    if not found:
        return
    first = found[0]
    where = f"{shown(path)}: {first.key}: " if first.key else f"{shown(path)}: "
    more = f" ({len(found) - 1} more in this file)" if len(found) > 1 else ""
    raise SpecError(f"{where}{first.text}{more}")


def read_text(path: Path) -> str:
    """The file's text, byte for byte (line ends are not translated).

    Raises:
        SpecError: The file cannot be read or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise SpecError(f"{shown(path)}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{shown(path)}: not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}") from error


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file.

    Raises:
        SpecError: The file cannot be read or is not TOML; the message carries the line (``FILE:LINE``).
    """
    text = read_text(path).removeprefix("\ufeff")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, what = _place(str(error), text)
        raise SpecError(f"{shown(path)}:{line}: not valid TOML: {what}") from error
    except RecursionError as error:
        raise SpecError(f"{shown(path)}: not valid TOML: nested too deeply") from error


def _place(message: str, text: str) -> tuple[int, str]:
    """Line number and problem from tomllib's ``problem (at line 2, column 5)`` or ``problem (at end of document)``."""
    what, _, place = message.partition(" (at ")
    words = place.rstrip(")").replace(",", "").split()
    if len(words) == 4 and words[0] == "line":
        return int(words[1]), f"{what} (column {words[3]})"
    return max(1, len(text.splitlines())), f"{what} (at the end of the file)"


def convert(document: Mapping[str, Any], spec: type[SpecT], path: Path, *, reserved: Sequence[str] = ()) -> SpecT:
    """Convert a parsed document strictly.

    Args:
        document: The parsed TOML.
        spec: The struct to fill.
        path: The file, for messages.
        reserved: Top-level fields that are never written in the file (``name`` comes from the file's place).

    Raises:
        SpecError: An unknown key, a wrong type or a missing key.
    """
    written = [key for key in reserved if key in document]
    refuse(path, (Problem(key, "must not be written; it comes from the file's place") for key in written))
    try:
        return msgspec.convert(document, spec, strict=True)
    except msgspec.ValidationError as error:
        refuse(path, _explain(document, spec, frozenset(reserved)))
        raise SpecError(f"{shown(path)}: {error}") from error


def _explain(document: Mapping[str, Any], spec: type[Spec], reserved: frozenset[str]) -> list[Problem]:
    """Every problem of ``document``: unknown keys first, for a misspelt key is also the cause of a missing one."""
    places = [path for path in _places(spec) if path not in reserved]
    found = list(_walk(document, spec, "", places, reserved))
    return [problem for wanted in ("unknown", "missing", "wrong") for kind, problem in found if kind == wanted]


_Found = tuple[Literal["unknown", "missing", "wrong"], Problem]


def _walk(value: Any, kind: Any, key: str, places: Sequence[str], reserved: frozenset[str]) -> Iterator[_Found]:
    """Walk a value beside its type; ``places`` are all keys of the whole document's type."""
    kind = _without_none(kind)
    arguments = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if _is_struct(kind) and isinstance(value, Mapping):
        yield from _walk_table(value, kind, key, places, reserved)
    elif origin is not None and _is_mapping(origin) and isinstance(value, Mapping):
        for name, item in value.items():
            yield from _walk(item, arguments[1], _join(key, name), places, frozenset())
    elif origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, arguments[0], f"{key}[{index}]", places, frozenset())
    else:
        problem = _wrong_type(value, kind)
        if problem is not None:
            yield "wrong", Problem(key, problem)


def _walk_table(
    table: Mapping[str, Any], spec: type[Spec], key: str, places: Sequence[str], reserved: frozenset[str]
) -> Iterator[_Found]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(spec) if field.encode_name not in reserved}
    explained = set()
    for name in table:
        if name not in fields:
            near = nearest(name, fields.keys() - table.keys())
            explained.add(near)
            yield "unknown", Problem(_join(key, name), f"unknown key; {_meant(name, near, fields, places)}")
    for name, field in fields.items():
        if name in table:
            yield from _walk(table[name], field.type, _join(key, name), places, frozenset())
        elif field.required and name not in explained:
            yield "missing", Problem(_join(key, name), "this key is required and missing")


def _meant(name: str, near: str | None, fields: Iterable[str], places: Sequence[str]) -> str:
    """Which key was meant: one of the same table, else the same name in another table."""
    if near is not None:
        return f"did you mean '{near}'?"
    elsewhere = [place for place in places if place.rpartition(".")[2] == name]
    return f"did you mean '{elsewhere[0]}'?" if elsewhere else suggestion(name, fields)


def _wrong_type(value: Any, kind: Any) -> str | None:
    if typing.get_origin(kind) is Literal:
        options = [str(option) for option in typing.get_args(kind)]
        if isinstance(value, str):
            return None if value in options else f"'{value}' is not allowed; {suggestion(value, options)}"
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        text = str(error).replace("`object`", "`table`").replace("`", "").replace(" | null", "")
        return text[:1].lower() + text[1:]
    return None


def _places(spec: type[Spec], key: str = "") -> Iterator[str]:
    """All keys below ``spec`` that a person can write without choosing a name, shortest first by construction."""
    deeper = []
    for field in msgspec.structs.fields(spec):
        yield _join(key, field.encode_name)
        kind = _without_none(field.type)
        if _is_struct(kind):
            deeper.append((kind, _join(key, field.encode_name)))
    for kind, below in deeper:
        yield from _places(kind, below)


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _without_none(kind: Any) -> Any:
    """``X`` of ``X | None``; other types as they are."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        rest = [part for part in typing.get_args(kind) if part is not types.NoneType]
        if len(rest) == 1:
            return rest[0]
    return kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _is_mapping(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)

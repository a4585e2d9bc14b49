"""Placeholders: how a record's values enter a prompt, a reference answer or an expected answer.

A template is read once, from left to right; what a placeholder puts in is never read again, so a question that
contains ``{answer}`` stays as it is. The syntax:

- ``{field}`` the record's value; ``{field.0}`` and ``{field.key}`` items of a list or of a table;
- ``{texts.NAME}`` a text that the task pins;
- ``{field|after:LITERAL}`` what follows the last ``LITERAL`` of the value, without surrounding white space;
- ``{field|remove:LITERAL}`` the value without any ``LITERAL``; filters apply from left to right;
- ``{{`` and ``}}`` a brace.

A literal is taken as it is, spaces included; it cannot contain ``{``, ``}`` or ``|``.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from harness.errors import SpecError
from harness.prompts.spelling import did_you_mean

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_PATH = re.compile(r"\w[\w -]*(?:\.\w[\w -]*)*")
_TEXTS = "texts."
FILTERS = ("after", "remove")


class Placeholder(msgspec.Struct, frozen=True):
    """One ``{...}`` of a template: the path of the value, and (name, literal) of each filter."""

    path: str
    filters: tuple[tuple[str, str], ...] = ()


def render(template: str, record: Mapping[str, Any], texts: Mapping[str, str] | None = None, *, where: str = "") -> str:
    """Fill a template from a record, in a single pass.

    Args:
        template: Text with placeholders (this module's docstring has the syntax).
        record: The data set's record.
        texts: Pinned texts, for ``{texts.NAME}``.
        where: What is being rendered, to open error messages with (``gsm8k/x: prompt.turns[0], sample '3'``).

    Raises:
        SpecError: The syntax is wrong, a field or text is missing, or a value is no text and no number.
    """
    prefix = f"{where}: " if where else ""
    try:
        parts = _parse(template)
    except SpecError as error:
        raise SpecError(prefix + error.message, error.remedy) from None
    return "".join(part if isinstance(part, str) else _value(part, record, texts or {}, prefix) for part in parts)


def placeholders(template: str) -> tuple[str, ...]:
    """The paths that a template uses (``question``, ``turns.0``, ``texts.NAME``), each once, in order of appearance.

    Raises:
        SpecError: The syntax is wrong.
    """
    return tuple(dict.fromkeys(part.path for part in _parse(template) if isinstance(part, Placeholder)))


def lookup(record: Mapping[str, Any], path: str, *, where: str = "") -> Any:
    """The value at ``path`` in a record: a field's name, then list indices or keys, joined by dots.

    A field whose own name contains dots is found by its whole name first.

    Raises:
        SpecError: Nothing is there; the message names the nearest field.
    """
    if path in record:
        return record[path]
    prefix = f"{where}: " if where else ""
    value: Any = record
    steps = path.split(".")
    for depth, step in enumerate(steps):
        if isinstance(value, Mapping):
            if step not in value:
                field = ".".join(steps[: depth + 1])
                raise SpecError(f"{prefix}the record has no field {field!r}", did_you_mean(step, map(str, value)))
            value = value[step]
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            if not step.isdecimal() or int(step) >= len(value):
                raise SpecError(
                    f"{prefix}field {'.'.join(steps[:depth])!r} has no item {step!r}",
                    f"it is a list of {len(value)} items, numbered from 0",
                )
            value = value[int(step)]
        else:
            raise SpecError(
                f"{prefix}field {'.'.join(steps[:depth])!r} has no item {step!r}", "it is neither a list nor a table"
            )
    return value


@functools.lru_cache(maxsize=512)
def _parse(template: str) -> tuple[str | Placeholder, ...]:
    """Split a template in literal texts and placeholders."""
    parts: list[str | Placeholder] = []
    end = 0
    for token in _TOKEN.finditer(template):
        parts.append(template[end : token.start()])
        end = token.end()
        if token[0] in ("{{", "}}"):
            parts.append(token[0][0])
        elif token[1] is None:
            raise SpecError(
                f"lone {token[0]!r} at character {token.start()} of {_shorten(template)!r}",
                f"write {token[0] * 2!r} for the character itself",
            )
        else:
            parts.append(_placeholder(token[1]))
    parts.append(template[end:])
    return tuple(part for part in parts if part)


def _placeholder(inner: str) -> Placeholder:
    path, *filters = inner.split("|")
    if not _PATH.fullmatch(path):
        raise SpecError(
            f"{{{inner}}} is no placeholder", "write {field}, {field.0} or {texts.NAME}, and {{ }} for braces"
        )
    return Placeholder(path, tuple(_filter(text, inner) for text in filters))


def _filter(text: str, inner: str) -> tuple[str, str]:
    name, colon, literal = text.partition(":")
    if name not in FILTERS:
        raise SpecError(f"{{{inner}}}: unknown filter {name!r}", did_you_mean(name, FILTERS))
    if not colon or not literal:
        raise SpecError(f"{{{inner}}}: filter {name!r} lacks its literal", f"write it as {{field|{name}:LITERAL}}")
    return name, literal


def _value(placeholder: Placeholder, record: Mapping[str, Any], texts: Mapping[str, str], prefix: str) -> str:
    if placeholder.path.startswith(_TEXTS):
        name = placeholder.path.removeprefix(_TEXTS)
        if name not in texts:
            raise SpecError(f"{prefix}the task pins no text {name!r}", did_you_mean(name, texts) or "add it to [texts]")
        value = texts[name]
    else:
        found = lookup(record, placeholder.path, where=prefix.removesuffix(": "))
        value = _text(found, placeholder.path, prefix)
    for name, literal in placeholder.filters:
        if name == "remove":
            value = value.replace(literal, "")
        else:
            _, found_literal, rest = value.rpartition(literal)
            if not found_literal:
                raise SpecError(
                    f"{prefix}{placeholder.path!r} does not contain {literal!r}",
                    f"its value is {_shorten(value)!r}; correct the literal of 'after'",
                )
            value = rest.strip()
    return value


def _text(value: Any, path: str, prefix: str) -> str:
    """A record's value as text: strings as they are, numbers and truth values as JSON writes them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if value is None:
        raise SpecError(f"{prefix}field {path!r} is null", "use another field, or leave such records out of the data")
    kind = "list" if isinstance(value, Sequence) else "table"
    raise SpecError(f"{prefix}field {path!r} is a {kind}", f"name one item of it, as in {{{path}.0}}")


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."

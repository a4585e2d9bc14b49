"""Finding the program in a chat model's reply.

The reply may fence its code or not, leave a fence open, spread it over several blocks, say other things between, repeat
the function after a correction, and call it at the end. Kept are the imports, the function that is asked for, and what
it needs, wherever in the reply that is, with the statements that fill its tables; prints, assertions, examples and
main guards are not executed.

Where the reply as it is holds no whole function, it is read otherwise: without prompts of a Python session, quotation
marks, JSON or HTML around it.
"""

from __future__ import annotations

import contextlib
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from harness.scorers.code import blocks
from harness.scorers.code.pieces import Piece, pieces

SEARCHED: Final = 200_000
"""Characters of a reply that are looked at."""
_INVISIBLE: Final = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))
_TESTS: Final = frozenset({"unittest", "pytest", "doctest", "hypothesis"})
"""What a piece mentions that is for testing the function."""
_WAITS: Final = frozenset({"input", "stdin", "argv", "open"})
"""What an assignment mentions as well that waits for somebody."""
_SHOWS: Final = _TESTS | _WAITS | {"print", "exit", "quit", "__name__"}
"""What any other statement mentions that shows or tries the function."""


def find_program(text: str, entry_point: str) -> str | None:
    """The program in a reply.

    Args:
        text: The reply, without reasoning.
        entry_point: Name of the function that is asked for.

    Returns:
        Imports, the function and what it needs. Where nothing defines the function: the longest block of code as it
        is, which will fail for that reason. None where there is no code.

    Raises:
        UsageError: tree-sitter is not installed.
    """
    text = text[:SEARCHED].replace("\r\n", "\n").translate(_INVISIBLE)
    if "\n" not in text:
        text = text.replace("\r", "\n")
    broken: str | None = None
    looked_at: list[list[str]] = []
    for reading in _readings(text, entry_point):
        for found in (
            blocks.fenced(reading, entry_point),
            blocks.unfenced(reading, entry_point),
            blocks.spans(reading),
        ):
            looked_at.append(list(found))
            parsed = [_worth(pieces(block), entry_point) for block in looked_at[-1]]
            chosen, whole = _choose(parsed, entry_point)
            if chosen is not None and (whole or broken is None):
                program = _assemble(parsed, chosen, entry_point)
                if whole:
                    return program
                broken = program
    if broken is not None:
        return broken
    fenced, unfenced, *_ = looked_at
    return max(fenced, key=len, default=None) or max(unfenced, key=len, default=None)


def _readings(text: str, entry_point: str) -> Iterator[str]:
    """The reply as it is, then without what may be around its code."""
    yield text
    for read in _READINGS:
        other = read(text)
        if other != text and entry_point in other:
            yield other


_PROMPT: Final = re.compile(r"^[ \t]*(?:>>>|\.\.\.)(?: (.*))?$", re.MULTILINE)
_QUOTED: Final = re.compile(r"^[ \t]*(?:>(?!>>) ?)+", re.MULTILINE)
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_TAG: Final = re.compile(r"</?(?:pre|code|s|br)\b[^<>\n]*>|<\|\w+\|>", re.IGNORECASE)
_NUMBER: Final = re.compile(r"&#[0-9]{8,}+;?")
"""A character's number that no character has; one of some thousand digits is an error to ``html``."""
_TYPOGRAPHIC: Final = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")


def _typed(text: str) -> str:
    """What somebody types in a Python session that the reply shows."""
    return "\n".join(line[1] or "" for line in _PROMPT.finditer(text))


def _unquoted(text: str) -> str:
    """Lines without the marks of a quotation."""
    return _QUOTED.sub("", text)


def _strings(text: str) -> str:
    """The strings of JSON."""
    found = []
    at = text.find('"')
    while at >= 0 and (string := _STRING.match(text, at)):  # after one without an end no search goes on
        with contextlib.suppress(ValueError):
            found.append(json.loads(string[0], strict=False))
        at = text.find('"', string.end())
    return "\n\n".join(found)


def _unmarked(text: str) -> str:
    """Text that was marked up, or set in type."""
    return html.unescape(_NUMBER.sub("", _TAG.sub("\n", text))).translate(_TYPOGRAPHIC)


_READINGS: Final[tuple[Callable[[str], str], ...]] = (_typed, _unquoted, _strings, _unmarked)


def _worth(some: Iterable[Piece], entry_point: str) -> list[Piece]:
    """The pieces that may be executed: of those that define the function the sound ones, where there are any."""
    kept = [piece for piece in some if entry_point in piece.names or not _tries(piece, entry_point)]
    sound = any(piece.sound for piece in kept if entry_point in piece.names)
    return [piece for piece in kept if piece.sound or not sound or entry_point not in piece.names]


def _tries(piece: Piece, entry_point: str) -> bool:
    """Whether a piece tries the function, or waits for somebody."""
    if piece.kind == "definition":
        return bool(piece.uses & _TESTS)
    if piece.kind == "import":
        return bool(piece.uses & (_TESTS | {"__name__"}))
    if piece.kind == "assignment" or piece.names:
        return bool(piece.uses & (_TESTS | _WAITS | {"__name__", entry_point}))
    return not piece.sound or bool(piece.uses & (_SHOWS | {entry_point}))


def _choose(found: list[list[Piece]], entry_point: str) -> tuple[int | None, bool]:
    """The block whose function counts, and whether that is whole.

    It is the last whole one, for later blocks correct earlier ones; else the last.
    """
    having = {at: piece.sound for at, some in enumerate(found) for piece in some if entry_point in piece.names}
    whole = [at for at, sound in having.items() if sound]
    return max(whole or having, default=None), bool(whole)


def _assemble(found: list[list[Piece]], chosen: int, entry_point: str) -> str:
    """The chosen block's pieces and, for what it lacks, those of the other blocks: earlier ones first."""
    kept = _needed(found, chosen, entry_point)
    # A definition that nothing calls does no harm, and tests may need it (a class of what the function is given).
    kept |= {(chosen, place) for place, piece in enumerate(found[chosen]) if piece.kind == "definition" and piece.sound}
    for at in (*range(chosen), chosen):
        for place, piece in enumerate(found[at]):
            # One that mentions the function is of its tests, from a module that is not there (or needed, and kept).
            if piece.kind == "import" and piece.sound and entry_point not in piece.uses:
                kept.add((at, place))
    # Definitions of other blocks come before the chosen block's own, which may use them at once.
    places = sorted(kept, key=lambda one: (one[0] == chosen, one[0] > chosen, one))
    texts = dict.fromkeys(found[at][place].text for at, place in places)
    return "\n\n".join(sorted(texts, key=lambda text: not text.startswith("from __future__"))) + "\n"


def _needed(found: list[list[Piece]], chosen: int, entry_point: str) -> set[tuple[int, int]]:
    """The pieces that define the function, and what those need: block and place of each.

    A name is imported where nothing else defines it. A table needs the chosen block's statements that fill it, by
    themselves or by calling a function that does.
    """
    definers = _definers(found, chosen, imports=True) | _definers(found, chosen, imports=False)
    statements: dict[str, list[tuple[int, int]]] = {}
    functions: dict[str, list[str]] = {}
    for place, piece in enumerate(found[chosen]):
        for name in piece.uses:
            if piece.kind == "statement":
                statements.setdefault(name, []).append((chosen, place))
            elif piece.kind == "definition" and not piece.uses & (_SHOWS | {entry_point}):
                functions.setdefault(name, []).extend(piece.names)
    kept: set[tuple[int, int]] = set()
    wanted: set[str] = set()
    waiting = [*definers[entry_point], *statements.pop("setrecursionlimit", [])]
    while waiting:
        at, place = one = waiting.pop()
        if one in kept:
            continue
        kept.add(one)
        piece = found[at][place]
        for name in piece.uses - wanted:
            wanted.add(name)
            waiting.extend(definers.get(name, []))
        if piece.kind == "assignment":
            for table in piece.names:
                for name in (table, *functions.pop(table, [])):
                    waiting.extend(statements.pop(name, []))
    return kept


def _definers(found: list[list[Piece]], chosen: int, *, imports: bool) -> dict[str, list[tuple[int, int]]]:
    """The imports, or all else, that define each name: block and place of each.

    They are those of the first block that has the name: the chosen one, earlier ones, later ones.
    """
    definers: dict[str, list[tuple[int, int]]] = {}
    for at in (chosen, *range(chosen - 1, -1, -1), *range(chosen + 1, len(found))):
        for place, piece in enumerate(found[at]):
            for name in piece.names | piece.imports if (piece.kind == "import") == imports else ():
                home = definers.setdefault(name, [])
                if not home or home[0][0] == at:
                    home.append((at, place))
    return definers

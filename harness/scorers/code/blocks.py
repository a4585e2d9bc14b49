"""Where code may be in a reply: fenced blocks, lines that look like code, and code within a line of prose."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterator
from typing import Final

from harness.scorers.code.pieces import state

_FENCE: Final = re.compile(
    r"^(?:[ \t]*+(?:(?:[-*+]|\d{1,3}[.)])[ \t]++)?+|"
    r"(?P<before>.*[^`~\s])[ \t]*+(?=(?:`{3,}+|~{3,}+)[ \t]*+(?:(?:python3?|py)[ \t]*+)?+$))"
    r"(?P<mark>`{3,}+|~{3,}+)[ \t]*+(?P<info>[^\s`]*+)[^`\n]*+$",
    re.MULTILINE | re.IGNORECASE,
)
"""A line that begins with a fence; or one that ends with it, of code in an open block or of prose that opens one.

Possessive where a line could be divided in many ways: each would be tried, and a hostile line is long.
"""
_ON_THE_FENCE: Final = re.compile(
    r"[ \t]*+(?:(?:python3?|py)[ \t]*+)?+(?=(?:async[ \t]+def|def|class|import|from|@)\b|@\w)", re.IGNORECASE
)
"""What is between a fence and code that begins on its line."""
_TRIED: Final = 8
"""Fences that are tried as the end of a block."""
_LOOKED_ON: Final = 40
"""Lines after what looks like the end of unfenced code that are tried as its end."""
_LOOKED_ON_IN_ALL: Final = 400_000
"""Characters that are parsed for that in all."""
_INDENTATION: Final = re.compile(r"^[ \t\xa0]+", re.MULTILINE)
_LANGUAGES: Final = (
    "text txt output plaintext none console bash sh shell zsh powershell json yaml toml ini xml html css sql diff "
    "javascript js typescript ts java c cpp c++ cs csharp go rust ruby php swift kotlin scala perl r julia haskell "
    "lua latex mermaid"
)
_OTHER: Final = frozenset(_LANGUAGES.split())
"""Fences of what is no Python."""
_SPAN: Final = re.compile(r"(?<!`)(?P<mark>`{1,3})(?:(?:python3?|py)\b)?(?P<code>[^`]+)(?P=mark)(?!`)", re.IGNORECASE)
_DEFINES: Final = (
    r"(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(|class[ \t]+\w+[ \t]*[:(]|@\w|"
    r"import[ \t]+[\w.]+(?:[ \t]+as[ \t]+\w+)?[ \t]*(?:,|;|#|$)|from[ \t]+[\w.]+[ \t]+import\b"
)
"""How a line begins that is code for sure."""
_STATEMENT: Final = re.compile(r"(async\s+def|def|class|import|from|@\w|#|[A-Za-z_]\w*\s*(:[^=]+)?=[^=]|[)\]}])")
_SENTENCE: Final = re.compile(r"[^#\"']*[A-Za-z)][.!?]\s*$")
_LOOP: Final = re.compile(r"for\s+\w+(?:\s*,\s*\w+)*\s+in\s")


def fenced(text: str, entry_point: str) -> Iterator[str]:
    """The fenced blocks that may be Python, in order; one that is never closed goes to the end.

    A fence that leaves the function in pieces closed nothing: it is part of the function, in its docstring say.
    """
    fences = list(_FENCE.finditer(text))
    at = 0
    while at < len(fences):
        opened = fences[at]
        at += 1
        if opened["before"] and not _begins(opened):
            continue
        closing = (
            n for n in range(at, len(fences)) if _begins(fences[n]) or fences[n]["mark"].startswith(opened["mark"])
        )
        ends = list(itertools.islice(closing, _TRIED))
        begin = _begin(opened)
        if not ends:
            yield from _block(opened, text[begin:])
            return
        bodies = {end: text[begin : _end(fences[end])] for end in ends}
        end = ends[0]
        if state(dedented(bodies[end]), entry_point) == "in pieces":
            end = next((one for one, body in bodies.items() if state(dedented(body), entry_point) == "whole"), end)
        yield from _block(opened, bodies[end])
        at = end if _begins(fences[end]) else end + 1


def unfenced(text: str, entry_point: str) -> Iterator[str]:
    """The stretches of lines that look like code, whatever is between them: from a definition or import on."""
    lines = text.split("\n")
    name = re.escape(entry_point)
    head = re.compile(rf"\s*(?:(?:async\s+)?(?:def|class)\s+{name}\b|{name}\s*=[^=]|{_DEFINES})")
    at = taken = 0
    left = _LOOKED_ON_IN_ALL
    while at < len(lines):
        if not head.match(lines[at]):
            at += 1
            continue
        indent = len(lines[at]) - len(lines[at].lstrip())
        first, last = at, _stretch(lines, at + 1, indent)
        while first > taken and _is_code(lines[first - 1], indent):
            first -= 1
        for more in range(last, min(last + _LOOKED_ON, len(lines)) + 1):
            longer = dedented("\n".join(lines[first:more]))
            if entry_point not in longer or left <= 0:
                break
            left -= len(longer)
            if state(longer, entry_point) == "whole":  # a string or a bracket was open at the line
                last = _stretch(lines, more, indent)
                break
        yield dedented("\n".join(lines[first:last]))
        at = taken = last


def spans(text: str) -> Iterator[str]:
    """What is between backticks within prose."""
    for found in _SPAN.finditer(text):
        yield dedented(found["code"].strip())


def dedented(body: str) -> str:
    """Code without common indentation and empty lines around it; no-break spaces do not indent."""
    return textwrap.dedent(_INDENTATION.sub(lambda found: found[0].replace("\xa0", " "), body)).strip("\n") + "\n"


def _begins(fence: re.Match[str]) -> bool:
    """Whether a fence begins a block, also inside another: that one was never closed."""
    return bool(fence["info"])


def _begin(fence: re.Match[str]) -> int:
    """Where the block that a fence opens begins."""
    code = _ON_THE_FENCE.match(fence.string, fence.end("mark"))
    return fence.end() if code is None else code.end()


def _end(fence: re.Match[str]) -> int:
    """Where the block that a fence closes ends."""
    return fence.end("before") if fence["before"] and not _begins(fence) else fence.start()


def _block(fence: re.Match[str], body: str) -> Iterator[str]:
    if fence["info"].lower() not in _OTHER and body.strip():
        yield dedented(body)


def _stretch(lines: list[str], at: int, indent: int) -> int:
    """The first line from ``at`` on that is no code."""
    while at < len(lines) and _is_code(lines[at], indent):
        at += 1
    return at


def _is_code(line: str, indent: int) -> bool:
    if not line[: indent + 1].strip():
        return True
    if _SENTENCE.match(line):
        return False
    return bool(_STATEMENT.match(line, indent) or (_LOOP.match(line, indent) and line.rstrip().endswith(":")))

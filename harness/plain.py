"""Text of any origin (models, servers, files), made safe to show and to write in a message."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence

_JOINERS = frozenset("\u200c\u200d")  # shape Indic letters and emoji; they move nothing and hide nothing
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_MESSAGE_LENGTH = 300


def plain(text: str, *, lines: bool = False) -> str:
    r"""Make any text safe for a terminal, a page and a figure.

    Control characters (escape sequences), bidirectional overrides, invisible format characters and lone surrogates
    become visible escapes such as ``\x1b`` and ``\u202e``; everything else stays as it is.

    Args:
        text: Text of any origin.
        lines: Keep line ends and tabs (for texts of many lines); CRLF becomes LF.
    """
    if lines:
        text = text.replace("\r\n", "\n")
    kept = _JOINERS | {"\n", "\t"} if lines else _JOINERS
    return "".join(
        _escape(char) if char not in kept and unicodedata.category(char) in _UNSAFE else char for char in text
    )


def one_line(text: str, length: int = _MESSAGE_LENGTH) -> str:
    """One safe line of ``text``: white space is one blank, the rest as `plain`, at most ``length`` characters."""
    line = plain(" ".join(text[: 20 * length].split()))
    return line if len(line) <= length else line[: length - 1] + "…"


def aligned(table: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Columns of equal width, two blanks apart and never wrapped, so that names can be copied and rows searched.

    Args:
        table: Rows of as many cells each.
        right: Numbers of the columns that are set to the right.
    """
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        padded = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - cell_len(cell))
            padded.append(space + cell if number in right else cell + space)
        lines.append("  ".join(padded).rstrip())
    return lines


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

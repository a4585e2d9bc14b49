"""Finding the program in a chat model's reply, by tree-sitter: it parses what is broken and what is prose as well.

The reply may fence its code or not, leave a fence open, spread it over several blocks, say other things between, repeat
the function after a correction, and call it at the end. Kept are the imports, the function that is asked for, and what
it needs, wherever in the reply that is, with the statements that fill its tables; prints, assertions, examples and
main guards are not executed.
"""

from __future__ import annotations

import functools
import itertools
import re
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from harness.errors import UsageError

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

SEARCHED: Final = 200_000
"""Characters of a reply that are looked at."""
_FENCE: Final = re.compile(
    r"^(?:[ \t]*|(?P<code>.*[^`~\s])[ \t]*)(?P<mark>`{3,}|~{3,})[ \t]*(?P<info>[^\s`]*)[^`\n]*$", re.MULTILINE
)
"""A line that begins with a fence or, in an open block, ends with one."""
_TRIED: Final = 8
"""Fences that are tried as the end of a block."""
_LOOKED_ON: Final = 40
"""Lines after what looks like the end of unfenced code that are tried as its end."""
_INDENTATION: Final = re.compile(r"^[ \t\xa0]+", re.MULTILINE)
_OTHER: Final = frozenset({"text", "txt", "output", "console", "bash", "sh", "shell", "json", "plaintext", "none"})
_DEFINITIONS: Final = frozenset({"function_definition", "class_definition", "decorated_definition"})
_IMPORTS: Final = frozenset({"import_statement", "import_from_statement", "future_import_statement"})
_FILLING: Final = frozenset({"for_statement", "while_statement", "if_statement"})
_IDLE: Final = frozenset({"print", "input", "open", "exit", "quit", "unittest", "pytest", "__name__"})
"""What a statement that is left out mentions: it shows or tries the function, or waits for somebody."""
_ASSIGNMENTS: Final = frozenset({"assignment", "augmented_assignment", "type_alias_statement"})


class _Piece(msgspec.Struct, frozen=True):
    """A top-level statement that may be kept: what it defines, what it needs, its text, and whether it is whole."""

    kind: str
    names: frozenset[str]
    uses: frozenset[str]
    text: str
    sound: bool


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
    text = text[:SEARCHED].lstrip("\ufeff").replace("\r\n", "\n")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    blocks = list(_blocks(text, entry_point))
    unfenced = _unfenced(text, entry_point)
    for candidates in (blocks, [unfenced]):
        pieces = [_pieces(block) for block in candidates]
        chosen = _choose(pieces, entry_point)
        if chosen is not None:
            return _assemble(pieces, chosen, entry_point)
    return max(blocks, key=len, default=unfenced or None)


def _blocks(text: str, entry_point: str) -> Iterator[str]:
    """The fenced blocks that may be Python, in order; one that is never closed goes to the end.

    A fence that leaves the function in pieces closed nothing: it is part of the function, in its docstring say.
    """
    fences = list(_FENCE.finditer(text))
    at = 0
    while at < len(fences):
        opened = fences[at]
        at += 1
        if opened["code"]:
            continue
        closing = (
            n for n in range(at, len(fences)) if _begins(fences[n]) or fences[n]["mark"].startswith(opened["mark"])
        )
        ends = list(itertools.islice(closing, _TRIED))
        if not ends:
            yield from _block(opened, text[opened.end() :])
            return
        bodies = {end: text[opened.end() : _end(fences[end])] for end in ends}
        end = ends[0]
        if _state(bodies[end], entry_point) == "in pieces":
            end = next((one for one, body in bodies.items() if _state(body, entry_point) == "whole"), end)
        yield from _block(opened, bodies[end])
        at = end if _begins(fences[end]) else end + 1


def _begins(fence: re.Match[str]) -> bool:
    """Whether a fence begins a block, also inside another: that one was never closed."""
    return bool(fence["info"]) and not fence["code"]


def _end(fence: re.Match[str]) -> int:
    """Where the block that a fence closes ends."""
    return fence.end("code") if fence["code"] else fence.start()


def _state(body: str, entry_point: str) -> Literal["absent", "in pieces", "whole"]:
    """Whether a block defines the function, and ends it."""
    if entry_point not in body:
        return "absent"
    mine = [piece for piece in _pieces(_dedented(body)) if entry_point in piece.names]
    return "absent" if not mine else "whole" if all(piece.sound for piece in mine) else "in pieces"


def _block(fence: re.Match[str], body: str) -> Iterator[str]:
    if fence["info"].lower() not in _OTHER and body.strip():
        yield _dedented(body)


def _dedented(body: str) -> str:
    return textwrap.dedent(_INDENTATION.sub(lambda found: found[0].replace("\xa0", " "), body)).strip("\n") + "\n"


def _unfenced(text: str, entry_point: str) -> str:
    """The lines around the function where nothing is fenced: from the first line of code to the last."""
    lines = text.split("\n")
    head = re.compile(rf"\s*(async\s+)?(def|class)\s+{re.escape(entry_point)}\b|\s*{re.escape(entry_point)}\s*=")
    at = next((number for number, line in enumerate(lines) if head.match(line)), None)
    if at is None:
        return ""
    first = at
    indent = len(lines[at]) - len(lines[at].lstrip())
    while first > 0 and _is_code(lines[first - 1], indent):
        first -= 1
    last = at + 1
    while last < len(lines) and _is_code(lines[last], indent):
        last += 1
    for more in range(last, min(last + _LOOKED_ON, len(lines)) + 1):  # a string or a bracket may be open at the line
        longer = _dedented("\n".join(lines[first:more]))
        if _state(longer, entry_point) == "whole":
            last = more
            while last < len(lines) and _is_code(lines[last], indent):
                last += 1
            break
    return _dedented("\n".join(lines[first:last]))


_STATEMENT: Final = re.compile(r"(async\s+def|def|class|import|from|@\w|#|[A-Za-z_]\w*\s*(:[^=]+)?=[^=]|[)\]}])")


def _is_code(line: str, indent: int) -> bool:
    return not line.strip() or line[: indent + 1].strip() == "" or bool(_STATEMENT.match(line[indent:]))


@functools.cache
def _parser() -> Parser:
    try:
        import tree_sitter_python
        from tree_sitter import Language, Parser
    except ImportError as error:
        raise UsageError(
            f"programs are found in replies with tree-sitter, which is not installed ({error.name})",
            "pip install 'wizard-harness[code]'",
        ) from error
    return Parser(Language(tree_sitter_python.language()))


def _pieces(block: str) -> list[_Piece]:
    source = block.encode("utf-8", "replace")
    found = []
    for node in _parser().parse(source).root_node.children:
        inner = node.children[0] if node.type == "expression_statement" and node.children else node
        if node.type in _DEFINITIONS or node.type in _IMPORTS or inner.type in _ASSIGNMENTS:
            kind = "import" if node.type in _IMPORTS else "definition" if node.type in _DEFINITIONS else "assignment"
        elif node.type in ("try_statement", "if_statement") and _guards_imports(node):
            kind = "import"
        elif node.type in _FILLING or inner.type == "call":
            kind = "statement"
        else:
            continue
        names = frozenset(_names(inner))
        uses = frozenset(_identifiers(node)) - (names if kind == "import" else frozenset())
        text = source[node.start_byte : node.end_byte].decode("utf-8", "replace")
        found.append(_Piece(kind, names, uses, text, not node.has_error and not _is_stub(node)))
    return found


def _is_stub(node: Node) -> bool:
    """Whether a function has no body, or one that does nothing: a signature that a reply shows once more."""
    inner = node.child_by_field_name("definition") if node.type == "decorated_definition" else node
    if inner is None or inner.type != "function_definition":
        return False
    body = inner.child_by_field_name("body")
    said = [] if body is None else [one for one in body.named_children if one.type != "comment"]
    return all(
        one.type == "pass_statement"
        or (
            one.type == "expression_statement"
            and one.named_children
            and one.named_children[0].type in ("string", "ellipsis")
        )
        for one in said
    )


def _guards_imports(node: Node) -> bool:
    """Whether a guard holds nothing but imports, so that it can be kept."""
    leaves = [child for block in _walk(node) if block.type == "block" for child in block.named_children]
    allowed = _IMPORTS | {"pass_statement", "expression_statement", "comment"}
    return any(leaf.type in _IMPORTS for leaf in leaves) and all(leaf.type in allowed for leaf in leaves)


def _names(node: Node) -> Iterator[str]:
    """What a statement defines."""
    if node.type == "decorated_definition":
        inner = node.child_by_field_name("definition")
        if inner is not None:
            yield from _names(inner)
    elif node.type in ("function_definition", "class_definition"):
        name = node.child_by_field_name("name")
        if name is not None:
            yield _text(name)
    elif node.type in _ASSIGNMENTS:
        left = node.child_by_field_name("left")
        if left is not None:
            yield from _identifiers(left)


def _identifiers(node: Node) -> Iterator[str]:
    for one in _walk(node):
        if one.type == "identifier":
            yield _text(one)


def _walk(node: Node) -> Iterator[Node]:
    """A node and all below it; without recursion, for replies nest as deep as they like."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(one.children)


def _text(node: Any) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _choose(blocks: list[list[_Piece]], entry_point: str) -> int | None:
    """The block whose function counts: the last whole one, for later blocks correct earlier ones; else the last."""
    having = [at for at, pieces in enumerate(blocks) if any(entry_point in piece.names for piece in pieces)]
    whole = [at for at in having if all(piece.sound for piece in blocks[at] if entry_point in piece.names)]
    found = whole or having
    return found[-1] if found else None


def _assemble(blocks: list[list[_Piece]], chosen: int, entry_point: str) -> str:
    """The chosen block's pieces and, for what it lacks, those of the other blocks: earlier ones first."""
    order = [chosen, *range(chosen - 1, -1, -1), *range(chosen + 1, len(blocks))]
    kept = _needed(blocks, order, {entry_point})
    # A statement that fills a table which is kept is kept, too.
    while True:
        tables = {
            name for at, place in kept if blocks[at][place].kind == "assignment" for name in blocks[at][place].names
        }
        more = {
            (chosen, place)
            for place, piece in enumerate(blocks[chosen])
            if piece.kind == "statement"
            and piece.sound
            and not piece.uses & (_IDLE | {entry_point})
            and (piece.uses & tables or "setrecursionlimit" in piece.uses)
        } - kept
        if not more:
            break
        kept |= more | _needed(blocks, order, {name for _, place in more for name in blocks[chosen][place].uses})
    # A definition that nothing calls does no harm, and tests may need it (a class of what the function is given).
    kept |= {
        (chosen, place) for place, piece in enumerate(blocks[chosen]) if piece.kind == "definition" and piece.sound
    }
    for at in (*range(chosen), chosen):
        kept |= {(at, place) for place, piece in enumerate(blocks[at]) if piece.kind == "import"}
    # Definitions of other blocks come before the chosen block's own, which may use them at once.
    places = sorted(kept, key=lambda one: (one[0] == chosen, one[0] > chosen, one))
    texts = dict.fromkeys(blocks[at][place].text for at, place in places)
    future = [text for text in texts if text.startswith("from __future__")]
    return "\n\n".join([*future, *(text for text in texts if text not in future)]) + "\n"


def _needed(blocks: list[list[_Piece]], order: list[int], names: set[str]) -> set[tuple[int, int]]:
    """The pieces that define names, and what those need; each name's in the first block of the order that has it."""
    wanted, waiting = set(names), sorted(names)
    kept: set[tuple[int, int]] = set()
    while waiting:
        name = waiting.pop()
        home = next((at for at in order if any(_defines(piece, name) for piece in blocks[at])), None)
        if home is None:
            continue
        for place, piece in enumerate(blocks[home]):
            if _defines(piece, name) and (home, place) not in kept:
                kept.add((home, place))
                fresh = piece.uses - wanted
                wanted |= fresh
                waiting.extend(sorted(fresh))
    return kept


def _defines(piece: _Piece, name: str) -> bool:
    return piece.kind != "import" and name in piece.names

"""Top-level statements of Python, by tree-sitter: it parses what is broken and what is prose as well."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from harness.errors import UsageError

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_FUNCTIONS: Final = frozenset({"function_definition", "class_definition", "decorated_definition"})
_IMPORTS: Final = frozenset({"import_statement", "import_from_statement", "future_import_statement"})
_ASSIGNMENTS: Final = frozenset({"assignment", "augmented_assignment", "type_alias_statement"})
_LOOPS: Final = frozenset({"for_statement", "while_statement"})
_BRANCHING: Final = frozenset({"if_statement", "try_statement", "with_statement"})
_COMPOUND: Final = _LOOPS | _BRANCHING
_BESIDE_IMPORTS: Final = _IMPORTS | _FUNCTIONS | {"pass_statement", "expression_statement", "comment"}
_CONSTANTS: Final = frozenset(
    {"integer", "float", "string", "concatenated_string", "true", "false", "none", "list", "dictionary", "set", "tuple"}
)


class Piece(msgspec.Struct, frozen=True):
    """A top-level statement that may be kept.

    Attributes:
        kind: What it is; an import may be guarded, a statement may define names in its branches.
        names: What it defines.
        imports: What it imports, by the names that it gives to it.
        uses: All names that it mentions (of an import, none of those that it defines; of an assignment to names, those
            of its value).
        text: As it is written.
        sound: Whether it is whole, and more than a stub: a body that does nothing, or a name for a constant.
    """

    kind: Literal["import", "definition", "assignment", "statement"]
    names: frozenset[str]
    imports: frozenset[str]
    uses: frozenset[str]
    text: str
    sound: bool


@functools.lru_cache(maxsize=4)
def pieces(block: str) -> tuple[Piece, ...]:
    """The statements of a block that define, import, call, branch or loop; all others are left out.

    Raises:
        UsageError: tree-sitter is not installed.
    """
    source = block.encode("utf-8", "replace")
    found = []
    for node in _parser().parse(source).root_node.children:
        inner = node.children[0] if node.type == "expression_statement" and node.children else node
        kind = _kind(node, inner)
        if kind is None:
            continue
        names = frozenset(_names(inner))
        imports = frozenset(_imports(node) if kind == "import" and not node.has_error else ())
        uses = frozenset(_uses(inner) if inner.type == "assignment" else _identifiers(node))
        if kind == "import":
            uses -= names
        text = source[node.start_byte : node.end_byte].decode("utf-8", "replace")
        found.append(Piece(kind, names, imports, uses, text, not node.has_error and not _is_stub(inner)))
    return tuple(found)


def state(block: str, name: str) -> Literal["absent", "in pieces", "whole"]:
    """Whether a block defines a name, and ends all of its definitions."""
    if name not in block:
        return "absent"
    mine = [piece for piece in pieces(block) if name in piece.names]
    return "absent" if not mine else "whole" if all(piece.sound for piece in mine) else "in pieces"


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


def _kind(node: Node, inner: Node) -> Literal["import", "definition", "assignment", "statement"] | None:
    if node.type in _IMPORTS or (node.type in ("try_statement", "if_statement") and _guards_imports(node)):
        return "import"
    if node.type in _FUNCTIONS:
        return "definition"
    if inner.type in _ASSIGNMENTS:
        bare = inner.type == "assignment" and inner.child_by_field_name("right") is None  # an annotation
        return None if bare else "assignment"
    return "statement" if node.type in _COMPOUND | {"delete_statement"} or inner.type == "call" else None


def _guards_imports(node: Node) -> bool:
    """Whether a guard holds nothing but imports and what stands in for them, so that it can be kept."""
    inside = list(_branches(node))
    return any(one.type in _IMPORTS for one in inside) and all(one.type in _BESIDE_IMPORTS for one in inside)


def _branches(node: Node) -> Iterator[Node]:
    """The statements in the branches of a compound statement, however deep, but not those inside of definitions."""
    waiting = list(node.children)
    while waiting:
        one = waiting.pop()
        if one.type == "block":
            for child in one.named_children:
                if child.type in _COMPOUND:
                    waiting.append(child)
                else:
                    yield child
        elif one.type.endswith("_clause"):
            waiting.extend(one.children)


def _is_stub(node: Node) -> bool:
    """Whether a function has no body or one that does nothing, or the name of one is given to a constant."""
    if node.type == "assignment":
        left, right = (node.child_by_field_name(side) for side in ("left", "right"))
        return left is not None and left.type == "identifier" and right is not None and right.type in _CONSTANTS
    inner = node.child_by_field_name("definition") if node.type == "decorated_definition" else node
    if inner is None or inner.type != "function_definition":
        return False
    body = inner.child_by_field_name("body")
    return body is None or all(_does_nothing(one) for one in body.named_children)


def _does_nothing(node: Node) -> bool:
    if node.type == "raise_statement":
        return "NotImplementedError" in _text(node)
    if node.type == "expression_statement":
        return bool(node.named_children) and node.named_children[0].type in ("string", "ellipsis")
    return node.type in ("pass_statement", "comment")


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
        one: Node | None = node
        while one is not None and one.type in _ASSIGNMENTS:  # a = b = value
            left = one.child_by_field_name("left")
            if left is not None:
                yield from _identifiers(left)
            one = one.child_by_field_name("right")
    elif node.type in _COMPOUND:
        for one in _branches(node):
            if one.type in _FUNCTIONS or (node.type in _BRANCHING and one.type == "expression_statement"):
                yield from _names(one.children[0] if one.type == "expression_statement" else one)


def _imports(node: Node) -> Iterator[str]:
    """The names that an import, or those inside of a guard, give to what they import."""
    for one in (node,) if node.type in _IMPORTS else _branches(node):
        for name in one.children_by_field_name("name") if one.type in _IMPORTS else ():
            yield _text(name.child_by_field_name("alias") or name.children[0])  # of a.b, a


def _uses(node: Node) -> Iterator[str]:
    """The names that an assignment mentions, but for those that it gives to its value."""
    left = node.child_by_field_name("left")
    given = left is not None and all(one.type in ("identifier", ",") for one in left.children)
    for one in node.children:
        if not given or one != left:
            yield from _identifiers(one)


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

"""Reading an answer: what form it has. `forms` says which there are, `scalar` reads single values."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Final

from harness.scorers.math.expression import Node, parse
from harness.scorers.math.forms import (
    CHOICES,
    Collection,
    Expression,
    Form,
    Group,
    Items,
    Matrix,
    Member,
    Reals,
    Relation,
    Union,
    Without,
    Words,
)
from harness.scorers.math.latex import Token, tokens
from harness.scorers.math.limits import DEEPEST, TooLargeError, UnreadableError
from harness.scorers.math.scalar import read_scalar, wording

_OPEN: Final = frozenset({"(", "[", "{", "\\{", "<<"})
_CLOSE: Final = frozenset({")", "]", "}", "\\}", ">>"})
_SIGNS: Final = frozenset({"=", "<", ">", "le", "ge", "ne", "in", "approx", "equiv", "cong", "sim", "simeq", "colon"})
_TURNED: Final = {">": "<", "ge": "le"}
_JOINS: Final = frozenset({"and", "or", "&"})
_EMPTY: Final = frozenset({"emptyset"})
_NO_SOLUTION: Final = frozenset({"nosolution", "nosolutions", "norealsolution", "norealsolutions"})
_MATRICES: Final = frozenset({"pmatrix", "bmatrix", "Bmatrix", "matrix", "smallmatrix", "array"})
_LEADING: Final = frozenset(
    {"answer", "final", "the", "is", "so", "thus", "therefore", "hence", "there", "are", "we", "get", "have", "exactly",
     "total", "of", "option", "choice", "point", "points", "value", "only", "solution", "solutions"}
)  # fmt: skip
_CHOICE: Final = re.compile(rf"(\(?)([{''.join(sorted(CHOICES))}])\)")
_EQUALS: Final = frozenset({"=", "approx"})


@functools.lru_cache(maxsize=8192)
def read(text: str) -> Form:
    """What an answer is.

    Raises:
        TooLargeError: It is longer or deeper than any answer.
    """
    try:
        found = _trimmed(tokens(text))
        return _chosen(found) or _read(found, 0)
    except TooLargeError:
        raise
    except UnreadableError:
        return Words("".join(text.split()).lower(), unread=True)


def _chosen(found: Sequence[Token]) -> Form | None:
    """A letter of a choice with its closing bracket and what stands there: ``(C) 5``, ``C) even``, ``C)``."""
    match = _CHOICE.match("".join(token.text for token in found[:3]))
    if match is None:
        return None
    rest = found[1 if found[0].kind == "text" else len(match[0]) :]
    if match[1] and not (rest and rest[0].spaced and rest[0].kind in ("number", "text", "letters")):
        return None  # a factor, or a letter in brackets and no more
    return Expression(Node("symbol", name=match[2]))


def _read(found: Sequence[Token], depth: int) -> Form:
    if depth > DEEPEST:
        raise TooLargeError("nested too deeply")
    found = _trimmed(_unwrapped(_trimmed(found)))
    if not found:
        return Words("")
    if len(found) == 1 and found[0].kind == "text":
        return _read_text(found[0].text, depth)
    found, grouped = _joined_thousands(found)
    parts = _split(found, _is_separator)
    if len(parts) > 1:
        return _items([_read(part, depth + 1) for part in parts if part])
    bracketed = found[0].text in _OPEN and found[0].kind != "text" and _closing(found, 0) == len(found) - 1
    signed = None if bracketed else _both_signs(found)
    if signed is not None:
        return _items([_read(each, depth + 1) for each in signed])
    for marker, kind in (("cup", Union), ("setminus", Without)):
        parts = _split(found, _named(marker))
        if len(parts) > 1 and all(parts):
            forms = tuple(_read(part, depth + 1) for part in parts)
            return Union(forms) if kind is Union else Without(forms[0], forms[1])
    if any(token.text in _SIGNS for token in found):
        relation = _relation(found, depth)
        if relation is not None:
            return relation
    return _read_one(found, depth, grouped=grouped)


def _read_one(found: Sequence[Token], depth: int, *, grouped: bool) -> Form:
    """A single thing: in brackets, a matrix, or a value."""
    first = found[0]
    if [token.text for token in found] in (["mathbb", "{", "R", "}"], ["mathbb", "R"]):
        return Reals()
    if len(found) == 1 and first.kind == "command" and first.text in _EMPTY:
        return Collection(())
    if any(token.kind == "begin" and token.text in _MATRICES for token in found):
        matrix = _matrix(found)
        if matrix is not None:
            return matrix
    if first.kind in ("symbol", "command") and first.text in _OPEN and _closing(found, 0) == len(found) - 1:
        inside = found[1:-1]
        close = found[-1].text
        if first.text == "\\{":
            return _collection(inside, depth)
        parts = _split(inside, lambda token: token.text in (",", ";") and token.kind == "symbol")
        if len(parts) > 1:
            return Group(first.text, close, tuple(_read(part, depth + 1) for part in parts))
        if (first.text, close) in (("(", ")"), ("<<", ">>")):
            return _read(inside, depth + 1)
    form = read_scalar(found, grouped=grouped)
    if isinstance(form, Words) and form.text in ("allrealnumbers", "allreals", "realnumbers"):
        return Reals()
    if isinstance(form, Words) and form.text in _NO_SOLUTION:
        return Collection(())
    return form


def _read_text(text: str, depth: int) -> Form:
    r"""The content of a single ``\text{...}``: words, unless it is what stands outside of one elsewhere."""
    inner = _trimmed(tokens(text))
    if not inner or any(token.kind == "text" for token in inner):
        return Words(wording([Token("text", text)]))
    return _read(inner, depth + 1)


def _collection(inside: Sequence[Token], depth: int) -> Form:
    if not inside:
        return Collection(())
    for bar in ("|", ":"):
        parts = _split(inside, _named(bar))
        if len(parts) == 2 and all(parts) and any(token.text in _SIGNS for token in parts[1]):
            return _read(parts[1], depth + 1)
    form = _read(inside, depth + 1)
    return Collection(form.items) if isinstance(form, Items) else Collection((form,))


def _items(forms: Sequence[Form]) -> Form:
    """Several answers: nested lists are one, and ``x = 1, x = 2`` (or ``x = 1, 2``) is a list of values."""
    flat: list[Form] = []
    for form in forms:
        flat += form.items if isinstance(form, Items) else [form]
    if len(flat) == 1:
        return flat[0]
    named = [_assigned(form) for form in flat]
    names = {name[0] for name in named if name is not None}
    values = [form if name is None else Expression(name[1]) for name, form in zip(named, flat, strict=True)]
    if len(names) == 1 and named[0] is not None and all(isinstance(value, Expression) for value in values):
        return Items(tuple(values))
    return Items(tuple(flat))


def _assigned(form: Form) -> tuple[str, Node] | None:
    """Name and value of ``x = 5``; None for any other form."""
    if isinstance(form, Relation) and form.signs == ("=",) and form.sides[0].op == "symbol":
        return form.sides[0].name, form.sides[1]
    return None


def _relation(found: Sequence[Token], depth: int) -> Form | None:
    """A relation, a membership, or what is said to be equal to a name; None where the parts are no expressions."""
    sides: list[Sequence[Token]] = []
    signs: list[str] = []
    start, level = 0, 0
    for place, token in enumerate(found):
        level += _step(token)
        if level == 0 and token.text in _SIGNS and token.kind in ("symbol", "command"):
            sides.append(found[start:place])
            signs.append(token.text)
            start = place + 1
    sides.append(found[start:])
    if not signs or not all(sides):
        return None
    if signs == ["approx"] and len(sides[0]) == 1 and sides[0][0].kind == "letters":
        signs = ["="]  # a name for the value
    if "approx" in signs:
        return _read(found[: _offset(sides, signs.index("approx"))], depth + 1)
    if signs == ["in"]:
        inside = _read(sides[1], depth + 1)
        return inside if isinstance(inside, Collection) else Member(wording(sides[0]), inside)
    signs = ["=" if sign in ("equiv", "cong", "sim", "simeq") else sign for sign in signs]
    try:
        nodes = [_side(side) for side in sides]
    except TooLargeError:
        raise
    except UnreadableError:
        return _read(sides[-1], depth + 1) if set(signs) == {"="} else None
    if all(sign in _TURNED or sign == "=" for sign in signs) and any(sign in _TURNED for sign in signs):
        nodes.reverse()
        signs = [_TURNED.get(sign, sign) for sign in reversed(signs)]
    return Relation(tuple(nodes), tuple(signs))


def _offset(sides: Sequence[Sequence[Token]], index: int) -> int:
    return sum(len(side) + 1 for side in sides[: index + 1]) - 1


def _side(side: Sequence[Token]) -> Node:
    form = read_scalar(_unwrapped(side))
    if isinstance(form, Expression):
        return form.node
    return parse(side)


def _matrix(found: Sequence[Token]) -> Form | None:
    r"""A matrix, with a factor before it or a ``^T`` behind it; None where it is part of something else."""
    start = next(place for place, token in enumerate(found) if token.kind == "begin")
    end = next((place for place, token in enumerate(found) if token.kind == "end"), None)
    if end is None or any(token.kind == "begin" for token in found[start + 1 :]):
        return None
    before, after = list(found[:start]), found[end + 1 :]
    inside = found[start + 1 : end]
    if found[start].text == "array" and inside and inside[0].text == "{":
        inside = inside[_closing(inside, 0) + 1 :]
    if before and after and before[-1].text in ("(", "[") and after[0].text in (")", "]"):
        before, after = before[:-1], after[1:]
    rows = [
        tuple(parse(cell) for cell in _split(row, lambda token: token.text == "&"))
        for row in _split(inside, lambda token: token.text == "\\\\")
        if row and not all(token.text == "hline" for token in row)
    ]
    if not rows or len({len(row) for row in rows}) != 1:
        return None
    if [token.text for token in after] in (["^", "T"], ["^", "{", "T", "}"], ["^", "top"]):
        rows, after = list(zip(*rows, strict=True)), ()
    if after:
        return None
    if before:
        factor = parse(
            [token for token in before if token.text not in ("cdot", "*")] if len(before) > 1 else _one(before)
        )
        rows = [tuple(Node("*", (factor, cell)) for cell in row) for row in rows]
    return Matrix(tuple(rows))


def _one(before: Sequence[Token]) -> Sequence[Token]:
    """The factor of a matrix; a lone sign stands for a one."""
    return [*before, Token("number", "1")] if before[0].text in ("-", "+") else before


def _both_signs(found: Sequence[Token]) -> tuple[Sequence[Token], Sequence[Token]] | None:
    r"""Both readings of an answer with ``\pm``; ``\mp`` is the other sign."""
    if not any(token.kind == "command" and token.text in ("pm", "mp") for token in found):
        return None
    plus = {"pm": "+", "mp": "-"}
    minus = {"pm": "-", "mp": "+"}

    def signed(signs: dict[str, str]) -> list[Token]:
        return [
            Token("symbol", signs[t.text], t.spaced) if t.kind == "command" and t.text in signs else t for t in found
        ]

    return signed(plus), signed(minus)


def _joined_thousands(found: Sequence[Token]) -> tuple[Sequence[Token], bool]:
    """``12,345`` and ``12 345`` outside of brackets as one number; whether there was one with commas."""
    joined: list[Token] = []
    grouped = False
    level = place = 0
    while place < len(found):
        token = found[place]
        level += _step(token)
        if level == 0 and token.kind == "number" and token.text.isdigit() and len(token.text) <= 3:
            end = _thousands_end(found, place)
            if end > place + 1:
                joined.append(
                    Token("number", "".join(t.text for t in found[place:end] if t.kind == "number"), token.spaced)
                )
                grouped |= any(t.text == "," for t in found[place:end])
                place = end
                continue
        joined.append(token)
        place += 1
    return joined, grouped


def _thousands_end(found: Sequence[Token], start: int) -> int:
    """Where the groups of three digits that begin at ``start`` end; ``start + 1`` where there are none."""
    before = found[start - 1].text if start else ""
    if before == "," or found[start].text.startswith("0"):
        return start + 1
    at = start + 1
    comma = at < len(found) and found[at].text == ","
    while at < len(found):
        here = at + 1 if comma else at
        if here >= len(found) or (comma and found[at].text != ","):
            break
        digits = found[here]
        if digits.kind != "number" or len(digits.text.partition(".")[0]) != 3 or digits.spaced == comma:
            break
        at = here + 1
        if "." in digits.text:
            break
    if at == start + 1 or (at < len(found) and found[at].text in (",", "/", "_")):
        return start + 1
    return at


def _named(text: str) -> Callable[[Token], bool]:
    """Whether a token is a sign or command of that name."""
    return lambda token: token.kind in ("symbol", "command") and token.text == text


def _is_separator(token: Token) -> bool:
    if token.kind == "symbol":
        return token.text in (",", ";", "&")
    return token.text.lower().strip(" ,") in _JOINS


def _split(found: Sequence[Token], at: Callable[[Token], bool]) -> list[Sequence[Token]]:
    """Split outside of brackets and environments."""
    parts: list[Sequence[Token]] = []
    start, level = 0, 0
    for place, token in enumerate(found):
        level += _step(token)
        if level == 0 and at(token):
            parts.append(found[start:place])
            start = place + 1
    parts.append(found[start:])
    return parts


def _step(token: Token) -> int:
    if token.kind == "begin" or (token.text in _OPEN and token.kind != "text"):
        return 1
    if token.kind == "end" or (token.text in _CLOSE and token.kind != "text"):
        return -1
    return 0


def _closing(found: Sequence[Token], start: int) -> int:
    level = 0
    for place in range(start, len(found)):
        level += _step(found[place])
        if level == 0:
            return place
    return -1


def _unwrapped(found: Sequence[Token]) -> Sequence[Token]:
    while (
        len(found) > 1 and found[0].text == "{" and found[0].kind == "symbol" and _closing(found, 0) == len(found) - 1
    ):
        found = found[1:-1]
    return found


def _trimmed(found: Sequence[Token]) -> Sequence[Token]:
    """Without punctuation at the ends and "the answer is" before."""
    start, end = 0, len(found)
    while end > start and (found[end - 1].text in (".", ",", ";", ":", '"', "?") and found[end - 1].kind == "symbol"):
        end -= 1
    if end > start and found[start].text == "'" == found[end - 1].text:
        start, end = start + 1, end - 1
    while start < end and found[start].text == '"':
        start += 1
    while start < end and _leads(found[start]):
        start += 1
        if start < end and found[start].text == ":":
            start += 1
    return found[start:end] if start < end else found[:end]


def _leads(token: Token) -> bool:
    """Whether a token only leads to the answer: "the answer is", a sign of equality with nothing before it."""
    if token.kind in ("text", "letters"):
        return all(word.strip(":,") in _LEADING for word in token.text.lower().split())
    return token.text in _EQUALS

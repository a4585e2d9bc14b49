"""What an answer can be, once read. Parts are forms again."""

from __future__ import annotations

from typing import Final, NamedTuple

from harness.scorers.math.expression import Node

CHOICES: Final = frozenset("ABCDEFGHIJ")
"""Letters of multiple-choice answers."""


class Expression(NamedTuple):
    """A number or an expression, with what stands beside it.

    Attributes:
        node: The expression.
        unit: Words and signs beside it, in one spelling (empty: none); ``%``, ``deg`` and ``currency`` are units.
        grouped: Digits with plain commas (``12,345``), which might have been a list.
    """

    node: Node
    unit: tuple[str, ...] = ()
    grouped: bool = False


class Words(NamedTuple):
    """Words, in one spelling; or mathematics that is not read here (a sum, an integral), which is ``unread``."""

    text: str
    unread: bool = False


class Based(NamedTuple):
    """Digits in a base: ``3032_5``. The base is None where it is not stated in digits."""

    digits: str
    base: int


class Clock(NamedTuple):
    """A time of day in minutes since midnight, or since noon or midnight where a.m. or p.m. is missing."""

    minutes: int
    half: str


class Ratio(NamedTuple):
    """``3:4:5``."""

    parts: tuple[Node, ...]


class Group(NamedTuple):
    """Bracketed and ordered: a point, a vector, an interval. ``open`` and ``close`` are the brackets."""

    open: str
    close: str
    items: tuple[Form, ...]


class Items(NamedTuple):
    """Several answers separated by commas, in no order."""

    items: tuple[Form, ...]


class Collection(NamedTuple):
    """A set in braces."""

    items: tuple[Form, ...]


class Union(NamedTuple):
    """Sets joined by a union sign."""

    parts: tuple[Form, ...]


class Without(NamedTuple):
    """A set without another."""

    whole: Form
    part: Form


class Reals(NamedTuple):
    """All real numbers."""

    name: str = "R"


class Matrix(NamedTuple):
    """Rows of expressions."""

    rows: tuple[tuple[Node, ...], ...]


class Relation(NamedTuple):
    """Expressions with a relation between each and the next: ``=``, ``<``, ``le``, ``ne`` (``>`` is turned round)."""

    sides: tuple[Node, ...]
    signs: tuple[str, ...]


class Member(NamedTuple):
    """A variable is in a set."""

    name: str
    place: Form


Form = (
    Expression
    | Words
    | Based
    | Clock
    | Ratio
    | Group
    | Items
    | Collection
    | Union
    | Without
    | Reals
    | Matrix
    | Relation
    | Member
)

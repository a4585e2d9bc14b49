"""Whether two values are the same number or expression, with their units."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from harness.scorers.math.algebra import Algebra, rational
from harness.scorers.math.expression import Node, number
from harness.scorers.math.forms import CHOICES, Expression
from harness.scorers.math.limits import TooLargeError, UndefinedError, UnreadableError
from harness.scorers.math.numeric import agree
from harness.scorers.math.units import LETTERS, Unit, unit
from harness.scorers.math.verdict import Verdict


def nodes(left: Node, right: Node) -> Verdict:
    """Compare two expressions: exactly where that decides, else by their values at several points."""
    if left == right:
        return Verdict(True, "same expression")
    if left.op == right.op == "number":
        return Verdict(left.number == right.number, "exact value")
    if _infinite(left) or _infinite(right):
        return Verdict(_infinite(left) == _infinite(right), "infinity")
    algebra = Algebra()
    try:
        if algebra.equal(left, right):
            return Verdict(True, "exact value")
        if algebra.exact:
            return Verdict(False, "exact value")
    except TooLargeError:
        return Verdict(False, "too large to compute, and written differently")
    except UndefinedError:
        return Verdict(False, "undefined")
    except UnreadableError:
        pass
    agreed = agree(left, right)
    return Verdict(bool(agreed), "no value at any point" if agreed is None else "values at points")


def _infinite(node: Node) -> int:
    """1 for infinity, -1 for minus infinity, 0 for all else."""
    if node.op == "neg":
        return -_infinite(node.args[0])
    return int(node.op == "symbol" and node.name == "infty")


def quantities(gold: Expression, answer: Expression) -> Verdict:
    """Compare two values with what stands beside them: a unit that only one has may be left out, two must agree."""
    verdict = nodes(gold.node, answer.node)
    if verdict.equal and len(_letters(gold.node)) > 2 and _letters(gold.node) != _letters(answer.node):
        return Verdict(False, "order of letters")
    if not verdict.equal and _word(gold.node) == _word(answer.node) and (len(_word(gold.node)) > 2 or _is_choice(gold)):
        return Verdict(True, "same words")
    one, other = unit(gold.unit), unit(answer.unit)
    if not gold.unit and not answer.unit:
        return verdict
    if one is not None and other is not None:
        return _with_units(gold, one, answer, other, verdict)
    if verdict.equal:
        if answer.unit == ("%",) and not gold.unit and _below_one(gold.node):
            return Verdict(False, "percent of another number")
        return Verdict(True, f"{verdict.rule}, unit left out")
    for with_unit, plain in ((gold, answer), (answer, gold)):
        scale = _PURE.get(with_unit.unit)
        if scale is not None and not plain.unit:
            converted = nodes(Node("*", (with_unit.node, scale)), plain.node)
            if converted.equal:
                return Verdict(True, f"{with_unit.unit[0]} as a number")
        letters = _in_letters(with_unit.unit)
        if letters is not None and not plain.unit and nodes(Node("*", (with_unit.node, letters)), plain.node).equal:
            return Verdict(True, "unit written as a letter")
    return verdict


def _in_letters(found: tuple[str, ...]) -> Node | None:
    """A unit as the product that it reads as where it is written in letters (``m/s^2``); None where it is not."""
    product: Node | None = None
    over = False
    for word in found:
        if word == "/":
            over = True
        elif word in ("2", "3") and product is not None:
            head, last = (product.args[0], product.args[1]) if product.op in ("*", "/") else (None, product)
            power = Node("^", (last, number(int(word))))
            product = power if head is None else Node(product.op, (head, power))
        elif len(letter := LETTERS.get(word, word)) == 1:
            symbol = Node("symbol", name=letter)
            product = symbol if product is None else Node("/" if over else "*", (product, symbol))
        else:
            return None
    return product


def _word(node: Node) -> str:
    """A short word that was read as a product of its letters (``Ann``), in lower case; empty for anything else."""
    if node.op == "*":
        head, rest = _word(node.args[0]), _word(node.args[1])
        return head + rest if head and rest else ""
    return node.name.lower() if node.op == "symbol" and len(node.name) == 1 else ""


def _is_choice(gold: Expression) -> bool:
    return gold.node.op == "symbol" and gold.node.name in CHOICES


def _letters(node: Node) -> str:
    """Capitals side by side, which are no product (``ACF``: statements, corners); empty for anything else."""
    if node.op == "*":
        head, rest = _letters(node.args[0]), _letters(node.args[1])
        return head + rest if head and rest else ""
    return node.name if node.op == "symbol" and len(node.name) == 1 and node.name.isupper() else ""


_PURE: Final[dict[tuple[str, ...], Node]] = {
    ("%",): number(Fraction(1, 100)),
    ("percent",): number(Fraction(1, 100)),
    ("deg",): Node("/", (Node("symbol", name="pi"), number(180))),
    ("degree",): Node("/", (Node("symbol", name="pi"), number(180))),
}


def _below_one(node: Node) -> bool:
    value = rational(node)
    return value is not None and 0 < abs(value) < 1


def _with_units(gold: Expression, one: Unit, answer: Expression, other: Unit, verdict: Verdict) -> Verdict:
    if {one.dimension, other.dimension} == {"degree", "radian"}:
        turned = [
            Node("*", (s.node, _PURE[("deg",)])) if u.dimension == "degree" else s.node
            for s, u in ((gold, one), (answer, other))
        ]
        return Verdict(nodes(turned[0], turned[1]).equal, "converted units")
    if one.dimension != other.dimension or one.power != other.power:
        return Verdict(False, "another unit")
    if one.factor == other.factor:
        return verdict
    scaled = [Node("*", (side.node, number(each.factor))) for side, each in ((gold, one), (answer, other))]
    return Verdict(nodes(scaled[0], scaled[1]).equal, "converted units")

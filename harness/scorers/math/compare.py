"""Whether two forms say the same. Every decision has a name, which `harness show RUN ITEM` prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final

from harness.scorers.math.algebra import Algebra, rational
from harness.scorers.math.expression import FUNCTIONS, Node
from harness.scorers.math.forms import (
    Based,
    Clock,
    Collection,
    Expression,
    Form,
    Group,
    Items,
    Matrix,
    Ratio,
    Relation,
    Words,
)
from harness.scorers.math.limits import TooLargeError, UnreadableError
from harness.scorers.math.numeric import agree
from harness.scorers.math.realsets import intervals, is_set
from harness.scorers.math.values import nodes, quantities
from harness.scorers.math.verdict import Verdict

_MOST_ITEMS: Final = 64


def compare(gold: Form, answer: Form) -> Verdict:
    """Compare two answers that were read."""
    if gold == answer:
        return Verdict(True, "same form")
    for one, other in ((gold, answer), (answer, gold)):
        if isinstance(one, Expression) and one.grouped and isinstance(other, Items):
            return Verdict(_as_list(one, other), "thousands separator or list")
    kinds = (type(gold), type(answer))
    rule = _RULES.get(kinds)
    if rule is not None:
        return rule(gold, answer)
    mirrored = _RULES.get((kinds[1], kinds[0]))
    if mirrored is not None:
        return mirrored(answer, gold)
    if is_set(gold) or is_set(answer):
        return _sets(gold, answer)
    unread = any(isinstance(form, Words) and form.unread for form in (gold, answer))
    return Verdict(None if unread else False, "not read" if unread else "different kinds of answer")


def _all(verdicts: Sequence[Verdict], rule: str) -> Verdict:
    """Equal where all are; different where one is; else not decided."""
    found = {verdict.equal for verdict in verdicts}
    return Verdict(False if False in found else None if None in found else True, rule)


def _based(gold: Based, answer: Based) -> Verdict:
    return Verdict(gold == answer, "digits and base")


def _based_and_number(based: Based, plain: Expression) -> Verdict:
    """The base may be left out: the question has named it. The same number in base ten is another answer."""
    if plain.node.op == "neg" and plain.node.args[0].op == "number":
        value = -plain.node.args[0].number
    elif plain.node.op == "number":
        value = plain.node.number
    else:
        return Verdict(_spelled(plain.node) == based.digits, "digits, base left out")
    try:
        return Verdict(value == Fraction(based.digits), "digits, base left out")
    except ValueError:
        return Verdict(False, "digits, base left out")


def _number_and_based(plain: Expression, based: Based) -> Verdict:
    """A gold number without a base is in base ten, and digits of another base are another number."""
    same = _based_and_number(based, plain)
    value = rational(plain.node)
    ten = value is None or ("." not in based.digits and value == int(based.digits, based.base))
    return same._replace(equal=bool(same.equal) and ten)


def _spelled(node: Node) -> str:
    """Digits with letters as a product was read: ``2A5`` is 2 times A times 5."""
    if node.op == "*":
        return "".join(_spelled(argument) for argument in node.args)
    return node.name.upper() if node.op == "symbol" else str(node.number) if node.op == "number" else "?"


def _clocks(gold: Clock, answer: Clock) -> Verdict:
    return Verdict(gold == answer, "time of day")


def _clock_and_ratio(clock: Clock, ratio: Ratio) -> Verdict:
    hours, minutes = (rational(part) or 0 for part in ratio.parts) if len(ratio.parts) == 2 else (-1, 0)
    return Verdict(hours % 12 * 60 + minutes == clock.minutes, "time of day, half left out")


def _clock_and_number(clock: Clock, plain: Expression) -> Verdict:
    return Verdict(
        rational(plain.node) == clock.minutes // 60 and clock.minutes % 60 == 0, "time of day, half left out"
    )


def _ratios(gold: Ratio, answer: Ratio) -> Verdict:
    if len(gold.parts) != len(answer.parts):
        return Verdict(False, "length of a ratio")
    first = gold.parts[0], answer.parts[0]
    pairs = zip(gold.parts[1:], answer.parts[1:], strict=True)
    return _all([nodes(Node("*", (a, first[1])), Node("*", (b, first[0]))) for a, b in pairs], "ratio")


def _ratio_and_number(ratio: Ratio, plain: Expression) -> Verdict:
    if len(ratio.parts) != 2:
        return Verdict(False, "different kinds of answer")
    return nodes(Node("/", ratio.parts), plain.node)


def _words(gold: Words, answer: Words) -> Verdict:
    if gold.text == answer.text:
        return Verdict(True, "same words")
    return Verdict(None if gold.unread or answer.unread else False, "words")


def _groups(gold: Group, answer: Group) -> Verdict:
    if len(gold.items) != len(answer.items):
        return Verdict(False, "length of a tuple")
    brackets = (gold.open + gold.close).replace("<<", "(").replace(">>", ")")
    others = (answer.open + answer.close).replace("<<", "(").replace(">>", ")")
    if brackets != others:
        return Verdict(False, "open or closed brackets")
    return _ordered(gold.items, answer.items)


def _ordered(gold: Sequence[Form], answer: Sequence[Form]) -> Verdict:
    if len(gold) != len(answer):
        return Verdict(False, "length of a tuple")
    return _all([compare(a, b) for a, b in zip(gold, answer, strict=True)], "each part in order")


def _unordered(gold: Sequence[Form], answer: Sequence[Form]) -> Verdict:
    """Each part of one is a part of the other, and none is left over."""
    if len(gold) != len(answer):
        return Verdict(False, "number of answers")
    if len(gold) > _MOST_ITEMS:
        return Verdict(list(gold) == list(answer), "a long list")
    left = list(answer)
    for part in gold:
        place = next((n for n, other in enumerate(left) if compare(part, other).equal), None)
        if place is None:
            undecided = any(compare(part, other).equal is None for other in left)
            return Verdict(None if undecided else False, "each part in any order")
        del left[place]
    return Verdict(True, "each part in any order")


def _distinct(items: Sequence[Form]) -> list[Form]:
    found: list[Form] = []
    for item in items[:_MOST_ITEMS]:
        if not any(compare(item, other).equal for other in found):
            found.append(item)
    return found


def _lists(gold: Items, answer: Items) -> Verdict:
    if is_set(gold) or is_set(answer):
        return _sets(gold, answer)
    return _unordered(gold.items, answer.items)


def _collections(gold: Collection, answer: Collection) -> Verdict:
    return _unordered(_distinct(gold.items), _distinct(answer.items))


def _list_and_collection(items: Items, collection: Collection) -> Verdict:
    return _unordered(_distinct(items.items), _distinct(collection.items))


def _list_and_group(items: Items, group: Group) -> Verdict:
    """A tuple without its brackets, or with the names of its parts (``x = 1, y = 2``)."""
    if group.open + group.close not in ("()", "<<>>"):
        return Verdict(False, "different kinds of answer")
    values = _named_values(items.items)
    return _ordered(values or items.items, group.items)


def _named_values(items: Sequence[Form]) -> tuple[Form, ...] | None:
    """Values in the order of their variables' names, where every part is ``name = value``."""
    named = {}
    for item in items:
        if not (isinstance(item, Relation) and item.signs == ("=",) and item.sides[0].op == "symbol"):
            return None
        named[item.sides[0].name] = Expression(item.sides[1])
    return tuple(named[name] for name in sorted(named))


def _as_list(grouped: Expression, items: Items) -> bool:
    """Whether digits with commas were the list after all: ``70,110`` and ``70, 110``."""
    value = grouped.node.args[0] if grouped.node.op == "neg" else grouped.node
    if value.op != "number":
        return False
    digits = f"{int(value.number):,}".split(",")
    read = [int(part) for part in digits]
    read[0] = -read[0] if grouped.node.op == "neg" else read[0]
    others = [rational(item.node) if isinstance(item, Expression) else None for item in items.items]
    return None not in others and sorted(read) == sorted(other for other in others if other is not None)


def _one_in_collection(plain: Expression, collection: Collection) -> Verdict:
    return _unordered([plain], _distinct(collection.items))


def _relation_and_collection(relation: Relation, collection: Collection) -> Verdict:
    """``x = 2`` and the set of 2."""
    value = _named_values([relation])
    if value is None:
        return Verdict(False, "different kinds of answer")
    return _unordered(value, _distinct(collection.items))


def _matrices(gold: Matrix, answer: Matrix) -> Verdict:
    if [len(row) for row in gold.rows] != [len(row) for row in answer.rows]:
        return Verdict(False, "shape of a matrix")
    cells = zip((cell for row in gold.rows for cell in row), (cell for row in answer.rows for cell in row), strict=True)
    return _all([nodes(a, b) for a, b in cells], "each entry")


def _matrix_and_group(matrix: Matrix, group: Group) -> Verdict:
    """A vector as a tuple, or rows in brackets."""
    if all(isinstance(item, Group) for item in group.items):
        inner = [item.items for item in group.items if isinstance(item, Group)]
        rows = [tuple(cell.node for cell in row if isinstance(cell, Expression)) for row in inner]
        return _matrices(matrix, Matrix(tuple(rows)))
    cells = [row[0] for row in matrix.rows] if all(len(row) == 1 for row in matrix.rows) else list(matrix.rows[0])
    if len(matrix.rows) > 1 and any(len(row) > 1 for row in matrix.rows):
        return Verdict(False, "shape of a matrix")
    return _ordered([Expression(cell) for cell in cells], group.items)


def _matrix_and_value(matrix: Matrix, plain: Expression) -> Verdict:
    if matrix.rows and len(matrix.rows) == len(matrix.rows[0]) == 1:
        return nodes(matrix.rows[0][0], plain.node)
    return Verdict(False, "different kinds of answer")


def _sets(gold: Form, answer: Form) -> Verdict:
    try:
        one, other = intervals(gold), intervals(answer)
    except UnreadableError:
        return Verdict(False, "no set of numbers")
    if len(one) != len(other):
        return Verdict(False, "set of numbers")
    ends = []
    for a, b in zip(one, other, strict=True):
        if (a.closed_low, a.closed_high) != (b.closed_low, b.closed_high):
            return Verdict(False, "open or closed ends")
        ends += [nodes(a.low_node, b.low_node), nodes(a.high_node, b.high_node)]
    return _all(ends, "set of numbers")


# --- relations -------------------------------------------------------------------------------------------------------


def _relations(gold: Relation, answer: Relation) -> Verdict:
    if gold.signs == answer.signs and len(gold.sides) == len(answer.sides):
        same = _all([nodes(a, b) for a, b in zip(gold.sides, answer.sides, strict=True)], "both sides")
        if same.equal:
            return same
    if gold.signs == answer.signs == ("=",):
        return _equations(gold, answer)
    if is_set(gold) and is_set(answer):
        verdict = _sets(gold, answer)
        variables = _names(gold) == _names(answer)
        return verdict if variables else Verdict(False, "another variable")
    if gold.signs == ("=",) and set(answer.signs) == {"="}:
        ends = Relation((answer.sides[0], answer.sides[-1]), ("=",))
        return _relations(gold, ends)
    return Verdict(False, "both sides")


def _names(form: Relation) -> set[str]:
    return {side.name for side in form.sides if side.op == "symbol" and side.name not in ("pi", "e", "i", "infty")}


def _equations(gold: Relation, answer: Relation) -> Verdict:
    """The same solutions for certain: one equation is the other times a number."""
    first, second = (Node("+", (side.sides[0], Node("neg", (side.sides[1],)))) for side in (gold, answer))
    algebra = Algebra()
    try:
        if algebra.proportional(first, second):
            return Verdict(True, "equations in proportion")
        return Verdict(False, "equations in proportion")
    except TooLargeError:
        return Verdict(False, "too large to compute, and written differently")
    except UnreadableError:
        return Verdict(agree(first, second), "values at points")


def _relation_and_value(relation: Relation, plain: Expression) -> Verdict:
    """``x = 5`` and 5; ``2 + 3 = 5`` and 5; ``y = 2x`` and 2x."""
    if set(relation.signs) != {"="}:
        return Verdict(False, "different kinds of answer")
    verdict = nodes(relation.sides[-1], plain.node)
    if verdict.equal:
        named = _is_name(relation.sides[0])
        constant = nodes(relation.sides[0], relation.sides[-1]).equal
        if named or constant or len(relation.sides) > 2:
            return Verdict(True, "value of an equation")
        return Verdict(False, "an equation and a value")
    if relation.sides[-1].op == "symbol" and nodes(relation.sides[0], plain.node).equal:
        return Verdict(True, "value of an equation")
    return verdict


def _is_name(node: Node) -> bool:
    r"""Whether an answer may say what this is: ``x``, ``f(2)``, ``P(A)``, ``AB``, ``|z|``; not ``2x``, ``x + y``."""
    if node.op == "*":
        head, rest = node.args
        capital = head.op == "*" or (head.op == "symbol" and head.name[:1].isupper())
        return capital and _is_name(head) and (_is_name(rest) if rest.op != "number" else False)
    return node.op in ("symbol", "abs") or node.op.startswith("call ") or node.op in FUNCTIONS


_RULES: Final[dict[tuple[type, type], Callable[..., Verdict]]] = {
    (Expression, Expression): quantities,
    (Based, Based): _based,
    (Based, Expression): _based_and_number,
    (Expression, Based): _number_and_based,
    (Clock, Clock): _clocks,
    (Clock, Ratio): _clock_and_ratio,
    (Clock, Expression): _clock_and_number,
    (Ratio, Ratio): _ratios,
    (Ratio, Expression): _ratio_and_number,
    (Words, Words): _words,
    (Group, Group): _groups,
    (Items, Items): _lists,
    (Collection, Collection): _collections,
    (Items, Collection): _list_and_collection,
    (Items, Group): _list_and_group,
    (Expression, Collection): _one_in_collection,
    (Relation, Collection): _relation_and_collection,
    (Matrix, Matrix): _matrices,
    (Matrix, Group): _matrix_and_group,
    (Matrix, Expression): _matrix_and_value,
    (Relation, Relation): _relations,
    (Relation, Expression): _relation_and_value,
}

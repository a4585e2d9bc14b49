"""Reading one value: a number or an expression with its unit, digits in a base, a time, a ratio, or words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from harness.scorers.math.expression import Node, is_word, number, parse
from harness.scorers.math.forms import Based, Clock, Expression, Form, Ratio, Words
from harness.scorers.math.latex import Token
from harness.scorers.math.limits import TooLargeError, UnreadableError
from harness.scorers.math.units import SCALES, is_unit, words

_ONES: Final = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
]
_TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_COUNTED: Final = {
    **{word: value for value, word in enumerate(_ONES)},
    **{word: 10 * value for value, word in enumerate(_TENS, 2)},
    **{ten + one: 10 * n + m for n, ten in enumerate(_TENS, 2) for m, one in enumerate(_ONES[1:10], 1)},
}
_ARTICLES: Final = re.compile(r"\b(?:the|a|an|on|is|are)\b", re.IGNORECASE)
_NO_LETTER: Final = re.compile(r"[^a-z0-9()+\-*/^=<>_]")
_HALF: Final = re.compile(r"^([ap])\.?\s*m\.?$", re.IGNORECASE)
_BASE: Final = re.compile(r"^\(?\s*(?:in\s+)?base\s*[-_ ]?\s*([0-9]+|[a-z]+)\s*\)?$", re.IGNORECASE)
_UNREAD: Final = frozenset({"sum", "prod", "int", "lim", "max", "min", "gcd", "lcm", "det", "bmod", "pmod", "mod"})
_CURRENCIES: Final = frozenset({"currency", "euro", "sterling"})
_OPERATORS: Final = frozenset({"+", "-", "*", "/", "^", "_", "cdot", "("})


def read_scalar(found: Sequence[Token], *, grouped: bool = False) -> Form:
    """One value; `Words` where it is none that is read here.

    Raises:
        TooLargeError: It is too deep, or a number too long.
    """
    special = _clock(found) or _based(found) or _ratio(found)
    if special is not None:
        return special
    if len(found) <= 3 and (spelled := "".join(token.text for token in found).lower().replace("-", "")) in _COUNTED:
        return Expression(number(_COUNTED[spelled]))
    try:
        return _quantity(found, grouped)
    except TooLargeError:
        raise
    except UnreadableError:
        unread = any(token.kind == "command" and token.text in _UNREAD for token in found)
        return Words(wording(found), unread=unread)


def wording(found: Sequence[Token]) -> str:
    """Words in one spelling: lower case, without articles, spaces and punctuation."""
    text = " ".join(token.text for token in found)
    return _NO_LETTER.sub("", _ARTICLES.sub(" ", text.lower()))


def _quantity(found: Sequence[Token], grouped: bool) -> Expression:
    rest, unit = _without_signs(list(found))
    head, beside = _without_words(rest)
    if not head:
        raise UnreadableError("words only")
    node, of = parse(_mixed(head)), words(beside)
    while of and of[0] in SCALES:
        node, of = Node("*", (node, number(SCALES[of[0]]))), of[1:]
    return Expression(node, unit or of, grouped)


def _without_signs(rest: list[Token]) -> tuple[list[Token], tuple[str, ...]]:
    """Without a currency sign before, or a percent or degree sign behind."""
    for place in (0, 1):
        if len(rest) > place + 1 and rest[place].text in _CURRENCIES and (place == 0 or rest[0].text in ("-", "+")):
            return rest[:place] + rest[place + 1 :], (rest[place].text,)
    if len(rest) > 1 and rest[-1].text == "%":
        return rest[:-1], ("%",)
    if len(rest) > 1 and rest[-1].text in _CURRENCIES:
        return rest[:-1], (rest[-1].text,)
    if len(rest) > 2 and rest[-1].text in ("C", "F") and (rest[-2].text in ("circ", "deg") or rest[-3].text == "circ"):
        rest = rest[:-1]
    texts = [token.text for token in rest[-4:]]
    for sign in (["^", "{", "circ", "}"], ["^", "circ"], ["circ"], ["deg"]):
        if texts[-len(sign) :] == sign and len(rest) > len(sign):
            head = rest[: -len(sign)]
            # The sign belongs to the argument of a function: the cosine of 24 degrees is no angle.
            if not any(token.kind == "command" and token.text not in ("frac", "pi", "sqrt", "cdot") for token in head):
                return head, ("deg",)
    return rest, ()


def _without_words(rest: list[Token]) -> tuple[list[Token], str]:
    """Split at the first words outside of brackets: the value before them, and what it is of."""
    level = 0
    for place, token in enumerate(rest):
        level += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(token.text, 0) if token.kind == "symbol" else 0
        if place == 0 or level:
            continue
        if place == 1 and token.kind == rest[0].kind == "letters" and len(rest[0].text) > 1 and _is_beside(token.text):
            raise UnreadableError("a sentence")
        if token.kind == "text" or (token.kind == "letters" and len(token.text) > 1 and _is_beside(token.text)):
            if rest[place - 1].kind in ("symbol", "command") and rest[place - 1].text in _OPERATORS:
                break
            beside = rest[place:]
            beside = [t for t in beside if t.text not in ("{", "}")]
            powers = [n for n, t in enumerate(beside) if t.text in ("2", "3") and beside[n - 1].text == "^"]
            if any(t.kind == "number" and n not in powers for n, t in enumerate(beside)) or any(
                t.kind == "command" and t.text != "cdot" for t in beside
            ):
                break
            return rest[:place], " ".join(t.text for t in beside).replace(" ^ ", "^")
    return rest, ""


def _is_beside(run: str) -> bool:
    return is_unit(run) or is_word(run)


def _mixed(head: list[Token]) -> list[Token]:
    r"""``3 1/2`` as ``3\frac{1}{2}``."""
    at = 1 if head[0].text in ("-", "+") else 0
    kinds = [token.kind for token in head[at:]]
    if kinds != ["number", "number", "symbol", "number"] or head[at + 2].text != "/" or not head[at + 1].spaced:
        return head
    brace, end = Token("symbol", "{"), Token("symbol", "}")
    fraction = [Token("command", "frac"), brace, head[at + 1], end, brace, head[at + 3], end]
    return [*head[: at + 1], *fraction]


def _clock(found: Sequence[Token]) -> Form | None:
    """``4:30 p.m.``, ``8 a.m.``; a bare ``4:30`` is a ratio that may also be a time."""
    texts = [token.text for token in found]
    half = ""
    for tail in range(1, min(5, len(found))):
        match = _HALF.match("".join(texts[-tail:]).strip())
        if match:
            half, texts = match[1].lower(), texts[:-tail]
            break
    if not half:
        return None
    if len(texts) == 1 and texts[0].isdigit() and int(texts[0]) <= 12:
        return Clock(int(texts[0]) % 12 * 60, half)
    if (
        len(texts) == 3
        and texts[1] == ":"
        and texts[0].isdigit()
        and texts[2].isdigit()
        and len(texts[0] + texts[2]) <= 4
    ):
        return Clock(int(texts[0]) % 12 * 60 + int(texts[2]), half)
    return None


def _based(found: Sequence[Token]) -> Based | None:
    r"""``3032_5``, ``3032_{5}``, ``(3032)_5``, ``3032 \text{ (base 5)}``."""
    texts = [token.text for token in found]
    base: str | None = None
    if "_" in texts:
        at = texts.index("_")
        if any(token.kind not in ("number", "letters") and token.text not in "-(){}," for token in found[:at]):
            return None
        base = "".join(texts[at + 1 :]).strip("{}() ").lower().removeprefix("base").strip()
        texts = texts[:at]
    else:
        for at in range(1, len(found)):
            match = _BASE.match(" ".join(texts[at:]))
            if match and found[at].kind in ("text", "letters", "symbol"):
                base, texts = match[1].lower(), texts[:at]
                break
    if base is None:
        return None
    value = _COUNTED.get(base) if base.isalpha() else int(base) if base.isdigit() and len(base) < 3 else None
    digits = "".join(texts).strip("(){}").replace(",", "").upper()
    if value is None or not 2 <= value <= 36 or not re.fullmatch(r"-?[0-9A-Z]+(\.[0-9A-Z]+)?", digits):
        return None
    if not any(digit.isdigit() for digit in digits) and value <= 10:
        return None
    if any(int(digit, 36) >= value for digit in digits if digit not in "-."):
        return None
    return Based(re.sub(r"^(-?)0+(?=[0-9A-Z])", r"\1", digits), value)


def _ratio(found: Sequence[Token]) -> Ratio | None:
    parts: list[list[Token]] = [[]]
    for token in found:
        if (token.kind, token.text) in (("symbol", ":"), ("text", "to"), ("letters", "to")):
            parts.append([])
        else:
            parts[-1].append(token)
    if len(parts) < 2 or not all(parts):
        return None
    try:
        nodes: list[Node] = [parse(part) for part in parts]
    except TooLargeError:
        raise
    except UnreadableError:
        return None
    return Ratio(tuple(nodes))

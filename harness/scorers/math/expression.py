"""Expressions: a parser for the mathematics that answers contain. It builds a tree and computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from harness.scorers.math.latex import Token
from harness.scorers.math.limits import DEEPEST, TooLargeError, UnreadableError


class Node(NamedTuple):
    """A part of an expression.

    Attributes:
        op: ``number``, ``symbol``, ``+`` ``*`` ``/`` ``^``, ``neg``, ``root`` (degree, radicand), ``!`` or a
            function's name.
        args: Its operands.
        number: Of a ``number``.
        name: Of a ``symbol``.
    """

    op: str
    args: tuple[Node, ...] = ()
    number: Fraction = Fraction(0)
    name: str = ""


FUNCTIONS: Final = frozenset(
    {"sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "sinh", "cosh", "tanh", "log", "ln", "exp", "lg"}
)
_CALLED: Final = frozenset({"f", "g", "h"})
_CONSTANTS: Final = frozenset({"pi", "infty"})
_GREEK: Final = frozenset(
    {"alpha", "beta", "gamma", "delta", "epsilon", "theta", "lambda", "mu", "nu", "phi", "psi", "rho", "sigma", "tau",
     "omega", "Delta", "Gamma", "Omega", "Phi", "Theta", "ell", "zeta", "eta", "kappa", "xi", "chi"}
)  # fmt: skip
_CLOSE: Final = {"(": ")", "[": "]", "{": "}"}
_PLAIN: Final = {
    "sqrt": "sqrt", "pi": "pi", "cbrt": "cbrt", "theta": "theta", "alpha": "alpha", "beta": "beta", "arcsin": "asin",
    "arccos": "acos", "arctan": "atan", "abs": "abs", "infty": "infty", "frac": "frac", "binom": "binom",
}  # fmt: skip
_LONGEST_NUMBER: Final = 2_000
_LONGEST_PRODUCT: Final = 3
_SHORT_WORDS: Final = frozenset({"no", "yes", "odd", "dne"})


def number(value: int | Fraction) -> Node:
    """A number as a node."""
    return Node("number", number=Fraction(value))


def parse(found: Sequence[Token]) -> Node:
    """Parse tokens as one expression.

    Raises:
        UnreadableError: They are none; `TooLargeError` where they are nested too deeply.
    """
    if not found:
        raise UnreadableError("nothing")
    parser = _Parser(found)
    node = parser.whole(0)
    if parser.at != len(parser.tokens):
        raise UnreadableError(f"at {parser.tokens[parser.at].text!r}")
    return node


def fraction(text: str) -> Fraction:
    """The value of digits with an optional point.

    Raises:
        TooLargeError: There are thousands of digits.
    """
    if len(text) > _LONGEST_NUMBER:
        raise TooLargeError("too many digits")
    return Fraction(text)


class _Parser:
    """Recursive descent over tokens; ``at`` is the next one."""

    def __init__(self, found: Sequence[Token]) -> None:
        self.tokens = _split(found)
        self.at = 0

    def _peek(self, offset: int = 0) -> Token | None:
        place = self.at + offset
        return self.tokens[place] if place < len(self.tokens) else None

    def _is(self, *texts: str) -> bool:
        token = self._peek()
        return token is not None and token.text in texts and token.kind in ("symbol", "command")

    def _take(self, text: str) -> None:
        if not self._is(text):
            raise UnreadableError(f"no {text!r}")
        self.at += 1

    def whole(self, depth: int) -> Node:
        r"""What stands in brackets: a sum, or in TeX's own spelling the fraction ``1 \over 2``."""
        node = self.sum(depth)
        if self._is("over"):
            self.at += 1
            node = Node("/", (node, self.sum(depth)))
        return node

    def sum(self, depth: int, stop: str = "") -> Node:
        if depth > DEEPEST:
            raise TooLargeError("nested too deeply")
        terms = [self._signed(depth, stop)]
        while self._is("+", "-"):
            terms.append(self._signed(depth, stop))
        return terms[0] if len(terms) == 1 else Node("+", tuple(terms))

    def _signed(self, depth: int, stop: str) -> Node:
        negative = False
        while self._is("+", "-"):
            negative ^= self.tokens[self.at].text == "-"
            self.at += 1
        term = self._product(depth, stop)
        return Node("neg", (term,)) if negative else term

    def _product(self, depth: int, stop: str) -> Node:
        node = self._factor(depth, stop)
        while (token := self._peek()) is not None:
            if token.kind in ("symbol", "command") and token.text in ("*", "/", "cdot"):
                self.at += 1
                negative = self._is("-")
                if negative:
                    self.at += 1
                factor = self._factor(depth, stop)
                factor = Node("neg", (factor,)) if negative else factor
                node = Node("/" if token.text == "/" else "*", (node, factor))
            elif self._starts_factor(token, stop):
                if token.kind == node.op == self.tokens[self.at - 1].kind == "number":
                    raise UnreadableError("two numbers side by side")
                mixed = self._mixed(node, token)
                factor = self._factor(depth, stop)
                node = Node("+" if mixed and factor.op == "/" else "*", (node, factor))
            else:
                break
        return node

    def _mixed(self, node: Node, token: Token) -> bool:
        r"""Whether ``3\frac{1}{2}`` begins: an integer, and a fraction of two numbers."""
        if node.op != "number" or node.number.denominator != 1 or token.text != "frac":
            return False
        before = self.tokens[self.at - 1]
        if before.kind != "number" or (self.at >= 2 and self.tokens[self.at - 2].text in ("*", "/", "^", "cdot", "_")):
            return False
        rest = self.tokens[self.at + 1 : self.at + 7]
        digits = [token for token in rest[:6] if token.kind == "number"]
        return len(digits) >= 1 and not any(
            token.kind in ("letters", "command") for token in rest[: self._frac_length()]
        )

    def _frac_length(self) -> int:
        """Tokens of the two arguments of the fraction that begins here."""
        at, wanted = self.at + 1, 2
        while wanted and at < len(self.tokens):
            if self.tokens[at].text == "{":
                depth = 0
                while at < len(self.tokens):
                    depth += {"{": 1, "}": -1}.get(self.tokens[at].text, 0)
                    at += 1
                    if depth == 0:
                        break
                wanted -= 1
            else:
                wanted -= min(wanted, len(self.tokens[at].text))
                at += 1
        return at - self.at - 1

    def _starts_factor(self, token: Token, stop: str) -> bool:
        if token.kind in ("number", "letters"):
            return True
        if token.kind == "command":
            return token.text in FUNCTIONS | _CONSTANTS | _GREEK | {
                "frac",
                "sqrt",
                "cbrt",
                "abs",
                "binom",
                "lfloor",
                "lceil",
            }
        return token.text in ("(", "[", "{") or (token.text == "|" and stop != "|")

    def _factor(self, depth: int, stop: str) -> Node:
        node = self._postfix(self._atom(depth + 1, stop))
        if self._is("^"):
            self.at += 1
            # A degree sign inside an expression: the angle in radians.
            if self._degree():
                return Node("*", (node, Node("/", (Node("symbol", name="pi"), number(180)))))
            node = Node("^", (node, self._exponent(depth + 1, stop)))
        elif self._is("deg"):
            self.at += 1
            return Node("*", (node, Node("/", (Node("symbol", name="pi"), number(180)))))
        return self._postfix(node)

    def _degree(self) -> bool:
        if self._is("circ"):
            self.at += 1
            return True
        here, after, end = self._peek(), self._peek(1), self._peek(2)
        if here and after and end and (here.text, after.text, end.text) == ("{", "circ", "}"):
            self.at += 3
            return True
        return False

    def _exponent(self, depth: int, stop: str) -> Node:
        if self._is("{", "("):
            return self._atom(depth, stop)
        negative = self._is("-")
        if negative:
            self.at += 1
        node = self._atom(depth, stop)
        if self._is("^"):
            self.at += 1
            node = Node("^", (node, self._exponent(depth + 1, stop)))
        if depth > DEEPEST:
            raise TooLargeError("nested too deeply")
        return Node("neg", (node,)) if negative else node

    def _postfix(self, node: Node) -> Node:
        while self._is("!"):
            self.at += 1
            node = Node("!", (node,))
        return node

    def _atom(self, depth: int, stop: str) -> Node:
        if depth > DEEPEST:
            raise TooLargeError("nested too deeply")
        token = self._peek()
        if token is None:
            raise UnreadableError("it ends too early")
        self.at += 1
        if token.kind == "number":
            return number(fraction(token.text))
        if token.kind == "letters":
            return self._letter(token.text, depth)
        if token.kind == "command":
            return self._command(token.text, depth, stop)
        if token.kind == "symbol" and token.text in _CLOSE:
            node = self.whole(depth)
            self._take(_CLOSE[token.text])
            return node
        if token.kind == "symbol" and token.text == "|":
            node = self.sum(depth, "|")
            self._take("|")
            return Node("abs", (node,))
        raise UnreadableError(f"at {token.text!r}")

    def _letter(self, name: str, depth: int) -> Node:
        if self._is("_"):
            self.at += 1
            return Node("symbol", name=f"{name}_{self._subscript()}")
        if self._is("'"):
            self.at += 1
            name += "'"
        if name in _CALLED and self._is("("):
            return Node(f"call {name}", (self._atom(depth, ""),))
        return Node("symbol", name=name)

    def _subscript(self) -> str:
        token = self._peek()
        if token is None:
            raise UnreadableError("no subscript")
        self.at += 1
        if token.text != "{":
            return token.text
        parts = []
        while not self._is("}"):
            inner = self._peek()
            if inner is None:
                raise UnreadableError("no end of the subscript")
            parts.append(inner.text)
            self.at += 1
        self.at += 1
        return "".join(parts)

    def _command(self, name: str, depth: int, stop: str) -> Node:
        if name in _CONSTANTS or name in _GREEK:
            return self._letter(name, depth)
        if name == "frac":
            top = self._argument(depth)
            return Node("/", (top, self._argument(depth)))
        if name == "binom":
            top = self._argument(depth)
            return Node("binom", (top, self._argument(depth)))
        if name == "sqrt":
            degree = number(2)
            if self._is("["):
                self.at += 1
                degree = self.sum(depth)
                self._take("]")
            return Node("root", (degree, self._argument(depth, whole=True)))
        if name == "cbrt":
            return Node("root", (number(3), self._argument(depth, whole=True)))
        if name == "abs":
            return Node("abs", (self._argument(depth, whole=True),))
        if name in ("lfloor", "lceil"):
            node = self.sum(depth)
            self._take(name.replace("l", "r", 1))
            return Node("floor" if name == "lfloor" else "ceil", (node,))
        if name in FUNCTIONS:
            return self._function(name, depth, stop)
        raise UnreadableError(f"\\{name}")

    def _function(self, name: str, depth: int, stop: str) -> Node:
        base: Node | None = None
        power: Node | None = None
        while self._is("_", "^"):
            sign = self.tokens[self.at].text
            self.at += 1
            if sign == "_":
                base = self._argument(depth, whole=True)
            else:
                power = self._exponent(depth, stop)
        # As in print: sin 2x is sin(2x), and sin x cos x is a product.
        argument = self._atom(depth, stop) if self._is("(", "[", "{") else self._run(depth, stop)
        node = Node("log", (argument, base)) if name in ("log", "ln") and base is not None else Node(name, (argument,))
        return Node("^", (node, power)) if power is not None else node

    def _run(self, depth: int, stop: str) -> Node:
        """The argument of a function without brackets: factors up to a sign or the next function."""
        node = self._factor(depth + 1, stop)
        while (token := self._peek()) is not None:
            if token.kind == "symbol" and token.text == "/":
                self.at += 1
                node = Node("/", (node, self._factor(depth + 1, stop)))
            elif token.text not in FUNCTIONS and token.text not in ("(", "[") and self._starts_factor(token, stop):
                node = Node("*", (node, self._factor(depth + 1, stop)))
            else:
                break
        return node

    def _argument(self, depth: int, *, whole: bool = False) -> Node:
        r"""The argument of a command: a group, or one digit or letter (``\frac12``); of a root the whole number."""
        token = self._peek()
        if token is None:
            raise UnreadableError("an argument is missing")
        if token.kind == "number" and not whole and len(token.text) > 1 and token.text.isdigit():
            self.tokens[self.at] = Token("number", token.text[1:])
            return number(int(token.text[0]))
        if token.kind == "symbol" and token.text == "-":
            self.at += 1
            return Node("neg", (self._argument(depth, whole=whole),))
        return self._atom(depth + 1, "")


def _split(found: Sequence[Token]) -> list[Token]:
    """Runs of letters as what they are: a function's name, or a product of single letters."""
    parts: list[Token] = []
    for token in found:
        if token.kind != "letters" or len(token.text) == 1:
            parts.append(token)
            continue
        text = token.text
        while text:
            known = next((name for name in _KNOWN if text.startswith(name)), None)
            name = known or text[0]
            # The rest after a known name must be short, or it was a word: "sinister" is no sine.
            kind = "command" if known else "letters"
            parts.append(Token(kind, _PLAIN.get(name, name) if known else name, token.spaced))
            text = text[len(name) :]
        if sum(part.kind == "letters" for part in parts[-len(token.text) :]) > len(token.text):  # pragma: no cover
            raise UnreadableError(token.text)
        if is_word(token.text):
            raise UnreadableError(token.text)
    return parts


_KNOWN: Final = tuple(sorted({*FUNCTIONS, *_PLAIN}, key=len, reverse=True))


def is_word(run: str) -> bool:
    """Whether a run of letters is a word and no product of variables: longer than any product, and no function."""
    rest = run
    while rest:
        known = next((name for name in _KNOWN if rest.startswith(name)), None)
        if known is None:
            break
        rest = rest[len(known) :]
    return len(rest) > _LONGEST_PRODUCT or rest.lower() in _SHORT_WORDS

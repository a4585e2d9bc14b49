r"""From an answer as a model writes it to tokens: one spelling for LaTeX, Unicode and plain text.

Only what is spelled differently and means the same is unified here (``\dfrac`` and ``\frac``, ``π`` and ``\pi``); what
a number with a unit means is decided by `harness.scorers.math.reading`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from harness.scorers.math.limits import DEEPEST, LONGEST, TooLargeError, UnreadableError


class Token(NamedTuple):
    r"""One token.

    Attributes:
        kind: ``number``, ``letters``, ``command`` (without its backslash), ``text`` (words of ``\\text{...}``) or
            ``symbol``.
        text: Its characters.
        spaced: White space precedes it.
    """

    kind: str
    text: str
    spaced: bool = False


_UNICODE: Final = {
    **dict.fromkeys("−–—‐‑﹣－", "-"),
    **dict.fromkeys("×·⋅∙•∗✕", "\\cdot "),
    **dict.fromkeys("\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000\t\r\n~", " "),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", ""),
    **dict.fromkeys("‘’´`", "'"),
    **dict.fromkeys("“”", '"'),
    **dict.fromkeys("°º˚", "^{\\circ}"),
    "÷": "/", "∕": "/", "⁄": "/", "π": "\\pi ", "√": "\\sqrt ", "∛": "\\sqrt[3] ", "∞": "\\infty ",
    "≤": "\\le ", "≦": "\\le ", "⩽": "\\le ", "≥": "\\ge ", "≧": "\\ge ", "⩾": "\\ge ", "≠": "\\ne ", "≈": "\\approx ",
    "∪": "\\cup ", "∩": "\\cap ", "∈": "\\in ", "∅": "\\emptyset ", "±": "\\pm ", "∓": "\\mp ", "ℝ": "\\mathbb{R}",
    "½": "\\frac{1}{2}", "⅓": "\\frac{1}{3}", "⅔": "\\frac{2}{3}", "¼": "\\frac{1}{4}", "¾": "\\frac{3}{4}",
    "⅕": "\\frac{1}{5}", "⅖": "\\frac{2}{5}", "⅗": "\\frac{3}{5}", "⅘": "\\frac{4}{5}", "⅙": "\\frac{1}{6}",
    "⅚": "\\frac{5}{6}", "⅛": "\\frac{1}{8}", "⅜": "\\frac{3}{8}", "⅝": "\\frac{5}{8}", "⅞": "\\frac{7}{8}",
    "²": "^{2}", "³": "^{3}", "¹": "^{1}", "⁰": "^{0}", "⁴": "^{4}", "⁵": "^{5}", "⁶": "^{6}", "⁷": "^{7}",
    "⁸": "^{8}", "⁹": "^{9}", "₀": "_{0}", "₁": "_{1}", "₂": "_{2}", "₃": "_{3}", "₄": "_{4}", "₅": "_{5}",
    "₆": "_{6}", "₇": "_{7}", "₈": "_{8}", "₉": "_{9}", "α": "\\alpha ", "β": "\\beta ", "γ": "\\gamma ",
    "θ": "\\theta ", "φ": "\\phi ", "ω": "\\omega ", "λ": "\\lambda ", "μ": "\\mu ", "⟨": "\\langle ",
    "⟩": "\\rangle ", "€": "\\euro ", "£": "\\sterling ", "∖": "\\setminus ", "…": "\\ldots ", "％": "\\%", "，": ",",
    "（": "(", "）": ")", "＝": "=", "＋": "+",
}  # fmt: skip
_TABLE: Final = str.maketrans(_UNICODE)

_SPACING: Final = frozenset(
    {*"!,;:> ", "quad", "qquad", "displaystyle", "textstyle", "left", "right", "big", "Big", "bigl", "bigr", "Bigl",
     "Bigr", "bigg", "Bigg", "limits", "thinspace", "hspace", "phantom", "hfill", "space", "nonumber", "rm", "bf"}
)  # fmt: skip
_RENAMED: Final = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "leq": "le", "leqslant": "le", "geq": "ge", "geqslant": "ge",
    "neq": "ne", "not=": "ne", "lt": "<", "gt": ">", "times": "cdot", "ast": "cdot", "div": "/",
    "varnothing": "emptyset", "bigcup": "cup", "bigcap": "cap",
    "backslash": "setminus", "dbinom": "binom", "tbinom": "binom", "lvert": "|", "rvert": "|", "vert": "|", "mid": "|",
    "colon": ":", "lbrace": "{", "rbrace": "}", "lbrack": "[", "rbrack": "]", "langle": "<<", "rangle": ">>", "%": "%",
    "dots": "ldots", "cdots": "ldots", "degree": "deg", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "land": "and", "lor": "or", "wedge": "and", "vee": "or", "lfloor": "lfloor", "varphi": "phi", "#": "#", "&": "&",
}  # fmt: skip
_WORDS: Final = frozenset(
    {"text", "mbox", "textbf", "textrm", "textit", "textsf", "texttt", "mathrm", "hbox", "operatorname"}
)
_UPRIGHT: Final = frozenset({"i", "e", "T"})
"""Single letters that stay mathematics when they are printed upright."""

_TRANSPARENT: Final = frozenset(
    {"boxed", "fbox", "mathbf", "boldsymbol", "mathit", "mathsf", "bm", "ensuremath", "underline", "overline",
     "mathcal", "vec", "widehat", "hat", "bar", "overrightarrow", "smash",
     "(", ")", "[", "]"}
)  # fmt: skip
_TOKEN: Final = re.compile(
    r"(?P<space>\s+)|(?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)|(?P<letters>[A-Za-z]+)"
    r"|\\(?P<command>[A-Za-z]+\*?|.)|(?P<symbol>.)",
    re.DOTALL,
)
_THOUSANDS: Final = re.compile(r"(?<![0-9.])[0-9]{1,3}(?:(?:,\s*\\!\s*|\{,\}|,\\,|\\,)[0-9]{3})+(?![0-9])")
_NOT_DIGITS: Final = re.compile(r"[^0-9]")
_INFINITY: Final = re.compile(r"(?<![A-Za-z\\])(?:infinity|infty|inf|oo)(?![A-Za-z])", re.IGNORECASE)
_REPEATING: Final = re.compile(r"([0-9]{0,20})\.([0-9]{0,20})\\(?:overline|bar|dot)\s*\{([0-9]{1,20})\}")
_SCIENTIFIC: Final = re.compile(r"(?<![0-9A-Za-z.])([0-9]+\.[0-9]+[eE][+-]?|[0-9]+[eE])([0-9]{1,3})(?![0-9A-Za-z_.])")
_CYCLE: Final = re.compile(r"([0-9]{0,20})\.([0-9]{0,20}?)([0-9]{1,9}?)(\3+)\s*(?:\\[lc]?dots\b|\.\.\.)")
_EMPHASIS: Final = re.compile(r"^(\s*)(\*{1,3}|__)(?![\s*_])(.+?)(?<![\s*_])\2(?![*_0-9A-Za-z])", re.DOTALL)
"""Markdown's bold or italics at the start, where no power or product can stand."""

_TIMES_TEN: Final = re.compile(r"(?<=[0-9])\s*[xX]\s*(?=10\s*\^)")
_FREED: Final = re.compile(r"\\(?:left|right|[bB]igg?[lr]?)\s*\.")


def tokens(text: str) -> tuple[Token, ...]:
    """The tokens of an answer.

    Raises:
        TooLargeError: It is longer than any answer.
        UnreadableError: Its braces are unbalanced in a way that hides where a command's argument ends.
    """
    if len(text) > LONGEST:
        raise TooLargeError(f"{len(text)} characters")
    text = _EMPHASIS.sub(r"\1\3", text).translate(_TABLE)
    # Separators of thousands that cannot be anything else; a plain comma is decided where lists are known.
    text = _THOUSANDS.sub(lambda match: _NOT_DIGITS.sub("", match[0]), text)
    text = _CYCLE.sub(_cycle, _REPEATING.sub(_repeating, text))
    text = _TIMES_TEN.sub(r"\\cdot ", _SCIENTIFIC.sub(_scientific, text))
    text = _INFINITY.sub(r"\\infty ", _FREED.sub(" ", text))
    return tuple(_merge(_scan(text)))


def _repeating(match: re.Match[str]) -> str:
    r"""A repeating decimal, ``0.1\overline{6}``, as a fraction."""
    whole, first, cycle = match[1] or "0", match[2], match[3]
    nines = (10 ** len(cycle) - 1) * 10 ** len(first)
    return f"\\frac{{{int(whole + first + cycle) - int(whole + first)}}}{{{nines}}}"


def _cycle(match: re.Match[str]) -> str:
    """The same with its digits written out, ``0.333...``: three of them at least, or they tell no cycle."""
    return _repeating(match) if len(match[3] + match[4]) > 2 else match[0]


def _scientific(match: re.Match[str]) -> str:
    """``1.5e6``: a mantissa with an ``e`` that a sign or digits follow without a space is no Euler's number."""
    mantissa, _, sign = match[1].lower().partition("e")
    return f"{mantissa}\\cdot 10^{{{sign}{match[2]}}}"


def _scan(text: str) -> list[Token]:
    found: list[Token] = []
    spaced = False
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:  # pragma: no cover - the last alternative takes any character
            raise UnreadableError(text[at])
        at = match.end()
        kind = match.lastgroup
        if kind == "space":
            spaced = True
            continue
        value = match[kind or 0]
        if kind == "command":
            if value in _SPACING:
                spaced = True
                continue
            if value in _TRANSPARENT:
                continue
            if value in _WORDS:
                inside, at = _argument(text, at)
                if inside.strip() and not any(map(str.isalnum, inside)):
                    found += _scan(inside)  # a sign, not words
                    continue
                if value == "mathrm" and inside in _UPRIGHT:
                    found.append(Token("letters", inside, spaced))
                    spaced = False
                    continue
                found.append(Token("text", " ".join(inside.replace("\\", " ").replace("$", "").split()), spaced))
                spaced = False
                continue
            if value in ("begin", "end"):
                inside, at = _argument(text, at)
                found.append(Token(value, inside.strip().rstrip("*"), spaced))
                continue
            found.append(_command(value, spaced))
        else:
            found.append(Token(str(kind), value, spaced))
        spaced = False
    return found


def _command(name: str, spaced: bool) -> Token:
    if name in ("{", "}"):
        return Token("symbol", f"\\{name}", spaced)
    if name in ("lbrace", "rbrace"):
        return Token("symbol", "\\{" if name == "lbrace" else "\\}", spaced)
    name = _RENAMED.get(name, name)
    if name.isalpha():
        return Token("command", name, spaced)
    return Token("symbol", "currency" if name == "$" else "\\\\" if name == "\\" else name, spaced)


def _argument(text: str, at: int) -> tuple[str, int]:
    """The text of a command's argument, and where it ends: up to the matching brace, or one character."""
    while at < len(text) and text[at] in " *":
        at += 1
    if at >= len(text):
        return "", at
    if text[at] != "{":
        return text[at], at + 1
    depth = 0
    for end in range(at, len(text)):
        if text[end] == "{":
            depth += 1
        elif text[end] == "}":
            depth -= 1
            if depth == 0:
                return text[at + 1 : end], end + 1
    return text[at + 1 :], len(text)


def _merge(found: list[Token]) -> list[Token]:
    """Pairs that are one token (``<=``, ``**``), dollar signs by their meaning, and a check of the nesting."""
    dollars = sum(token.text == "$" for token in found)
    merged: list[Token] = []
    depth = 0
    for place, token in enumerate(found):
        last = merged[-1] if merged else None
        if token.text == "$":
            # A lone one before a number is money; pairs mark mathematics.
            if dollars % 2 and place + 1 < len(found) and found[place + 1].kind == "number":
                merged.append(Token("symbol", "currency", token.spaced))
            continue
        if token.text == "U" and last is not None and last.text in (")", "]", "\\}"):
            after = found[place + 1].text if place + 1 < len(found) else ""
            if after in ("(", "[", "\\{"):
                token = Token("command", "cup", token.spaced)
        if last is not None and not token.spaced and token.kind == "symbol" and last.kind == "symbol":
            pair = {"<=": "le", ">=": "ge", "!=": "ne"}.get(last.text + token.text)
            if pair:
                merged[-1] = Token("command", pair, last.spaced)
                continue
            if last.text == token.text == "*":
                merged[-1] = Token("symbol", "^", last.spaced)
                continue
        if token.text in ("(", "[", "{", "\\{") and token.kind == "symbol":
            depth += 1
            if depth > DEEPEST:
                raise TooLargeError("nested too deeply")
        elif token.text in (")", "]", "}", "\\}") and token.kind == "symbol":
            depth -= 1
        merged.append(token)
    return merged

"""Units and words beside a number: what two of them say about each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Final, NamedTuple


class Unit(NamedTuple):
    """A known unit: what it measures, how many of the base unit it is, and its power (2 for an area)."""

    dimension: str
    factor: Fraction
    power: int = 1


def _table() -> dict[str, Unit]:
    rows: dict[str, tuple[tuple[str, str], ...]] = {
        "metre": (
            ("1", "m meter metre"), ("1/100", "cm centimeter centimetre"), ("1/1000", "mm millimeter millimetre"),
            ("1000", "km kilometer kilometre"),
        ),
        "inch": (("1", "in inch inche"), ("12", "ft foot feet"), ("36", "yd yard"), ("63360", "mi mile")),
        "second": (
            ("1", "s sec second"), ("60", "min minute"), ("3600", "h hr hour"), ("86400", "day"), ("604800", "week"),
        ),
        "year": (("1", "year yr"), ("1/12", "month")),
        "gram": (("1", "g gm gram"), ("1000", "kg kilogram"), ("1/1000", "mg milligram")),
        "pound": (("1", "lb pound"), ("1/16", "oz ounce")),
        "litre": (("1", "l liter litre"), ("1/1000", "ml milliliter millilitre")),
        "dollar": (("1", "dollar buck usd currency"), ("1/100", "cent")),
        "euro": (("1", "euro eur"),),
        "sterling": (("1", "gbp sterling"),),
        "degree": (("1", "deg degree circ"),),
        "radian": (("1", "rad radian"),),
        "percent": (("1", "percent %"),),
    }  # fmt: skip
    found = {}
    for dimension, units in rows.items():
        for factor, names in units:
            for name in names.split():
                found[name] = Unit(dimension, Fraction(factor))
    return found


UNITS: Final[Mapping[str, Unit]] = _table()

SCALES: Final = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
"""Words that multiply the number before them."""

LETTERS: Final = {
    "metre": "m", "meter": "m", "second": "s", "sec": "s", "hour": "h", "hr": "h", "gram": "g", "gm": "g", "liter": "L",
    "litre": "L",
}  # fmt: skip
"""Units that are also written as one letter, which beside a number reads as a variable."""

_SPEED: Final = {"mph": ("mile", "/", "hour"), "kph": ("km", "/", "hour"), "kmh": ("km", "/", "hour")}
_POWER: Final = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_AFTER: Final = {"squared": 2, "cubed": 3}
_FILLER: Final = frozenset({"a", "an", "the", "of", "in", "total", "each", "about", "approximately", "exactly", "only"})
_WORD: Final = re.compile(r"[A-Za-z%]+(?:\^\{?([23])\}?)?|/")


def words(text: str) -> tuple[str, ...]:
    """The words of a unit in one spelling: lower case, singular, ``per`` and ``/`` alike, ``m^2`` as ``m 2``."""
    found: list[str] = []
    for match in _WORD.finditer(text):
        word = match[0].partition("^")[0].lower()
        word = "/" if word in ("/", "per") else word
        if word in _FILLER:
            continue
        if word in _SPEED:
            found += _SPEED[word]
            continue
        found += [word if word in UNITS or len(word) < 4 or not word.endswith("s") else word[:-1]]
        if found[-1] not in UNITS and found[-1].endswith("s") and found[-1][:-1] in UNITS:
            found[-1] = found[-1][:-1]
        if match[1]:
            found.append(match[1])
    return tuple(found)


def unit(found: tuple[str, ...]) -> Unit | None:
    """The known unit that words name (``square inch``, ``cm 2``, ``mile / hour``); None where they name none."""
    if "/" in found:
        at = found.index("/")
        top, bottom = unit(found[:at]), unit(found[at + 1 :])
        if top is None or bottom is None:
            return None
        return Unit(f"{top.dimension} {top.power}/{bottom.dimension} {bottom.power}", top.factor / bottom.factor)
    power = 1
    base: Unit | None = None
    for word in found:
        if word in _POWER:
            power = _POWER[word]
        elif word in _AFTER:
            power = _AFTER[word]
        elif word in ("2", "3"):
            power = int(word)
        elif word in UNITS and base is None:
            base = UNITS[word]
        else:
            return None
    if base is None:
        return None
    return Unit(base.dimension, base.factor**power, power)


def is_unit(word: str) -> bool:
    """Whether one word is a unit or begins one."""
    spelled = words(word)
    return bool(spelled) and (
        spelled[0] in UNITS or spelled[0] in _POWER or word.lower() in _SPEED or spelled[0] == "unit"
    )

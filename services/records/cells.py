"""A cell as people write it into what it means: counts, money, percentages, days, words.

Each reader gives the value, None for a blank, or raises Unknown with the reason: what is written there is kept in the reason, and the
field is unknown. Nothing here guesses: `1,23` is no number, and `N/A` is not zero.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal

LARGEST = 2**62
SHOWN = 300
LONGEST_NAME = 300  # what is longer fits no index, and is prose in the wrong column
SYMBOLS = {"£": "GBP", "$": "USD", "€": "EUR", "₱": "PHP", "¥": "JPY"}
SCALES = {"k": 10**3, "thousand": 10**3, "m": 10**6, "mn": 10**6, "million": 10**6, "bn": 10**9, "billion": 10**9}
DASHES = re.compile(r"[-–—−]+")
DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
COUNT = re.compile(rf"({DIGITS})(?:\.0+)?", re.ASCII)
NUMBER = re.compile(rf"[-+]?(?:{DIGITS}(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{{1,3}})?", re.ASCII)
MONEY = re.compile(
    r"(?P<minus>-?)\s*(?P<unit>[£$€₱¥]|[A-Z]{3}\s)?\s*(?P<sign>-?)"
    rf"(?P<number>(?:{DIGITS}(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{{1,3}})?)\s*(?P<scale>[A-Za-z]*)",
    re.ASCII,
)
# Words that stand where a source will not, or cannot, tell. What begins like this is withheld; anything else of the wrong form is a fault.
WITHHELD = re.compile(
    r"(?:(?:data|date)\s+)?exempt|(?:data\s+)?not\s+(?:yet\s+)?(?:provided|available|applicable|known)|n\s*/?\s*a\b|tbc\b|tbd\b|unknown\b"
    r"|no\s+departmental\s+narrative|no\s+end\s+date|no\s+dca\b|reset\b|provision\s+of\s+narrative\s+not\s+possible|withheld|redacted"
    r"|cannot\s+calculate|either\s+zero\s+or\s+no|the\s+(?:gmpp\s+)?project\s+(?:is\s+(?:still|not)|did\s+not)\b|legal\s+sensitivity",
    re.IGNORECASE,
)


class Unknown(ValueError):
    """A cell that tells no value; `withheld` when it says so itself, otherwise it could not be read."""

    def __init__(self, reason: str, *, withheld: bool) -> None:
        super().__init__(reason)
        self.withheld = withheld


def words(cell: str) -> str | None:
    """A name or a word; runs of space are one."""
    told = _told(" ".join(cell.split()), "text")
    if told is not None and len(told) > LONGEST_NAME:
        raise Unknown(f"{_shown(told)} has {len(told):,} characters: the longest name has {LONGEST_NAME}", withheld=False)
    return told


def prose(cell: str) -> str | None:
    """Text of any length, with its line breaks."""
    return _told(cell.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ").strip(), "text")


def count(cell: str) -> int | None:
    """How many: digits, with commas between thousands."""
    told = _told(_plain(cell), "a whole number")
    if told is None:
        return None
    form = COUNT.fullmatch(told)
    value = int(form[1].replace(",", "")) if form and len(told) < 30 else LARGEST
    if value >= LARGEST:
        raise _wrong(told, "a whole number")
    return value


def money(cell: str, currency: str, scale: int) -> int | None:
    """An amount in minor units of the currency; `scale` is what one stands for in the column, unless the cell has a unit of its own."""
    told = _told(_plain(cell), f"an amount of {currency}")
    if told is None:
        return None
    bracketed = told.startswith("(") and told.endswith(")")
    form = MONEY.fullmatch(told[1:-1].strip() if bracketed else told)
    if form is None:
        raise _wrong(told, f"an amount of {currency}")
    unit, own = (form["unit"] or "").strip(), form["scale"].lower()
    if (unit and SYMBOLS.get(unit, unit) != currency) or (own and own not in SCALES) or bool(form["minus"]) + bool(form["sign"]) > 1:
        raise _wrong(told, f"an amount of {currency}")
    minor = Decimal(form["number"].replace(",", "")) * SCALES.get(own, scale) * 100
    if not minor.is_finite() or abs(minor) >= LARGEST:
        raise _wrong(told, f"an amount of {currency}")
    value = int(minor.quantize(Decimal(1), ROUND_HALF_EVEN))
    return -value if form["minus"] or form["sign"] or bracketed else value


def percent(cell: str, *, signed: bool) -> Decimal | None:
    """Per cent; with `signed` only what has its sign, because the same column writes other cells as fractions."""
    told = _told(_plain(cell), "a percentage")
    if told is None:
        return None
    number = told.removesuffix("%").strip()
    if not NUMBER.fullmatch(number):
        raise _wrong(told, "a percentage")
    if signed and number == told:
        raise Unknown(f"{_shown(told)} has no % sign: it may be per cent or a fraction", withheld=False)
    value = Decimal(number.replace(",", ""))
    if abs(value) >= 10**9:
        raise _wrong(told, "a percentage")
    return value


def day(cell: str, patterns: Sequence[str]) -> date | None:
    """A day in the first of the patterns that fits; `iso` is 2014-07-08, with or without a time behind it."""
    told = _told(_plain(cell), "a date")
    if told is None:
        return None
    for pattern in patterns:
        try:
            moment = datetime.fromisoformat(told) if pattern == "iso" else datetime.strptime(told, pattern)  # noqa: DTZ007 - days have no zone
        except ValueError:
            continue
        if 1900 <= moment.year <= 2200:
            return moment.date()
    raise _wrong(told, "a date")


def listed(cell: str, values: dict[str, str | None]) -> str | None:
    """One of the values of a map, however it is spaced and in whichever case it is written; their keys are folded."""
    told = _told(" ".join(cell.split()), "text")
    if told is None:
        return None
    key = folded(told)
    if key not in values:
        raise Unknown(f"{_shown(told)} is not among the values of the map", withheld=bool(WITHHELD.match(told)))
    return values[key]


def folded(told: str) -> str:
    """A listed value without its case and spaces."""
    return "".join(told.casefold().split())


def _plain(cell: str) -> str:
    """A typed cell in one line, its minus signs alike."""
    return " ".join(cell.split()).replace("−", "-")


def _told(told: str, what: str) -> str | None:
    """The cell; None where it is blank. Raises Unknown where its words say that nothing is told, and for what Postgres cannot keep."""
    if not told:
        return None
    if "\0" in told:
        raise Unknown(f"{_shown(told)} holds a NUL character", withheld=False)
    if DASHES.fullmatch(told):
        raise Unknown(f"'{told}' stands there", withheld=True)
    # Long prose may well begin with such words and go on to tell something.
    if len(told) <= SHOWN and WITHHELD.match(told):
        raise Unknown(told, withheld=True)
    if what != "text" and len(told) > SHOWN:
        raise _wrong(told, what)
    return told


def _wrong(told: str, what: str) -> Unknown:
    return Unknown(f"{_shown(told)} is not {what}", withheld=bool(WITHHELD.match(told)))


def _shown(told: str) -> str:
    return repr(told if len(told) <= SHOWN else told[: SHOWN - 1] + "…")

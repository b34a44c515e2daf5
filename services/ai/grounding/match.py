"""Whether a number or a date that somebody wrote is one of the facts."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Literal

from services.ai.grounding.calendar import Day, Span
from services.ai.grounding.ground import Dimension, Ground, Number
from services.ai.grounding.numerals import DAYS, Kind, Mention

FITS: dict[Kind, tuple[Dimension, ...]] = {
    "plain": ("count", "money", "days", "year", "score"),
    "money": ("money",),
    "share": ("share",),
    "days": ("days",),
    "rank": ("count", "score"),
    "multiple": ("share", "count", "score"),
}
MOST_OFF = 0.05  # a rounded figure may be that far from the fact, unless it says that it is rounded
MOST_OFF_SPAN = 0.1  # of 330 days, "a year" would be further
MOST_OFF_ABOUT = 0.1
BOUND = 0.25  # "over 40" may be said of 50, not of 90
REACH = 40  # characters in which a verb belongs to the number after it
Direction = Literal["up", "down"] | None
GOES = re.compile(
    r"\b(?:(?P<up>rose|risen|rises?|rising|grew|grown?|grows|growing|growth|increas\w+|overspen\w+|overr[au]n\w*|slip\w*|delay\w*|postpon\w+"
    r"|up(?! to))|(?P<down>fell|fall(?:en|s|ing)?|drop\w*|declin\w+|decreas\w+|reduc\w+|shr[aiu]nk\w*|underspen\w+|brought forward"
    r"|down))\b",
    re.IGNORECASE,
)
GOES_AFTER = re.compile(r"\s(?:(?P<up>higher|more|above|later|over)|(?P<down>lower|less|below|earlier|under))\b", re.IGNORECASE)


def number_is_told(mention: Mention, ground: Ground, noun: str | None, direction: Direction = None) -> bool:
    """Whether a fact of a fitting unit has this value. Of a thing that facts count, only its counts are asked, and nameless ones."""
    if mention.currency and ground.currencies and mention.currency not in ground.currencies:
        return False
    told = [fact for fact in ground.numbers if _fits(mention, fact, noun) and _is(mention, fact)]
    changes = [fact for fact in told if fact.unit.change and fact.value]
    if direction is not None and changes:  # a change may not be told the wrong way round
        return any((fact.value > 0) == (direction == "up") for fact in changes)
    return bool(told)


def direction_of(text: str, start: int, end: int) -> Direction:
    """Which way the words around a number say that something went: "fell by 19 %", "19 % lower"."""
    after = GOES_AFTER.match(text, end)
    if after is not None:
        return "up" if after["up"] else "down"
    sentence = re.split(r"[.;:,\n]\s", text[max(0, start - REACH) : start])[-1]
    before = list(GOES.finditer(sentence))
    return None if not before else "up" if before[-1]["up"] else "down"


def _fits(mention: Mention, fact: Number, noun: str | None) -> bool:
    if noun is not None and mention.kind in {"plain", "rank"}:
        return fact.unit.dimension == "count" and (not fact.unit.nouns or noun in fact.unit.nouns)
    if mention.kind == "days" and fact.unit.dimension == "count":
        return any(f"{noun}s" in DAYS_OF_COUNTS for noun in fact.unit.nouns)
    return fact.unit.dimension in FITS[mention.kind]


DAYS_OF_COUNTS = {f"{unit}s" for unit in DAYS}  # "7 years" may be a count of yearly reports' years


def _is(mention: Mention, fact: Number) -> bool:
    return any(_near(mention, value, fact) for value in _values(mention, fact))


def _values(mention: Mention, fact: Number) -> Iterable[float]:
    """The fact in the units of the mention: without its sign where words tell the direction, as a multiple of the whole."""
    value = fact.value
    if mention.kind == "multiple" and fact.unit.dimension == "share":
        value += 1.0 if fact.unit.change else 0.0
    if mention.kind == "days" and fact.unit.dimension == "count":
        value *= next(length for unit, length in DAYS.items() if unit in fact.unit.nouns)
    return (value,) if mention.signed or mention.kind == "multiple" else (abs(value),)


def _near(mention: Mention, fact: float, of: Number) -> bool:
    off, size = abs(mention.value - fact), abs(fact)
    slack = 1e-9 * max(1.0, size)
    if mention.exact and of.unit.dimension in {"count", "year"}:
        rounded = off < 0.5
    elif of.unit.dimension == "days" and mention.kind == "days":
        rounded = off <= mention.half * (1 + 1e-9) and (off <= MOST_OFF_SPAN * size or mention.half <= 0.5)
    else:
        small = mention.kind == "share" or mention.half <= 0.5  # whole per cents and whole units round as usual
        rounded = off <= mention.half + slack and (small or off <= MOST_OFF * size)
    return rounded or _near_hedged(mention, fact, off)


def _near_hedged(mention: Mention, fact: float, off: float) -> bool:
    written = abs(mention.value)
    if mention.hedge == "about":
        return off <= min(max(mention.coarse, 0.025 * written), MOST_OFF_ABOUT * max(written, abs(fact)))
    if mention.hedge == "above":
        return mention.value <= fact <= mention.value * (1 + BOUND)
    return mention.hedge == "below" and mention.value * (1 - BOUND) <= fact <= mention.value


def date_is_told(day: Day, ground: Ground) -> bool:
    """Whether a fact lies in the days that are meant; for years, whether facts name them."""
    if day.yearly is not None:
        return any((told.month, told.day) == day.yearly for told in ground.dates)
    if day.spans:
        return any(_holds(span, ground) for span in day.spans)
    if day.fiscal:
        first, last = day.years
        return bool(set(day.years) & _named_years(ground)) or _holds((date(first, 4, 1), date(last, 3, 31)), ground)
    return bool(day.years) and set(day.years) <= ground.years


def _named_years(ground: Ground) -> set[int]:
    return {int(number.value) for number in ground.numbers if number.unit.dimension == "year"}


def _holds(span: Span, ground: Ground) -> bool:
    return any(span[0] <= told <= span[1] for told in ground.dates)

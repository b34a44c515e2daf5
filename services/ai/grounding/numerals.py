"""Numbers written in English: digits, words, scales, currencies, percentages, ordinals, fractions and multiples."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal

Kind = Literal["plain", "money", "share", "days", "rank", "multiple"]
Hedge = Literal["", "about", "above", "below"]

_SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth"
    " seventeenth eighteenth nineteenth twentieth"
)
SMALL = {word: number for number, word in enumerate(_SMALL.split())}
TENS = {word: 10 * number for number, word in enumerate(_TENS.split(), 2)}
ORDINALS = {word: number for number, word in enumerate(_ORDINALS.split(), 1)}
SCALES = {
    "hundred": 1e2, "k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6, "millions": 1e6,
    "b": 1e9, "bn": 1e9, "billion": 1e9, "billions": 1e9, "tn": 1e12, "trillion": 1e12,
}  # fmt: skip
CURRENCIES = {
    "£": "GBP", "gbp": "GBP", "pounds": "GBP", "pound": "GBP", "$": "USD", "us$": "USD", "usd": "USD", "dollars": "USD", "dollar": "USD",
    "€": "EUR", "eur": "EUR", "euros": "EUR", "₱": "PHP", "php": "PHP", "pesos": "PHP",
}  # fmt: skip
DAYS = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "year": 365.25, "decade": 3652.5}
MULTIPLES = {
    "twice": 2.0, "double": 2.0, "doubled": 2.0, "doubling": 2.0, "triple": 3.0, "tripled": 3.0, "tripling": 3.0, "quadrupled": 4.0,
}  # fmt: skip
FRACTIONS = {"half": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fifth": 5, "fifths": 5, "tenth": 10, "tenths": 10}

_UNIT = "|".join([*SMALL, *TENS])
_SPELLED = rf"(?:{'|'.join(TENS)})[-\s](?:{'|'.join(list(SMALL)[1:10])})|{_UNIT}|dozen"
_DIGITS = r"\d{1,3}(?:[, \u00a0\u2009\u202f'’]\d{3}(?!\d))+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_CURRENCY = r"US\$|[£$€₱]|(?:GBP|USD|EUR|PHP)\s?"
_SCALE = r"(?:\s|-)?(?:hundred|thousand|millions?|billions?|trillion)\b|\s?(?:mn|bn|tn)\b|[kKmMbB]\b"
_AFTER = (
    r"\s?%|\s?per\s?cent\b|[-\s]percent(?:age[-\s]points?)?\b|\s?percentage[-\s]points?\b|\s?pp\b"
    r"|(?:[-\s](?:calendar|full|whole|more))?[-\s](?:day|week|month|year|decade)s?\b"
    r"|\s(?:pounds?|dollars?|euros|pesos|GBP|USD|EUR|PHP)\b|\stimes\b|[-]?fold\b|(?<=\d)x\b"
)
NUMBER = re.compile(
    rf"(?<![\w.])(?P<sign>[-−+](?=[£$€₱\d.]))?(?P<currency>{_CURRENCY})?(?P<inner>[-−](?=\d))?"
    rf"(?:(?P<digits>{_DIGITS})(?P<ordinal>st|nd|rd|th)?|(?P<spelled>\b(?:{_SPELLED})\b))"
    rf"(?P<scale>(?:{_SCALE})(?:\s(?:thousand|million|billion)\b)?)?(?P<after>{_AFTER})?",
    re.IGNORECASE,
)
_RANKED = r"(?:largest|highest|lowest|most|smallest|biggest|oldest|longest|best|worst|ranked?|place|nearest|closest)"
ORDINAL = re.compile(
    rf"\b(?P<word>{'|'.join(ORDINALS)})(?=[-\s]{_RANKED}\b)|\b(?:ranks?|ranked|placed?|comes?)\s(?P<after>{'|'.join(ORDINALS)})\b"
    rf"|\b(?P<later>{'|'.join(list(ORDINALS)[3:])})\b(?!s)",
    re.IGNORECASE,
)
FRACTION = re.compile(
    rf"\b(?:(?P<upper>an?|one|two|three|four|nine)[-\s])?(?P<lower>{'|'.join(FRACTIONS)})\b(?=\sof\b|\sthe\b|\sas\b|-way\b)"
    r"|\b(?P<loose>(?:an?|one|two|three)[-\s](?:half|thirds?|quarters?|fifths?))\b(?!\s(?:year|of\s\d))",
    re.IGNORECASE,
)
MULTIPLE = re.compile(rf"\b(?P<multiple>{'|'.join(MULTIPLES)}|halved|halving)\b(?!-check)", re.IGNORECASE)
ODDS = re.compile(
    rf"\b(?P<part>\d{{1,2}}|{_UNIT})(?:[-\s]in[-\s](?:every\s)?(?P<whole>\d{{1,2}}|100|{_UNIT})|\sout\sof\s(?P<hundred>100))\b",
    re.IGNORECASE,
)
SPAN = re.compile(rf"\b(?P<years>\d{{1,3}}|{_SPELLED})\syears?(?:\sand|,)?\s(?P<months>\d{{1,2}}|{_SPELLED})\smonths?\b", re.IGNORECASE)

_ABOUT = r"about|around|roughly|approximately|approx\.?|some|circa|ca?\.|close to|near(?:ly)?|almost|in the region of|or so"
_BELOW = r"just under|under|below|less than|fewer than|up to|at most|no more than|not more than|within|shy of"
_ABOVE = r"just over|over|more than|above|at least|exceed(?:s|ed|ing)?|upwards of|beyond|no less than|no fewer than"
HEDGE = re.compile(
    rf"(?:\b(?P<about>{_ABOUT})|(?P<sign>[~≈])|\b(?P<below>{_BELOW})|\b(?P<above>{_ABOVE}))(?:\s(?:an?|the))?\s*$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Mention:
    """One number as written: its value in base units, half the unit of its last digit, and half that of its last digit that is not 0."""

    start: int
    end: int
    value: float
    half: float
    coarse: float
    kind: Kind
    hedge: Hedge = ""
    currency: str = ""
    signed: bool = False
    exact: bool = False  # a whole number without a scale
    factor: float = 1.0  # base units in one of what is written


def numbers(text: str) -> Iterator[Mention]:
    """Every number of the text in order of kind: odds, fractions and multiples first, for they hold other numbers."""
    taken = [False] * len(text)
    for pattern, read in (
        (SPAN, _span),
        (ODDS, _odds),
        (FRACTION, _fraction),
        (MULTIPLE, _multiple),
        (NUMBER, _number),
        (ORDINAL, _ordinal),
    ):
        for match in pattern.finditer(text):
            if any(taken[match.start() : match.end()]):
                continue
            mention = read(match)
            if mention is not None:
                taken[match.start() : match.end()] = [True] * (match.end() - match.start())
                yield mention


def hedge_before(text: str, start: int) -> Hedge:
    """What stands before a number: "about" 5, "over" 5, "under" 5."""
    found = HEDGE.search(text[max(0, start - 24) : start])
    if found is None:
        return ""
    return "above" if found["above"] else "below" if found["below"] else "about"


def cardinal(word: str) -> float:
    """ "twenty-one" or "21"."""
    if word.isdigit():
        return float(word)
    parts = re.split(r"[-\s]", word.casefold())
    return float(sum({"dozen": 12, "a": 1, "an": 1, **SMALL, **TENS}[part] for part in parts))


def _number(match: re.Match[str]) -> Mention | None:
    written, word = match["digits"], match["spelled"]
    scale = prod(SCALES[word] for word in re.split(r"[\s-]+", (match["scale"] or "").casefold()) if word)
    after = re.sub(r"[\s-]+", " ", match["after"] or "").strip().casefold()
    if word is not None and word.casefold() == "one" and scale == 1 and not after:
        return None  # "one of them", "no one": a pronoun
    if written is None:
        value, half, coarse = cardinal(word), 0.5, 0.5
    else:
        digits = re.sub(r"[, \u00a0\u2009\u202f'’]", "", written)
        value, half = float(digits), 0.5 * 10.0 ** -len(digits.partition(".")[2])
        zeros = 0 if "." in digits else len(digits) - len(digits.rstrip("0"))
        coarse = half * 10.0 ** min(zeros, len(digits) - 1)
    kind, unit, currency = _unit(match["currency"], after)
    factor = scale * unit
    signed = bool(match["sign"] or match["inner"])
    negative = "+" not in (match["sign"] or "+") or bool(match["inner"])
    if match["ordinal"]:
        kind = "rank"
    return Mention(
        match.start(), match.end(), value * factor * (-1 if negative else 1), half * factor, coarse * factor, kind,
        hedge_before(match.string, match.start()), currency, signed, exact=factor == 1 and half == 0.5 and kind in {"plain", "rank"},
        factor=factor,
    )  # fmt: skip


def _unit(sign: str | None, after: str) -> tuple[Kind, float, str]:
    """What a number counts, in how many base units, in which currency."""
    if after.startswith(("%", "per", "pp")):
        return "share", 0.01, ""
    if after in {"times", "fold", "x"}:
        return "multiple", 1.0, ""
    if sign or after in CURRENCIES:
        return "money", 1.0, CURRENCIES[(sign or after).strip().casefold()]
    if after:
        return "days", DAYS[after.rsplit(" ", 1)[-1].removesuffix("s")], ""
    return "plain", 1.0, ""


def _ordinal(match: re.Match[str]) -> Mention:
    value = float(ORDINALS[next(word for word in match.groups() if word).casefold()])
    return Mention(match.start(), match.end(), value, 0.5, 0.5, "rank", exact=True)


def _fraction(match: re.Match[str]) -> Mention:
    upper, lower = re.split(r"[-\s]", match["loose"].casefold()) if match["loose"] else (match["upper"] or "a", match["lower"])
    value = cardinal(upper.casefold()) / FRACTIONS[lower.casefold()]
    return Mention(match.start(), match.end(), value, 0.02, 0.05, "share", hedge_before(match.string, match.start()))


def _multiple(match: re.Match[str]) -> Mention:
    value = MULTIPLES.get(match["multiple"].casefold(), 0.5)
    return Mention(match.start(), match.end(), value, 0.05, 0.25, "multiple", hedge_before(match.string, match.start()))


def _odds(match: re.Match[str]) -> Mention | None:
    """ "one in five" and "19 out of 100" are shares; "3 out of 12" is two counts."""
    part, whole = cardinal(match["part"]), cardinal(match["whole"] or match["hundred"])
    if not 0 < part < whole:
        return None
    half = min(0.02, 0.5 / whole)
    return Mention(match.start(), match.end(), part / whole, half, 2.5 * half, "share", hedge_before(match.string, match.start()))


def _span(match: re.Match[str]) -> Mention:
    """ "1 year and 2 months" is one span."""
    half = DAYS["month"] / 2
    value = cardinal(match["years"]) * DAYS["year"] + cardinal(match["months"]) * DAYS["month"]
    return Mention(match.start(), match.end(), value, half, half, "days", hedge_before(match.string, match.start()))

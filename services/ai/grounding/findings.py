"""What wording says that the facts do not: each finding with its place and a reason."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

from services.ai.grounding.calendar import dates
from services.ai.grounding.ground import Ground
from services.ai.grounding.match import date_is_told, direction_of, number_is_told
from services.ai.grounding.names import strange
from services.ai.grounding.numerals import NUMBER, Mention, numbers

Kind = Literal["number", "date", "name", "quote", "markup"]
DONE = "\ue000"  # stands where something was understood
LONGEST = 60_000  # characters of wording that are read: no analysis is that long
LONGEST_NAME = 300
LEAST_CODE = 8  # characters from which on a row of digits is a code

MARKUP = re.compile(r"https?://\S+|www\.\S+|<[a-zA-Z/!][^>]*>|!?\[[^\]]*\]\([^)]*\)|javascript:", re.IGNORECASE)
QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|«([^»]+)»|(?<!\w)‘([^’]+(?:’\w[^’]*)*)’(?!\w)")
LIST_MARK = re.compile(r"(?m)^[ \t]*(?:#{1,6}[ \t]+)?(?P<n>\d{1,2})[.)][ \t]+")
NUMERIC = re.compile(r"[^\W_]*\d[^\W_]*(?:[.,]\d+)*")
FOLLOWING = re.compile(rf"(?:{DONE}|[^\S\n]|-|of\b|out\b|or\b|to\b|and\b|the\b|its\b)*([^\W\d_]+)(?:[^\S\n]([^\W\d_]+))?", re.IGNORECASE)
RANGE = re.compile(r"\s?(?:[-–—]|to|and|or)\s?", re.IGNORECASE)
QUOTE_WORDS = 4  # from that many words on, something in quotation marks claims to be quoted


@dataclass(frozen=True, slots=True)
class Finding:
    """`span` is where in the wording."""

    span: tuple[int, int]
    token: str
    kind: Kind
    reason: str


def check(wording: str, ground: Ground) -> list[Finding]:
    """Everything in the wording that the facts do not tell, in its order; none means that it is grounded."""
    if len(wording) > LONGEST:
        return [Finding((0, len(wording)), wording[:40], "markup", f"It is longer than {LONGEST:,} characters.")]
    page = _Page(wording)
    found = [*_markup(page), *_quotes(page, ground)]
    _take_names(page, ground)
    _take_list_marks(page)
    found += [*_dates(page, ground), *_numbers(page, ground), *_left_over(page), *_names(page, ground)]
    return sorted(found, key=lambda finding: finding.span)


class _Page:
    """The wording, and what of it is not yet understood."""

    def __init__(self, wording: str) -> None:
        self.wording = self.rest = wording

    def take(self, start: int, end: int) -> None:
        self.rest = self.rest[:start] + DONE * (end - start) + self.rest[end:]

    def finding(self, start: int, end: int, kind: Kind, reason: str) -> Finding:
        return Finding((start, end), self.wording[start:end], kind, reason)


def _markup(page: _Page) -> Iterator[Finding]:
    for place, character in enumerate(page.wording):
        if unicodedata.category(character) in {"Cf", "Co", "Cs", "Cn"} or (
            unicodedata.category(character) == "Cc" and character not in "\n\t"
        ):
            yield page.finding(place, place + 1, "markup", f"The character U+{ord(character):04X} does not show.")
    for match in MARKUP.finditer(page.rest):
        yield page.finding(*match.span(), "markup", "Wording holds no links and no markup.")
        page.take(*match.span())


def _quotes(page: _Page, ground: Ground) -> Iterator[Finding]:
    told = [_folded(quote) for quote in ground.quotes]
    names = {_folded(name) for name in ground.names}
    for match in QUOTED.finditer(page.rest):
        words = _folded(next(inner for inner in match.groups() if inner is not None)).strip(" .,;…")
        if words and any(words in quote for quote in told):
            page.take(*match.span())
        elif len(words.split()) >= QUOTE_WORDS and words not in names:
            yield page.finding(*match.span(), "quote", "These words are not in the record's evidence.")


def _take_names(page: _Page, ground: Ground) -> None:
    """Whole names are understood first: the 26 of "Barangay 26" is no figure, nor is a code of many digits."""
    for name in sorted(ground.names, key=len, reverse=True):
        if len(name) <= LONGEST_NAME and (len(name) >= LEAST_CODE or re.search(r"[^\W\d_]", name)):
            pattern = r"\s+".join("".join(_literal(character) for character in word) for word in name.split())
            for match in re.finditer(rf"(?<!\w){pattern}(?!\w)", page.rest, re.IGNORECASE):
                page.take(*match.span())


def _literal(character: str) -> str:
    """Markdown writes a backslash before what would be markup."""
    return character if character.isalnum() else rf"\\?{re.escape(character)}"


def _take_list_marks(page: _Page) -> None:
    """ "1." and "2." at the start of lines count themselves, as long as they count on."""
    last = 0
    for match in LIST_MARK.finditer(page.rest):
        if int(match["n"]) in {1, last + 1}:
            last = int(match["n"])
            page.take(*match.span("n"))


def _dates(page: _Page, ground: Ground) -> Iterator[Finding]:
    for day in sorted(dates(page.rest), key=lambda day: day.start):
        if date_is_told(day, ground):
            page.take(day.start, day.end)
        elif day.spans or day.yearly or day.fiscal or not _number_told_at(page, day.start, day.end, ground):
            yield page.finding(day.start, day.end, "date", "No fact has this date.")
            page.take(day.start, day.end)


def _number_told_at(page: _Page, start: int, end: int, ground: Ground) -> bool:
    """A year may be a plain number after all: 2014 residents."""
    match = NUMBER.match(page.rest, start)
    return match is not None and match.end() >= end and any(
        mention.start == start and _told(mention, page, ground) for mention in numbers(page.rest)
    )  # fmt: skip


def _numbers(page: _Page, ground: Ground) -> Iterator[Finding]:
    mentions = sorted(numbers(page.rest), key=lambda mention: mention.start)
    text = page.rest
    for mention, following in zip_longest(mentions, mentions[1:]):
        ok = _told(mention, page, ground)
        if not ok and following is not None and RANGE.fullmatch(text[mention.end : following.start]):
            ok = _told(_in_units_of(mention, following), page, ground)
        if not ok:
            yield page.finding(mention.start, mention.end, "number", "No fact has this value.")
        page.take(mention.start, mention.end)


def _told(mention: Mention, page: _Page, ground: Ground) -> bool:
    direction = None if mention.signed else direction_of(page.wording, mention.start, mention.end)
    return number_is_told(mention, ground, _noun(mention, page, ground), direction)


def _noun(mention: Mention, page: _Page, ground: Ground) -> str | None:
    """The thing counted, where facts count such things: of "3 of 12 required fields", the fields."""
    after = re.sub(rf"^\s(?:of|out of)\s(?:the\s|its\s)?(?:[\d,]+|{DONE}+|[a-z]+(?=\s))", "", page.rest[mention.end : mention.end + 60])
    match = FOLLOWING.match(after)
    if match is None:
        return None
    return next((word.casefold() for word in match.groups() if word and word.casefold() in ground.nouns), None)


def _in_units_of(first: Mention, last: Mention) -> Mention:
    """ "10 to 20 %": what is said of the second holds for the first."""
    scale = last.factor / first.factor
    return replace(
        first, value=first.value * scale, half=first.half * scale, coarse=first.coarse * scale, factor=last.factor,
        kind=first.kind if last.kind == "plain" else last.kind, currency=first.currency or last.currency, exact=last.exact,
    )  # fmt: skip


def _left_over(page: _Page) -> Iterator[Finding]:
    """A figure that none of the readings understood is not a fact either."""
    for match in NUMERIC.finditer(page.rest):
        yield page.finding(*match.span(), "number", "No fact is written like this.")
        page.take(*match.span())


def _names(page: _Page, ground: Ground) -> Iterator[Finding]:
    for capitals in strange(page.rest, ground):
        yield page.finding(capitals.start, capitals.end, "name", "No fact has this name.")


def _folded(text: str) -> str:
    text = text.replace("\\", "").replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    return " ".join(text.casefold().split())

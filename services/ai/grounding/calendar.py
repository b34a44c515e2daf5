"""Dates written in English, each as the days it may mean."""

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

_MONTHS = (
    "jan january|feb february|mar march|apr april|may|jun june|jul july|aug august|sep sept september|oct october|nov november|dec december"
)
MONTHS = {name: number for number, names in enumerate(_MONTHS.split("|"), 1) for name in names.split()}
QUARTERS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "final": 4, "last": 4}
SEASONS = {"spring": (3, 5), "summer": (6, 8), "autumn": (9, 11), "fall": (9, 11)}
PARTS = {
    "early": (1, 4), "start of": (1, 3), "the start of": (1, 3), "beginning of": (1, 3), "mid": (4, 9), "the middle of": (4, 9),
    "middle of": (4, 9), "late": (8, 12), "end of": (10, 12), "the end of": (10, 12), **SEASONS,
}  # fmt: skip
_MONTH = r"(?P<month>" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\b(?:\.(?=,?\s\d))?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_ANY_YEAR = r"(?P<year>[1-9]\d{3})"  # beside a day and a month, nothing else is meant
Span = tuple[date, date]


@dataclass(frozen=True, slots=True)
class Day:
    """Days a mention may mean: any span will do. `yearly` is a day without a year; `years` stands for whole years, `fiscal` for the
    year from April of the first to March of the second."""

    start: int
    end: int
    spans: tuple[Span, ...] = ()
    yearly: tuple[int, int] | None = None
    years: tuple[int, ...] = ()
    fiscal: bool = False


def dates(text: str) -> Iterator[Day]:
    """Every date of the text: the most exact reading first."""
    taken = [False] * len(text)
    for pattern, read in READINGS:
        for match in pattern.finditer(text):
            if any(taken[match.start() : match.end()]):
                continue
            day = read(match)
            if day is not None:
                taken[match.start() : match.end()] = [True] * (match.end() - match.start())
                yield day


def months(year: int, first: int, last: int) -> Span:
    return date(year, first, 1), date(year, last, monthrange(year, last)[1])


def _on(match: re.Match[str], *options: tuple[int, int, int]) -> Day | None:
    """A day; of a figure like 03/04/2024 either reading."""
    spans = []
    for year, month, day in options:
        if 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]:
            spans.append((date(year, month, day), date(year, month, day)))
    return Day(match.start(), match.end(), tuple(spans))


def _iso(match: re.Match[str]) -> Day | None:
    return _on(match, (int(match["year"]), int(match["m"]), int(match["d"])))


def _figures(match: re.Match[str]) -> Day | None:
    year = int(match["year"]) + (2000 if len(match["year"]) == 2 else 0)
    one, two = int(match["a"]), int(match["b"])
    return _on(match, (year, two, one), (year, one, two))


def _written(match: re.Match[str]) -> Day | None:
    month, day = MONTHS[match["month"].casefold()], int(match["day"])
    if match["year"] is None:
        return Day(match.start(), match.end(), yearly=(month, day))
    return _on(match, (int(match["year"]), month, day))


def _month(match: re.Match[str]) -> Day:
    month = MONTHS[match["month"].casefold()]
    return Day(match.start(), match.end(), (months(int(match["year"]), month, month),))


def _quarter(match: re.Match[str]) -> Day:
    year = int(match["year"] or match["before"])
    number = int(match["q"]) if match["q"] else QUARTERS[match["word"].casefold()]
    return Day(match.start(), match.end(), (months(year, 3 * number - 2, 3 * number),))


def _half(match: re.Match[str]) -> Day:
    second = (match["h"] or match["word"]).casefold() in {"2", "second", "latter"}
    return Day(match.start(), match.end(), (months(int(match["year"]), 7 if second else 1, 12 if second else 6),))


def _part(match: re.Match[str]) -> Day:
    first, last = PARTS[re.sub(r"[\s-]+", " ", match["part"]).strip().casefold()]
    return Day(match.start(), match.end(), (months(int(match["year"]), first, last),))


def _fiscal(match: re.Match[str]) -> Day:
    """ "2019/20" is one financial year; "2014-2019" is two years."""
    first, told = int(match["year"]), int(match["to"])
    last = told if told > 99 else first // 100 * 100 + told
    return Day(match.start(), match.end(), years=(first, last), fiscal=last == first + 1)


def _short_fiscal(match: re.Match[str]) -> Day:
    """ "FY24" may be named for its first or its last year."""
    told = int(match["year"])
    year = told if told > 99 else 2000 + told
    return Day(match.start(), match.end(), years=(year - 1, year), fiscal=True)


def _year(match: re.Match[str]) -> Day:
    year = int(match["year"])
    return Day(match.start(), match.end(), years=(year, year))


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w£$€₱.,])(?:{text})(?![\w%]|[.,]\d)", re.IGNORECASE)


READINGS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Day | None]], ...] = (
    (_pattern(rf"{_ANY_YEAR}[-/](?P<m>\d\d)[-/](?P<d>\d\d)(?:[T\s]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|\sUTC)?)?"), _iso),
    (_pattern(r"(?P<a>\d{1,2})[/.-](?P<b>\d{1,2})[/.-](?P<year>(?:19|20)\d\d|\d\d)"), _figures),
    (_pattern(rf"{_DAY}\s(?:of\s)?{_MONTH}(?:,?\s{_ANY_YEAR})?"), _written),
    (_pattern(rf"{_MONTH}\s(?:the\s)?{_DAY}(?:,?\s{_ANY_YEAR})?(?!\d)"), _written),
    (_pattern(rf"{_MONTH}(?:,|\sof)?\s{_YEAR}"), _month),
    (_pattern(rf"(?:Q(?P<q>[1-4])|(?:the\s)?(?P<word>{'|'.join(QUARTERS)})\squarter)(?:\sof)?[\s,]*{_YEAR}(?P<before>)?"), _quarter),
    (_pattern(r"(?P<before>(?:19|20)\d\d)[\s-]?Q(?P<q>[1-4])(?P<word>)?(?P<year>)?"), _quarter),
    (_pattern(rf"(?:H(?P<h>[12])|(?:the\s)?(?P<word>first|second|latter)\shalf)(?:\sof)?\s{_YEAR}"), _half),
    (_pattern(rf"(?P<part>{'|'.join(sorted(PARTS, key=len, reverse=True))})(?:[\s-]|\sof\s)+{_YEAR}"), _part),
    (_pattern(rf"(?:FY\s?)?{_YEAR}(?:[-–/]|\sto\s)(?P<to>(?:19|20)\d\d|\d\d)(?!\d)"), _fiscal),
    (_pattern(r"FY\s?(?P<year>(?:19|20)\d\d|\d\d)"), _short_fiscal),
    (_pattern(_YEAR), _year),
)

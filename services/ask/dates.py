"""The grammar of ranges of days, cut out of a question before its words are looked at.

The name of a month counts only where a date can stand: "may" and "march" are words, too.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

MONTHS = {
    name: place
    for place, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug", "september sep sept",
            "october oct", "november nov", "december dec",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
NUMBERS = {
    word: place
    for place, word in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), 1)
} | {"a": 1, "fifteen": 15, "twenty": 20, "thirty": 30, "sixty": 60, "ninety": 90}  # fmt: skip
ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "last": 4}
# Words of ranges that nothing else is like: "march" is a letter from a match, and "week" from a weak.
UNMISTAKABLE = ("yesterday", "quarter", "january", "february", "september", "october", "november", "december")
_MONTH = "(?:" + "|".join(sorted(MONTHS, key=len, reverse=True)) + ")"
_YEAR = r"(?:19|20)\d\d"
_N = r"(?:\d{1,4}|" + "|".join(sorted(NUMBERS, key=len, reverse=True)) + ")"
_DAY = (
    rf"(?:\d{{4}}-\d\d?-\d\d?|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH}(?:,? {_YEAR})?|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?:,? {_YEAR})?)"
)
# What can stand on either side of "since", "between … and …".
_POINT = (
    rf"(?:{_DAY}|{_MONTH}(?: of)?(?: {_YEAR})?|q[1-4](?: {_YEAR})?|{_YEAR}|yesterday|today|last (?:week|month|quarter|year)"
    r"|(?:start|beginning) of (?:the |this )?(?:week|month|quarter|year))"
)
_NTH = "(?:first|second|third|fourth|1st|2nd|3rd|4th|last)"
_UNIT = "(day|week|month|quarter|year)s?"


@dataclass(frozen=True, slots=True)
class Period:
    """Days [start, end); an open side is None. `words` are for people."""

    start: date | None
    end: date | None
    words: str

    def before(self) -> "Period | None":
        """The period of the same length just before; whole months stay whole months. None where a side is open."""
        if self.start is None or self.end is None:
            return None
        months = (self.end.year - self.start.year) * 12 + self.end.month - self.start.month
        if self.start.day == self.end.day == 1 and months:
            return period(add_months(self.start, -months), self.start)
        return period(self.start - (self.end - self.start), self.start)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Today in the reporting zone, and the month in which a school year begins."""

    today: date
    school_month: int = 6


def period(start: date | None, end: date | None) -> Period:
    """With its days as words."""
    if start is None:
        return Period(start, end, f"before {end}")
    if end is None:
        return Period(start, end, f"since {start}")
    last = end - timedelta(days=1)
    return Period(start, end, f"{start}" if last == start else f"{start} to {last}")


def add_months(day: date, months: int) -> date:
    """The first of the month so many months on."""
    place = day.year * 12 + day.month - 1 + months
    return date(place // 12, place % 12 + 1, 1)


def whole(unit: str, day: date) -> tuple[date, date]:
    """The day, week (from Monday), month, quarter or year that a day lies in."""
    match unit:
        case "day":
            return day, day + timedelta(days=1)
        case "week":
            monday = day - timedelta(days=day.weekday())
            return monday, monday + timedelta(days=7)
        case "month":
            return add_months(day, 0), add_months(day, 1)
        case "quarter":
            first = date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
            return first, add_months(first, 3)
        case _:
            return date(day.year, 1, 1), date(day.year + 1, 1, 1)


def school_year(calendar: Calendar, back: int) -> Period:
    """The school year that today lies in, or one so many before."""
    first = calendar.today.year - (calendar.today.month < calendar.school_month) - back
    return period(date(first, calendar.school_month, 1), date(first + 1, calendar.school_month, 1))


def _relative(match: re.Match[str], calendar: Calendar) -> Period:
    which, unit = match[1], match[2]
    start, end = whole(unit, calendar.today)
    if which in ("last", "previous", "past"):
        return period(*whole(unit, start - timedelta(days=1)))
    return period(*whole(unit, end)) if which in ("next", "coming") else period(start, end)


def _last_n(match: re.Match[str], calendar: Calendar) -> Period:
    """So many days that end today; so many whole months, quarters or years that include the current one's days until today."""
    n, unit, end = _number(match[1]), match[2], calendar.today + timedelta(days=1)
    if unit in ("day", "week"):
        return period(end - timedelta(days=n * (7 if unit == "week" else 1)), end)
    months = n * {"month": 1, "quarter": 3, "year": 12}[unit]
    first = add_months(calendar.today, -months)
    day = min(calendar.today.day, (add_months(first, 1) - timedelta(days=1)).day)
    return period(first.replace(day=day) + timedelta(days=1), end)


def _quarter(match: re.Match[str], calendar: Calendar) -> Period:
    told, year = match[1], match[2]
    n = int(told[1]) if told[0] == "q" else ORDINALS[told.split()[0]]
    first = date(int(year) if year else calendar.today.year, 3 * n - 2, 1)
    return period(first, add_months(first, 3))


def _month(match: re.Match[str], calendar: Calendar) -> Period:
    """A month without a year is the newest that has begun."""
    n, year = MONTHS[match[1]], match[2]
    first = date(int(year), n, 1) if year else date(calendar.today.year - (n > calendar.today.month), n, 1)
    return period(first, add_months(first, 1))


def _between(match: re.Match[str], calendar: Calendar) -> Period:
    return period(_point(match[1], calendar).start, _point(match[2], calendar).end)


def _since(match: re.Match[str], calendar: Calendar) -> Period:
    return period(_point(match[1], calendar).start, calendar.today + timedelta(days=1))


def _after(match: re.Match[str], calendar: Calendar) -> Period:
    return period(_point(match[1], calendar).end, None)


def _before(match: re.Match[str], calendar: Calendar) -> Period:
    return period(None, _point(match[1], calendar).start)


def _until(match: re.Match[str], calendar: Calendar) -> Period:
    return period(None, _point(match[1], calendar).end)


def _to_date(match: re.Match[str], calendar: Calendar) -> Period:
    unit = {"ytd": "year", "mtd": "month", "qtd": "quarter"}.get(match[0]) or match[1] or match[0].split()[-1]
    return period(whole(unit, calendar.today)[0], calendar.today + timedelta(days=1))


def _one_day(match: re.Match[str], calendar: Calendar) -> Period:
    return _point(match[1], calendar)


def _year(match: re.Match[str], _: Calendar) -> Period:
    return period(*whole("year", date(int(match[1]), 1, 1)))


RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Calendar], Period]], ...] = tuple(
    (re.compile(rf"(?<![\w-]){form}(?![\w-])"), rule)
    for form, rule in (
        (rf"(?:between|from) ({_POINT}) (?:and|to|until|till|through) ({_POINT})", _between),
        (rf"({_DAY}) (?:to|until|till|through) ({_DAY})", _between),
        (rf"(?:since|starting from|from) ({_POINT})(?: on| onwards?)?", _since),
        (rf"after ({_POINT})", _after),
        (rf"before ({_POINT})", _before),
        (rf"(?:until|till|up to) ({_POINT})", _until),
        (r"(year|month|quarter|week) to date|ytd|mtd|qtd|so far this (?:year|month|quarter|week)", _to_date),
        (r"(this|the current|current|last|previous) school year", lambda m, c: school_year(c, int(m[1] in ("last", "previous")))),
        (rf"(?:in |during |over |within |for )?(?:the )?(?:last|past|previous) ({_N}) {_UNIT}", _last_n),
        (r"(?:in |during |for |over )?(?:the )?(last|past|previous|this|current|next|coming) (week|month|quarter|year)", _relative),
        (rf"(?:in |during |for )?(?:the )?(q[1-4]|{_NTH} quarter)(?: of)?(?: ({_YEAR}))?", _quarter),
        (rf"(?:on |for )?({_DAY})", _one_day),
        (rf"(?:in |during |for |of )({_MONTH})(?:,? (?:of )?({_YEAR}))?", _month),
        (rf"({_MONTH})(?: of)? ({_YEAR})", _month),
        (rf"(january|february|april|june|july|august|september|october|november|december)(?: ({_YEAR}))?", _month),
        (rf"(?:in |during |for |of )?(?:the year )?({_YEAR})", _year),
        (r"(?:on |for )?(today|yesterday)", _one_day),
    )
)  # fmt: skip


# Without one of these there is no range in a text, and nine texts of ten have none.
_HINT = re.compile(
    rf"\d|(?<![a-z])(?:{_MONTH}|this|last|past|previous|next|coming|current|today|yesterday|ytd|mtd|qtd|quarter|to date)(?![a-z])"
)


def cut(text: str, calendar: Calendar) -> tuple[str, list[Period]]:
    """The text with a mark, `\\x01`, where each range stood, and the ranges in their order.

    What looks like a date and is none ("31 February") is left: its words are unknown then, and nothing is answered.
    """
    if not _HINT.search(text):
        return text, []
    found: dict[int, tuple[int, Period]] = {}
    rest = text
    for form, rule in RULES:
        for match in form.finditer(rest):
            try:
                made = rule(match, calendar)
            except (ValueError, OverflowError):
                continue
            if made.start is not None and made.end is not None and made.start >= made.end:
                continue
            found[match.start()] = (match.end(), made)
            # The same length keeps the places of the others.
            rest = rest[: match.start()] + "\x01" + "\x02" * (match.end() - match.start() - 1) + rest[match.end() :]
    return rest.replace("\x02", ""), [found[place][1] for place in sorted(found)]


def _number(told: str) -> int:
    return int(told) if told.isdigit() else NUMBERS[told]


def _point(told: str, calendar: Calendar) -> Period:  # noqa: PLR0911 - one return a form reads best
    """The day, month, quarter or year that somebody names. Raises ValueError for a day that does not exist."""
    if told in ("today", "yesterday"):
        return period(*whole("day", calendar.today - timedelta(days=told == "yesterday")))
    if begin := re.fullmatch(r"(?:start|beginning) of (?:the |this )?(\w+)", told):
        return period(*whole("day", whole(begin[1], calendar.today)[0]))
    if last := re.fullmatch(r"last (\w+)", told):
        return period(*whole(last[1], whole(last[1], calendar.today)[0] - timedelta(days=1)))
    if quarter := re.fullmatch(rf"(q[1-4])(?: ({_YEAR}))?", told):
        return _quarter(quarter, calendar)
    if re.fullmatch(_YEAR, told):
        return period(*whole("year", date(int(told), 1, 1)))
    if iso := re.fullmatch(r"(\d{4})-(\d\d?)-(\d\d?)", told):
        return period(*whole("day", date(int(iso[1]), int(iso[2]), int(iso[3]))))
    if month := re.fullmatch(rf"({_MONTH})(?: of)?(?: ({_YEAR}))?", told):
        return _month(month, calendar)
    return period(*whole("day", _day(told, calendar)))


def _day(told: str, calendar: Calendar) -> date:
    """A day without a year is the newest that is not in the future."""
    words = re.findall(r"[a-z]+|\d+", told)
    month = next(MONTHS[word] for word in words if word in MONTHS)
    digits = [int(word) for word in words if word.isdigit()]
    year = next((n for n in digits if n > 31), None)
    number = next(n for n in digits if n <= 31)
    if year is not None:
        return date(year, month, number)
    day = date(calendar.today.year, month, number)
    return day if day <= calendar.today else date(calendar.today.year - 1, month, number)

"""Answers in words: numbers with their units, and what the question was taken to mean. Plain text, no markup."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.ask.compile import filters
from services.ask.figures import Cell, Figures, amount
from services.ask.frame import GRAIN, Frame
from services.ask.model import Measure, Subject

UNKNOWN = "unknown"
TOLD = 5  # groups in the sentence; all are in the table


@dataclass(frozen=True, slots=True)
class Worded:
    """`interpretation` says how the question was read; `columns` are (label, unit) of the table."""

    answer: str
    interpretation: str
    columns: tuple[tuple[str, str], ...]


def word(frame: Frame, subject: Subject, figures: Figures) -> Worded:
    """The sentence for the shape of the question."""
    measure = subject.measure(frame.measure)
    about = _about(frame, subject)
    keys = tuple((_key_label(name, subject), "date" if name.startswith(GRAIN) else "text") for name in frame.by)
    columns = (*keys, (measure.label, measure.unit))
    match frame.shape:
        case "list":
            answer, columns = _listed(subject, figures, about), tuple((label, "text") for label, _ in subject.listing)
        case "compare":
            answer = _compared(frame, subject, measure, figures, about)
            columns = (*keys, (measure.label, measure.unit), ("the period before", measure.unit))
        case "share":
            answer = _share(frame, subject, measure, figures, about)
            whole = (("of", measure.unit),) if frame.part else ()
            columns = (*columns, *whole, ("share", "share"))
        case _ if frame.by:
            answer = _groups(frame, subject, measure, figures, about)
        case _:
            answer = _one(measure, figures.rows[0][-1], about)
    return Worded(" ".join([answer, *figures.notes]), _interpretation(frame, subject, measure, about), columns)


def number(value: Cell, unit: str) -> str:
    """A value in its unit, to the digit where it is counted."""
    if value is None:
        return UNKNOWN
    if isinstance(value, str | date):
        return str(value)
    if unit in UNITS:
        return UNITS[unit](value)
    return f"{value:,}" if isinstance(value, int) else f"{float(value):,.1f}"


def _dollars(value: Decimal) -> str:
    return f"${value:,.2f}" if value == 0 or abs(value) >= 1 else f"${value:.6f}".rstrip("0")


def _share_text(value: float | Decimal) -> str:
    return f"{float(value):.1%}" if not 0 < abs(float(value)) < 0.001 else f"{float(value):.3%}"


UNITS: dict[str, Callable[[int | float | Decimal], str]] = {
    "usd": lambda value: _dollars(Decimal(str(value))),
    "php": lambda value: f"₱{Decimal(str(value)) / 100:,.2f}",
    "gbp_thousands": lambda value: f"£{float(value):,.1f} thousand",
    "share": _share_text,
    "percent": lambda value: f"{float(value):,.1f} %",
    "ms": lambda value: f"{float(value):,.0f} ms" if float(value) < 1_000 else f"{float(value) / 1_000:,.2f} s",
    "s": lambda value: f"{float(value):,.0f} s",
    "days": lambda value: f"{float(value):,.1f} days",
    "per_min": lambda value: f"{float(value):,.2f} a minute",
    "rating": lambda value: f"{float(value):.2f} of 5",
}


def _about(frame: Frame, subject: Subject) -> list[str]:
    """The filters and the days, as people say them."""
    said = []
    for name, values in filters(frame, subject.measure(frame.measure)).items():
        dimension = subject.dimension(name)
        said.append(f"{dimension.label} {' or '.join(dimension.words.get(value, value) for value in values)}")
    if frame.period is not None:
        when = subject.when(frame.when)
        said.append(f"{when.label} {frame.period.words}" if when.label != "in" else frame.period.words)
    return said


def _key_label(name: str, subject: Subject) -> str:
    return name[1:] if name.startswith(GRAIN) else subject.dimension(name).label


def _key(frame: Frame, subject: Subject, row: Sequence[Cell]) -> str:
    return ", ".join(key_text(frame, subject, place, row[place]) for place in range(len(frame.by)))


def key_text(frame: Frame, subject: Subject, place: int, value: Cell) -> str:
    """A key of a row as people say it."""
    name = frame.by[place]
    if name.startswith(GRAIN) and isinstance(value, date):
        return _bucket(value, name[1:])
    if value is None or value == "":
        return UNKNOWN
    return subject.dimension(name).words.get(str(value), str(value)) if not name.startswith(GRAIN) else str(value)


def _bucket(day: date, grain: str) -> str:
    match grain:
        case "month":
            return f"{day:%Y-%m}"
        case "quarter":
            return f"Q{(day.month + 2) // 3} {day.year}"
        case "year":
            return str(day.year)
        case "week":
            return f"week of {day}"
        case _:
            return str(day)


def _in_brackets(about: Sequence[str]) -> str:
    return f" ({'; '.join(about)})" if about else ""


def _one(measure: Measure, value: Cell, about: Sequence[str]) -> str:
    if measure.name == "count":
        return f"{number(value, measure.unit)} {measure.label}{_in_brackets(about)}."
    return f"{_capital(measure.label)}: {number(value, measure.unit)}{_in_brackets(about)}."


def _groups(frame: Frame, subject: Subject, measure: Measure, figures: Figures, about: Sequence[str]) -> str:
    by = " and ".join(_key_label(name, subject) for name in frame.by)
    if not figures.rows:
        return f"Nothing is known of {measure.label} by {by}{_in_brackets(about)}."
    if frame.shape == "trend" and len(frame.by) == 1:
        return _course(frame, subject, measure, figures, about)
    said = [f"{_key(frame, subject, row)}: {number(row[-1], measure.unit)}" for row in figures.rows[:TOLD]]
    order = {"top": ", highest first", "bottom": ", lowest first"}.get(frame.shape, "")
    more = len(figures.rows) - len(said)
    rest = f"; and {more:,} more in the table" if more else ""
    return f"{_capital(measure.label)} by {by}{order}: {'; '.join(said)}{rest}{_in_brackets(about)}."


def _course(frame: Frame, subject: Subject, measure: Measure, figures: Figures, about: Sequence[str]) -> str:
    known = [row for row in figures.rows if row[-1] is not None]
    if not known:
        return f"{_capital(measure.label)} by {frame.grain}: {UNKNOWN}{_in_brackets(about)}."
    high, last = max(known, key=lambda row: amount(row[-1])), known[-1]
    return (
        f"{_capital(measure.label)} by {frame.grain}: highest {number(high[-1], measure.unit)} in {_key(frame, subject, high)},"
        f" latest {number(last[-1], measure.unit)} in {_key(frame, subject, last)}{_in_brackets(about)}."
    )


def _compared(frame: Frame, subject: Subject, measure: Measure, figures: Figures, about: Sequence[str]) -> str:
    earlier = frame.earlier.words if frame.earlier else ""
    if frame.by:
        said = [f"{_key(frame, subject, row)}: {_change(row[-2], row[-1], measure)}" for row in figures.rows[:TOLD]]
        return f"{_capital(measure.label)} compared with {earlier}: {'; '.join(said) or 'nothing'}{_in_brackets(about)}."
    now, before = figures.rows[0][-2:]
    return f"{_capital(measure.label)}: {_change(now, before, measure)} in {earlier}{_in_brackets(about)}."


def _change(now: Cell, before: Cell, measure: Measure) -> str:
    said = f"{number(now, measure.unit)}, against {number(before, measure.unit)}"
    if not isinstance(now, int | float | Decimal) or not isinstance(before, int | float | Decimal) or not before:
        return said
    return f"{said} ({float(now) / float(before) - 1:+.1%})"


def _share(frame: Frame, subject: Subject, measure: Measure, figures: Figures, about: Sequence[str]) -> str:
    if frame.by and frame.part:
        said = [f"{_key(frame, subject, row)}: {share_text(*row[-2:])}" for row in figures.rows[:TOLD]]
        return f"Share of {measure.label} in each {_key_label(frame.by[0], subject)}: {'; '.join(said) or 'none'}{_in_brackets(about)}."
    if frame.by:
        whole = sum(amount(row[-1]) for row in figures.rows)
        said = [f"{_key(frame, subject, row)}: {share_text(row[-1], whole)}" for row in figures.rows[:TOLD]]
        return f"Shares of all {measure.label}: {'; '.join(said) or 'none'}{_in_brackets(about)}."
    part, whole_of = figures.rows[0][-2:]
    return (
        f"{share_text(part, whole_of)} of {measure.label}: {number(part, measure.unit)} of {number(whole_of, measure.unit)}"
        f"{_in_brackets(about)}."
    )


def share_of(part: Cell, whole: Cell) -> float | None:
    """None where the whole is nothing or unknown."""
    if part is None or not whole:
        return None
    return amount(part) / amount(whole)


def share_text(part: Cell, whole: Cell) -> str:
    return number(share_of(part, whole), "share")


def _listed(subject: Subject, figures: Figures, about: Sequence[str]) -> str:
    if not figures.rows:
        return f"There are no such {subject.label}{_in_brackets(about)}."
    first = f"the first {len(figures.rows)} of them" if figures.total and figures.total > len(figures.rows) else "all of them"
    return f"{figures.total:,} {subject.label}{_in_brackets(about)}; {first} in the table."


def _interpretation(frame: Frame, subject: Subject, measure: Measure, about: Sequence[str]) -> str:
    what = {"list": f"list of {subject.label}", "share": f"share of {measure.label}"}.get(frame.shape, measure.label)
    said = [f"number of {what}" if measure.name == "count" and frame.shape not in ("list", "share") else what]
    if frame.by:
        said.append("by " + " and ".join(_key_label(name, subject) for name in frame.by))
    if frame.shape in ("top", "bottom"):
        said.append(f"{'highest' if frame.shape == 'top' else 'lowest'} {frame.n}")
    if frame.earlier:
        said.append(f"compared with {frame.earlier.words}")
    if frame.period is None and subject.dates:
        said.append("all time")
    return " · ".join([*said, *about])


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]

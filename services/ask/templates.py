"""Every kind of question that can be asked, one example each: the measures by the dimensions, not a list of patterns."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from services import metrics
from services.ask.dates import Calendar, Period, period, whole
from services.ask.frame import GRAIN, Frame, Where
from services.ask.lexicon import Lexicon, Values
from services.ask.model import Category, Dimension, Measure, Subject
from services.ask.subjects import SUBJECTS


@dataclass(frozen=True, slots=True)
class Template:
    """`frame` is what its example must be understood as."""

    category: Category
    name: str
    example: str
    frame: Frame


def enumerate_all(values: Values, calendar: Calendar) -> list[Template]:
    """All of them, by subject."""
    return [template for subject in SUBJECTS.values() for template in _of(subject, values, calendar)]


@lru_cache(maxsize=8)
def of_lexicon(lexicon: Lexicon, calendar: Calendar) -> tuple[Template, ...]:
    """The same, kept while the lexicon and the day are the same."""
    return tuple(enumerate_all(lexicon.values, calendar))


def by_category(templates: list[Template]) -> dict[str, int]:
    """How many there are of each category."""
    counts: dict[str, int] = defaultdict(int)
    for template in templates:
        counts[template.category] += 1
    return dict(counts)


def _of(subject: Subject, values: Values, calendar: Calendar) -> Iterator[Template]:
    noun = subject.nouns[0].said[0] if subject.nouns else ""
    usual = _usual(subject, calendar)
    for measure in subject.measures:
        needed = _needed(subject, measure, values)
        if needed is None:
            continue
        asked = (
            f"How many {noun}"
            if measure.name == "count"
            else f"{measure.label} of {noun}"
            if noun and noun not in measure.label
            else measure.label
        )
        asked += "".join(f" with {subject.dimension(name).label} {told}" for name, (told,) in needed)
        yield _template(subject, f"{measure.name}", f"{asked}?", Frame(subject.name, measure.name, where=needed, period=usual))
        for dimension in _dimensions(subject, measure):
            if dimension.name in dict(needed):
                continue
            by = Frame(subject.name, measure.name, (dimension.name,), where=needed, period=usual)
            yield _template(subject, f"{measure.name} by {dimension.name}", f"{asked} by {dimension.label}?", by)
        if subject.dates:
            yield _dated(subject, measure, asked, calendar)
    count = subject.measures[0]
    if noun:
        for dimension in _dimensions(subject, count):
            yield from _of_values(subject, count, dimension, noun, values)
        if subject.dates and not subject.default_days:
            yield _compared(subject, count, noun, calendar)


def _dated(subject: Subject, measure: Measure, asked: str, calendar: Calendar) -> Template:
    start, end = whole("year", calendar.today)
    frame = Frame(subject.name, measure.name, (f"{GRAIN}month",), period=period(start, end), shape="trend")
    return _template(subject, f"{measure.name} by month", f"{asked} by month in {start.year}?", frame)


def _compared(subject: Subject, measure: Measure, noun: str, calendar: Calendar) -> Template:
    this, last = whole("year", calendar.today), whole("year", calendar.today.replace(month=1, day=1))
    before = period(last[0].replace(year=last[0].year - 1), last[0])
    frame = Frame(subject.name, measure.name, period=period(*this), shape="compare", earlier=before)
    return _template(subject, f"{measure.name} compared", f"How many {noun} this year compared to last year?", frame)


def _of_values(subject: Subject, count: Measure, dimension: Dimension, noun: str, values: Values) -> Iterator[Template]:
    known = list(dimension.values or values.seen.get((subject.name, dimension.name), ()))
    ranked = Frame(subject.name, count.name, (dimension.name,), shape="top", n=1)
    if not subject.default_days:
        yield _template(subject, f"top {dimension.name}", f"Which {dimension.label} has the most {noun}?", ranked)
    known = [value for value in known if len(values.within.get(value, ())) < 2]
    if known and not subject.default_days:
        value, words = known[0], dimension.words.get(known[0], known[0])
        where = ((dimension.name, (value,)),)
        only = Frame(subject.name, count.name, where=where)
        yield _template(subject, f"count of one {dimension.name}", f"How many {noun} with {dimension.label} {words}?", only)
        share = Frame(subject.name, count.name, where=where, shape="share", part=(dimension.name,))
        yield _template(subject, f"share of one {dimension.name}", f"What share of {noun} has {dimension.label} {words}?", share)


def _dimensions(subject: Subject, measure: Measure) -> list[Dimension]:
    known = metrics.MEASURES.get(measure.name) if subject.metrics else None
    return [one for one in subject.dimensions if one.groups and (known is None or metrics.can_split(one.name, known))]


def _needed(subject: Subject, measure: Measure, values: Values) -> Where | None:
    """A value of each dimension that the measure has to be asked with; None where the data has none."""
    if measure is subject.measures[0]:
        return ()
    known = [(name, values.seen.get((subject.name, name), ())[:1]) for name in subject.needs]
    return tuple(sorted(known)) if all(told for _, told in known) else None


def _usual(subject: Subject, calendar: Calendar) -> Period | None:
    """The days that are meant where none are named."""
    end = calendar.today + timedelta(days=1)
    return period(end - timedelta(days=subject.default_days), end) if subject.default_days else None


def _template(subject: Subject, name: str, example: str, frame: Frame) -> Template:
    return Template(subject.category, f"{subject.name}: {name}", example[:1].upper() + example[1:], frame)

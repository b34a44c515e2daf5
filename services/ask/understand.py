"""From phrases to a frame, or to the question that has to be asked back. Nothing is guessed: what stays open is asked."""

from dataclasses import replace
from datetime import timedelta

from services import metrics
from services.ask.choose import Choice, Meant, candidates, usable_by
from services.ask.dates import Calendar, Period, period
from services.ask.frame import GRAIN, Frame
from services.ask.lexicon import Lexicon
from services.ask.model import Subject
from services.ask.outcome import MOST_CHOICES, NotUnderstood, Open, Outcome, Unclear, Understood, capital, either
from services.ask.shape import Shaper
from services.ask.spans import Scanned, scan

LARGE = ("Prov", "City", "Mun")  # what lies in no municipality
MOST_BARE = 5  # phrases of a question that names a value alone, such as a place
GRAIN_DAYS = {"day": 30, "week": 84, "month": 365, "quarter": 730, "year": 1_825}


def understand(message: str, lexicon: Lexicon, calendar: Calendar, context: Frame | None = None) -> Outcome:
    """`context` is the frame of the answer before, for questions that go on from it."""
    scanned = scan(message, lexicon, calendar)
    if scanned.unknown:
        return NotUnderstood(scanned.unknown)
    content = [span for span in scanned.spans if span.content]
    if not content and not (context and (scanned.periods or any(span.has("grain") or span.has("operator") for span in scanned.spans))):
        return NotUnderstood(())
    chosen = candidates(scanned.spans, lexicon, context.subject if context else None)
    if not chosen:
        return _unusable(message, scanned, lexicon)
    if len(chosen) > 1:
        choices = tuple(f"{message.rstrip(' ?')} ({choice.subject.label})?" for choice in chosen[:MOST_CHOICES])
        return Open(f"Is this about {either([choice.subject.label for choice in chosen])}?", choices)
    try:
        frame = _Builder(message, chosen[0], scanned, lexicon, calendar).frame(context)
    except Unclear as unclear:
        return unclear.open
    return Understood(frame, scanned.repaired)


def _unusable(message: str, scanned: Scanned, lexicon: Lexicon) -> Outcome:
    """Every word is known, but no subject has all of it."""
    named = [atom.subject for span in scanned.spans for atom in span.atoms if atom.kind in ("noun", "measure")]
    if not named:
        usable = usable_by(scanned.spans, lexicon)
        if not usable or len(scanned.spans) > MOST_BARE:
            return NotUnderstood(())
        choices = tuple(f"How many {subject.nouns[0].said[0]} {message.rstrip(' ?')}?" for subject in usable[:MOST_CHOICES])
        return Open("What shall be counted?", choices)
    subject = lexicon.subjects[named[0]]
    odd = [span.text for span in scanned.spans if span.content and not span.of(subject.name)]
    dimensions = [one.label for one in subject.dimensions if one.groups] or ["nothing else"]
    return Open(
        f"{subject.label[0].upper()}{subject.label[1:]} cannot be asked by {either(odd or ['that'])}; they can by {either(dimensions)}."
    )


class _Builder:
    """One question about one subject."""

    def __init__(self, message: str, choice: Choice, scanned: Scanned, lexicon: Lexicon, calendar: Calendar) -> None:
        self._message = message.rstrip(" ?")
        self._choice = choice
        self._scanned = scanned
        self._lexicon = lexicon
        self._calendar = calendar
        self._subject: Subject = choice.subject
        self._operators = choice.operators()
        self._follows = bool(scanned.spans) and scanned.spans[0].has("follow")

    def frame(self, context: Frame | None) -> Frame:
        """Raises Unclear with the question that must be answered first."""
        fresh = (self._choice.settled("noun") or self._choice.settled("measure")) and not self._follows
        base = Frame(self._subject.name) if fresh or context is None else self._carried(context)
        made = replace(base, measure=self._measure(base), by=self._by(base), when=self._when(base))
        made = made.narrowed(self._where())
        made = self._placed(self._in_time(made))
        made = Shaper(self._message, self._choice, dated=bool(self._scanned.periods)).shaped(made)
        self._check(made)
        return made

    # --- what is kept of the frame before ---

    def _carried(self, context: Frame) -> Frame:
        """The frame before, as far as the subject of this question has what it names."""
        if context.subject == self._subject.name:
            return replace(context, shape="plain" if context.shape in ("compare", "list") else context.shape, earlier=None)
        where = tuple((name, values) for name, values in context.where if self._subject.has(name) and self._shares(context, name))
        keeps = tuple(name for name in context.by if name.startswith(GRAIN) or self._subject.has(name))
        days = context.period if self._subject.dates else None
        return Frame(self._subject.name, by=keeps if self._subject.metrics else (), where=where, period=days)

    def _shares(self, context: Frame, dimension: str) -> bool:
        """Whether a value of the one subject means the same in the other."""
        both_metrics = self._subject.metrics and self._lexicon.subjects[context.subject].metrics
        return both_metrics or self._subject.dimension(dimension).shared

    # --- measure, grouping, filters ---

    def _measure(self, base: Frame) -> str:
        names = list(dict.fromkeys(one.atom.name for one in self._choice.of("measure")))
        if len(names) > 1 and "count" not in names:
            labels = [self._subject.measure(name).label for name in names]
            raise Unclear(f"One measure at a time, please: {either(labels)}?")
        name = names[0] if names else base.measure if not self._choice.settled("noun") else self._subject.measures[0].name
        if "average" in self._operators:
            average = self._subject.measure(name).average
            if average is None:
                raise Unclear(f"There is no average of {self._subject.measure(name).label}.", self._examples())
            return average
        if "total" in self._operators and not self._subject.measure(name).additive:
            raise Unclear(f"{capital(self._subject.measure(name).label)} cannot be added up.")
        return name

    def _by(self, base: Frame) -> tuple[str, ...]:
        told = [one.atom.name for one in self._choice.of("dimension")]
        told += [GRAIN + one.atom.name for one in self._choice.of("grain")]
        by = tuple(dict.fromkeys(told))
        if stray := self._choice.ungrouped():
            label = stray.span.text
            raise Unclear(f"Is it to be grouped by {label}?", [f"{self._message} by {label}?"])
        if len(by) > 2:
            raise Unclear("Group by one or two things at a time, please.")
        return by or base.by

    def _when(self, base: Frame) -> str | None:
        told = self._choice.of("when")
        if not told:
            return base.when
        first = self._subject.dates[0].name
        name = next((one.atom.name for one in told if one.atom.name != first), first)
        if name != first and not self._scanned.periods and base.period is None:
            choices = [f"{self._message} {span}?" for span in ("this month", "this year", "last year")]
            raise Unclear(f"{capital(told[0].span.text)} when?", choices)
        return None if name == first else name

    def _where(self) -> dict[str, tuple[str, ...]]:
        where: dict[str, list[str]] = {}
        for one in self._choice.of("noun"):
            for name, value in one.atom.where:
                where.setdefault(name, []).append(value)
        values = self._choice.of("value")
        settled = {(one.span.words, one.atom.name) for one in values if not one.options}
        for one in values:
            if one.options:
                self._settle(one, settled, where)
                continue
            where.setdefault(one.atom.name, []).append(one.atom.value)
        return {name: tuple(dict.fromkeys(told)) for name, told in where.items()}

    def _settle(self, one: Meant, settled: set[tuple[tuple[str, ...], str]], where: dict[str, list[str]]) -> None:
        """A name that several things have: said again with its kind, or the one that can hold what is counted."""
        if any(words == one.span.words for words, _ in settled):
            return
        inside = {level for level in where.get("level", ()) if level in LARGE}
        left = [atom for atom in one.options if not (inside and atom.name == "municipality")]
        if len(left) == 1:
            where.setdefault(left[0].name, []).append(left[0].value)
            return
        self._ask_which(one)

    def _ask_which(self, one: Meant) -> None:
        """A name that several things have."""
        if len({(atom.name, atom.value) for atom in one.options}) == 1:
            return
        choices = []
        for atom in one.options:
            dimension = self._subject.dimension(atom.name)
            choices += [
                f"{self._message} ({dimension.label} of {self._place(atom.name, atom.value, only)})?"
                for only in self._holders(atom.name, atom.value)
            ]
        raise Unclear(f"Which {one.span.text.title()} is meant?", choices)

    def _holders(self, name: str, value: str) -> tuple[str, ...]:
        return self._lexicon.within.get(value, ()) if name == "municipality" and self._subject.name == "communities" else ("",)

    def _place(self, name: str, value: str, province: str) -> str:
        return f"{value}, {province}" if province and name == "municipality" else value

    def _placed(self, frame: Frame) -> Frame:
        """Of several municipalities of one name, the one that is meant."""
        for name in frame.values("municipality"):
            provinces = self._lexicon.within.get(name, ())
            if len(provinces) > 1 and not set(frame.values("province")) & set(provinces) and not frame.values("region"):
                raise Unclear(f"Which {name} is meant?", [f"{self._message} ({name}, {province})?" for province in provinces])
        return frame

    # --- time ---

    def _in_time(self, frame: Frame) -> Frame:
        told = self._scanned.periods
        if (told or frame.grain) and not self._subject.dates:
            raise Unclear(f"{capital(self._subject.label)} have no dates here: they are as they were imported last.")
        if len(told) > 2 or (len(told) == 2 and not {"compare", "previous"} & set(self._operators)):
            raise Unclear("One range of days at a time, please, or two to compare.")
        if told:
            frame = replace(frame, period=told[0], earlier=told[1] if len(told) == 2 else None)
        if frame.period is None and self._subject.default_days:
            days = max(self._subject.default_days, GRAIN_DAYS.get(frame.grain or "", 0))
            frame = replace(frame, period=self._last(days))
        return frame

    def _last(self, days: int) -> Period:
        end = self._calendar.today + timedelta(days=1)
        return period(end - timedelta(days=days), end)

    # --- what cannot be ---

    def _check(self, frame: Frame) -> None:
        for name in frame.by:
            if not name.startswith(GRAIN) and not self._subject.dimension(name).groups and frame.shape not in ("top", "bottom"):
                raise Unclear(f"{capital(self._subject.label)} cannot be grouped by {name}.")
        if self._subject.metrics:
            self._check_metrics(frame)
        if frame.measure != self._subject.measures[0].name:
            self._check_needs(frame)

    def _check_needs(self, frame: Frame) -> None:
        """A total of several fields, or of several years, says nothing."""
        for name in self._subject.needs:
            told = frame.values(name)
            if name not in frame.by and (len(told) != 1 or name in frame.part):
                label = self._subject.dimension(name).label
                raise Unclear(f"Of which {label}? Name one, or group by it.", [f"{self._message} by {label}?"])

    def _check_metrics(self, frame: Frame) -> None:
        """The catalogue knows which of its measures can be split by what, and nothing about days without an end."""
        known = metrics.MEASURES[frame.measure]
        for name in (*(name for name in frame.by if not name.startswith(GRAIN)), *(name for name, _ in frame.where)):
            if not metrics.can_split(name, known):
                splits = [one.label for one in self._subject.dimensions if metrics.can_split(one.name, known)]
                raise Unclear(
                    f"{capital(known.label)} cannot be asked by {self._subject.dimension(name).label}; it can by {either(splits)}."
                )
        if frame.period is None or frame.period.start is None or frame.period.end is None:
            raise Unclear("From when to when?", [f"{self._message} {span}?" for span in ("this month", "this year")])

    def _examples(self) -> tuple[str, ...]:
        return tuple(f"{capital(one.label)}?" for one in self._subject.measures if not one.additive)

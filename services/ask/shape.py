"""The shape of an answer: one number, a ranking, a course, a comparison, a share or a list."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from services.ask.choose import Choice
from services.ask.dates import Period
from services.ask.frame import GRAIN, Frame, Shape
from services.ask.model import Subject
from services.ask.outcome import Unclear, capital, either

TOP = 5
METRIC_GRAINS = ("day", "week", "month")


class Shaper:
    """Of one question about one subject."""

    def __init__(self, message: str, choice: Choice, *, dated: bool) -> None:
        self._message = message.rstrip(" ?")
        self._choice = choice
        self._dated = dated
        self._subject: Subject = choice.subject
        self._operators = choice.operators()

    def shaped(self, frame: Frame) -> Frame:
        """The frame in the shape that the words ask for; raises Unclear."""
        numbers = [int(one.atom.value) for one in self._choice.of("number")]
        ranks: tuple[Shape, ...] = ("top", "bottom")
        for shape in ranks:
            if shape in self._operators:
                return self._ranked(frame, shape, numbers)
        if numbers:
            raise Unclear("A number means something here only as in “top 5”, and in dates.")
        others: tuple[tuple[bool, Callable[[Frame], Frame]], ...] = (
            (bool({"compare", "previous"} & set(self._operators)), self._compared),
            ("share" in self._operators, self._shared),
            ("trend" in self._operators or frame.grain is not None, self._trend),
        )
        return next((make(frame) for wanted, make in others if wanted), None) or self._plain(frame)

    def _plain(self, frame: Frame) -> Frame:
        several = tuple(name for name, values in frame.where if len(values) > 1)
        if several and not frame.by:
            return replace(frame, by=several[:1])
        if self._lists(frame):
            return replace(frame, shape="list")
        changed = bool(self._choice.of("dimension")) or self._choice.settled("measure")
        return replace(frame, shape="plain", n=None) if frame.shape in ("trend", "share", "list") and changed else frame

    def _ranked(self, frame: Frame, shape: Shape, numbers: Sequence[int]) -> Frame:
        by = frame.by
        if not by and self._subject.has("place") and (self._choice.settled("noun") or frame.values("level")):
            by = ("place",)
        if not by:
            grouped = [one.label for one in self._subject.dimensions if one.groups]
            raise Unclear(f"By what shall it be ranked: {either(grouped)}?", [f"{self._message} by {label}?" for label in grouped])
        one_wanted = any(not _many(one.span.text) for one in (*self._choice.of("dimension"), *self._choice.of("grain")))
        one_wanted |= by == ("place",) and any(not _many(one.span.text) for one in self._choice.of("noun"))
        n = numbers[0] if numbers else 1 if one_wanted and not self._choice.grouped() else TOP
        return replace(frame, shape=shape, n=n, by=by)

    def _compared(self, frame: Frame) -> Frame:
        if frame.earlier:
            return replace(frame, shape="compare")
        several = tuple(name for name, values in frame.where if len(values) > 1)
        if several and "previous" not in self._operators:
            return replace(frame, by=frame.by or several[:1], shape="plain")
        if frame.by and not self._dated and "previous" not in self._operators:
            return replace(frame, shape="plain")
        before = frame.period.before() if frame.period else None
        if before is None:
            if not self._subject.dates:
                raise Unclear("Compare it with what? Name two values, or something to group by.")
            raise Unclear("Compare which days?", [f"{self._message} this month?", f"{self._message} this year?"])
        return replace(frame, shape="compare", earlier=before)

    def _shared(self, frame: Frame) -> Frame:
        """The share of what its filters name, places and levels aside where there are others; or of each group."""
        if not self._subject.measure(frame.measure).additive:
            raise Unclear(f"There is no share of {self._subject.measure(frame.measure).label}.")
        implied = {name for one in self._choice.of("noun") for name, _ in one.atom.where}
        told = [name for name, _ in frame.where if name not in implied]
        part = [name for name in told if not self._subject.dimension(name).shared] or ([] if frame.by else told)
        if not part and not frame.by:
            raise Unclear("The share of what? Name a value, or something to group by.")
        return replace(frame, shape="share", part=tuple(part))

    def _trend(self, frame: Frame) -> Frame:
        by = frame.by
        if frame.grain is None:
            by = (GRAIN + self._grain(frame.period), *by)[:2]
        if not self._subject.dates:
            raise Unclear(f"{capital(self._subject.label)} have no dates here: they are as they were imported last.")
        if self._subject.metrics and by and any(name.startswith(GRAIN) and name[1:] not in METRIC_GRAINS for name in by):
            raise Unclear(
                f"{capital(self._subject.measure(frame.measure).label)} is known by day, week or month.", [f"{self._message} by month?"]
            )
        return replace(frame, by=tuple(sorted(by, key=lambda name: not name.startswith(GRAIN))), shape="trend", n=None)

    def _grain(self, told: Period | None) -> str:
        if told is None or told.start is None or told.end is None:
            return "month"
        days = (told.end - told.start).days
        return "day" if days <= 31 else "week" if days <= 120 else "month"

    def _lists(self, frame: Frame) -> bool:
        other = {"count", "average", "total"} & set(self._operators)
        return "list" in self._operators and not other and not frame.by and frame.measure == "count" and bool(self._subject.listing)


def _many(words: str) -> bool:
    """Whether it asks for several: "regions", and not "status" or "class"."""
    return words.endswith("s") and not words.endswith(("ss", "us"))

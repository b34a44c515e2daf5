"""A frame as one statement: names come from the model alone, every value is a parameter."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from services.ask.dates import Period
from services.ask.frame import GRAIN, Frame
from services.ask.model import Measure, Subject
from services.clock import day_start

MOST_GROUPS = 200
MOST_LISTED = 20
Value = str | int | date | datetime | list[str]


@dataclass(frozen=True, slots=True)
class Statement:
    """`sql` has :name placeholders for `values`. Its rows are the keys in the order of `by`, then value (and whole, earlier)."""

    sql: str
    values: Mapping[str, Value]


def statement(frame: Frame, subject: Subject, zone: ZoneInfo) -> Statement:
    """For a subject with a table of its own."""
    compiler = _Compiler(frame, subject, zone)
    return compiler.listing() if frame.shape == "list" else compiler.aggregate()


def filters(frame: Frame, measure: Measure) -> dict[str, tuple[str, ...]]:
    """All filters that hold, those of the measure included: a population of no level is summed over the smallest places."""
    told = dict(frame.where)
    if not frame.values("level") and "level" not in frame.by:
        told |= {name: (value,) for name, value in measure.within if name not in told}
    return told


class _Compiler:
    def __init__(self, frame: Frame, subject: Subject, zone: ZoneInfo) -> None:
        self._frame = frame
        self._subject = subject
        self._zone = zone
        self._measure = subject.measure(frame.measure)
        self._values: dict[str, Value] = {}

    def aggregate(self) -> Statement:
        keys = [f"{self._key(name)} as k{place}" for place, name in enumerate(self._frame.by)]
        where = self._where()
        value = self._measure.sql
        picked = [*keys, f"{value} as value"]
        if self._frame.part:
            where, part = self._parted()
            picked = [*keys, f"{_only(value, part)} as value", f"{value} as whole"]
        elif self._frame.earlier:
            days, earlier = self._days(self._frame.period, "p"), self._days(self._frame.earlier, "e")
            where = [*self._conditions(self._filters()), f"(({_all(days)}) or ({_all(earlier)}))"]
            picked = [*keys, f"{_only(value, days)} as value", f"{_only(value, earlier)} as earlier"]
        grouping = " group by " + ", ".join(str(place + 1) for place in range(len(keys))) if keys else ""
        return Statement(
            f"select {', '.join(picked)} from {self._subject.table}{_having(where)}{grouping}{self._order(len(keys))}",  # noqa: S608
            self._values,
        )

    def listing(self) -> Statement:
        columns = ", ".join(f"{expression} as c{place}" for place, (_, expression) in enumerate(self._subject.listing))
        self._values["most"] = MOST_LISTED
        return Statement(
            f"select {columns}, count(*) over () as value from {self._subject.table}{_having(self._where())}"  # noqa: S608
            f" order by {self._subject.order} limit :most",
            self._values,
        )

    def _key(self, name: str) -> str:
        if not name.startswith(GRAIN):
            return self._subject.dimension(name).column
        when = self._subject.when(self._frame.when)
        column = when.column
        if when.instant:
            self._values["zone"] = self._zone.key
            column = f"({column} at time zone :zone)"
        return f"date_trunc('{name[1:]}', {column}::timestamp)::date"

    def _filters(self) -> dict[str, tuple[str, ...]]:
        return filters(self._frame, self._measure)

    def _where(self) -> list[str]:
        return self._conditions(self._filters()) + self._days(self._frame.period, "p") + self._known()

    def _known(self) -> list[str]:
        """A row without the date that a course is drawn by has no place in it."""
        return [f"{self._subject.when(self._frame.when).column} is not null"] if self._frame.grain else []

    def _parted(self) -> tuple[list[str], list[str]]:
        told = self._filters()
        part = {name: values for name, values in told.items() if name in self._frame.part}
        rest = {name: values for name, values in told.items() if name not in self._frame.part}
        return self._conditions(rest) + self._days(self._frame.period, "p"), self._conditions(part)

    def _conditions(self, told: Mapping[str, tuple[str, ...]]) -> list[str]:
        made = []
        for name, values in sorted(told.items()):
            self._values[f"w_{name}"] = list(values)
            made.append(f"{self._subject.dimension(name).column} = any(:w_{name})")
        return made

    def _days(self, told: Period | None, prefix: str) -> list[str]:
        if told is None:
            return []
        when = self._subject.when(self._frame.when)
        made = []
        for side, sign, day in (("start", ">=", told.start), ("end", "<", told.end)):
            if day is not None:
                self._values[f"{prefix}_{side}"] = day_start(day, self._zone) if when.instant else day
                made.append(f"{when.column} {sign} :{prefix}_{side}")
        return made

    def _order(self, keys: int) -> str:
        if not keys:
            return ""
        names = ", ".join(f"k{place}" for place in range(keys))
        self._values["most"] = self._frame.n or MOST_GROUPS
        if self._frame.shape == "trend":
            return f" order by {names} limit :most"
        up = "asc" if self._frame.shape == "bottom" else "desc"
        return f" order by value {up} nulls last, {names} limit :most"


def _having(conditions: list[str]) -> str:
    return f" where {_all(conditions)}" if conditions else ""


def _all(conditions: list[str]) -> str:
    return " and ".join(conditions) or "true"


def _only(aggregate: str, conditions: list[str]) -> str:
    """The aggregate over the rows for which the conditions hold; one with a condition of its own gets both."""
    call, _, cast = aggregate.rpartition(")")
    inner, marker, own = call.partition(") filter (where ")
    if marker:
        return f"{inner}) filter (where ({own}) and {_all(conditions)})"
    return f"{call}) filter (where {_all(conditions)}){cast}"

"""What to look at, bound to the address so that a link shows the same: a range and the values of dimensions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypedDict

import streamlit as st

from services import clock, metrics
from services.settings import settings

DIMENSIONS = ("environment", "module", "provider", "model")
DEFAULT = "90d"


class Asked(TypedDict):
    """The part of a question that the filter row answers."""

    start: date | datetime
    end: date | datetime
    where: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Selection:
    """[start, end) as metrics.query takes it, the interval that suits it, how to call the period before, what to keep."""

    start: date | datetime
    end: date | datetime
    interval: str
    before: str
    where: dict[str, list[str]] = field(default_factory=dict)

    @property
    def asked(self) -> Asked:
        """For metrics.query."""
        return {"start": self.start, "end": self.end, "where": self.where}

    @property
    def whole_days(self) -> Asked:
        """The same by whole days, for what is counted by days only."""
        return {"start": self.days[0], "end": self.days[1], "where": self.where}

    @property
    def days(self) -> tuple[date, date]:
        """The days it touches, for the trust line."""
        zone = settings().zone
        start = self.start.astimezone(zone).date() if isinstance(self.start, datetime) else self.start
        end = self.end.astimezone(zone).date() + timedelta(days=1) if isinstance(self.end, datetime) else self.end
        return start, end


def _last(days: int, today: date) -> tuple[date, date]:
    return today - timedelta(days=days - 1), today + timedelta(days=1)


def _this_month(today: date) -> tuple[date, date]:
    return today.replace(day=1), today + timedelta(days=1)


def _last_month(today: date) -> tuple[date, date]:
    end = today.replace(day=1)
    return (end - timedelta(days=1)).replace(day=1), end


# The names are the words of the buttons and of the address: Streamlit writes options to the address as it shows them.
RANGES: dict[str, Callable[[date], tuple[date, date]] | None] = {
    "24h": None,
    "7d": lambda today: _last(7, today),
    "30d": lambda today: _last(30, today),
    "90d": lambda today: _last(90, today),
    "this month": _this_month,
    "last month": _last_month,
    "custom": None,
}


def selection(dimensions: Sequence[str] = DIMENSIONS) -> Selection:
    """Draw the filter row and return what is chosen; an address that makes no sense falls back to the default."""
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    with left:
        chosen = st.segmented_control(
            "Range", list(RANGES), default=DEFAULT, key="range", bind="query-params", required=True,
            label_visibility="collapsed",
        )  # fmt: skip
    with right.popover("Filters", icon=":material/filter_alt:", width="stretch"):
        where = {name: picked for name in dimensions if (picked := _values(name))}
    if where:
        st.caption("Only " + "; ".join(f"{metrics.DIMENSIONS[name].label.lower()} {', '.join(values)}" for name, values in where.items()))
    return between(chosen or DEFAULT, where)


def between(chosen: str, where: dict[str, list[str]]) -> Selection:
    """The range by its name; 'custom' asks for two days."""
    today = clock.today(settings().zone)
    days_of = RANGES[chosen]
    if chosen == "24h":
        now = clock.utc_now()
        return Selection(now - timedelta(hours=24), now, "hour", "24 h before", where)
    start, end = days_of(today) if days_of else _custom(today)
    interval = "day" if (end - start).days <= 200 else "week" if (end - start).days <= 1_400 else "month"
    return Selection(start, end, interval, f"{(end - start).days} days before", where)


def _custom(today: date) -> tuple[date, date]:
    first, last = st.columns(2)
    start = first.date_input("From", value=today - timedelta(days=29), key="from", bind="query-params")
    end = last.date_input("To", value=today, key="to", bind="query-params")
    start, end = (day if isinstance(day, date) else today for day in (start, end))
    if start > end:
        st.warning(f"{start} lies after {end}; the two days are swapped.")
        start, end = end, start
    return start, end + timedelta(days=1)


def _values(dimension: str) -> list[str]:
    found = metrics.DIMENSIONS[dimension]
    return st.multiselect(
        found.label, metrics.values(dimension), key=dimension, bind="query-params", placeholder=f"Every {found.label.lower()}"
    )

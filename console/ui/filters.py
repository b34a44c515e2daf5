"""What to look at, bound to the address so that a link shows the same: a range, what to compare with, the values of dimensions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal, TypedDict

import streamlit as st

from console.ui import formats, kept, live
from services import clock, metrics
from services.settings import settings

DIMENSIONS = ("environment", "source", "module", "operation", "provider", "model")
DEFAULT = "90d"
HOURLY_DAYS = 2  # so few days that are over are shown hour by hour, where hours are still known
AGAINST = PERIOD_BEFORE, WEEK_BEFORE, NOTHING = "the period before", "a week before", "nothing"


class Asked(TypedDict):
    """The part of a question that the filter row answers."""

    start: date | datetime
    end: date | datetime
    where: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Selection:
    """[start, end) as metrics.query takes it, the interval that suits it, and what to keep.

    `compare` is for metrics.query, `before` says in a few words what it compares with ("" with nothing).
    """

    start: date | datetime
    end: date | datetime
    interval: str
    before: str
    where: dict[str, list[str]] = field(default_factory=dict)
    compare: bool | Literal["week"] = True

    @property
    def asked(self) -> Asked:
        """For metrics.query."""
        return {"start": self.start, "end": self.end, "where": self.where}

    @property
    def by_days(self) -> "Selection":
        """The whole days that it touches, and what they are compared with."""
        start, end = self.days
        before = f"{(end - start).days} d before" if self.compare is True else self.before
        return replace(self, start=start, end=end, interval="day" if self.interval == "hour" else self.interval, before=before)

    @property
    def days(self) -> tuple[date, date]:
        """The days it touches, for the trust line."""
        zone = settings().zone
        start = self.start.astimezone(zone).date() if isinstance(self.start, datetime) else self.start
        end = self.end.astimezone(zone).date() + timedelta(days=1) if isinstance(self.end, datetime) else self.end
        return start, end


def _this_quarter(today: date) -> tuple[date, date]:
    return today.replace(month=today.month - (today.month - 1) % 3, day=1), today + timedelta(days=1)


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
    "this quarter": _this_quarter,
    "custom": None,
}


def selection(dimensions: Sequence[str] = DIMENSIONS, *, compares: bool = True) -> Selection:
    """Draw the filter row and return what is chosen; of an address that makes no sense it says what was left out.

    `compares` is False on a page that has a way of its own to compare.
    """
    choices = metrics.choices(dimensions)
    refused = kept.restore(
        {"range": RANGES.__contains__, "from": _is_day, "to": _is_day}
        | ({"versus": AGAINST.__contains__} if compares else {})
        | {name: values.__contains__ for name, values in choices.items()}
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = st.segmented_control(
            "Range", list(RANGES), default=DEFAULT, key="range", bind="query-params", required=True,
            label_visibility="collapsed",
        )  # fmt: skip
        against = _against() if compares else NOTHING
        with st.popover("Filters", icon=":material/filter_alt:"):
            where = {name: picked for name in dimensions if (picked := _values(name, choices[name]))}
        live.follow(10 if chosen == "24h" else 60)
    if where:
        _say(where)
    selected = between(chosen or DEFAULT, where, against)
    defaults: dict[str, object] = {"range": DEFAULT, "from": None, "to": None}
    if compares:
        defaults["versus"] = PERIOD_BEFORE
    kept.remember(defaults | {name: [] for name in dimensions}, refused)
    return selected


def add(dimension: str, value: str) -> None:
    """Keep only what has this value of a dimension, besides what is kept already. For callbacks: it changes the filter row."""
    chosen = st.session_state.get(dimension) or []
    if value not in chosen:
        st.session_state[dimension] = [*chosen, value]


def clear() -> None:
    """Keep everything. For callbacks."""
    for name in DIMENSIONS:
        if name in st.session_state:
            st.session_state[name] = []


def between(chosen: str, where: dict[str, list[str]], against: str = PERIOD_BEFORE) -> Selection:
    """The range by its name; 'custom' asks for two days."""
    today = clock.today(settings().zone)
    days_of = RANGES[chosen]
    if chosen == "24h":
        now = clock.minute_after(clock.utc_now())
        return _compared(Selection(now - timedelta(hours=24), now, "hour", "24 h before", where), against)
    start, end = days_of(today) if days_of else _custom(today)
    return _compared(Selection(start, end, _interval(start, end, today), f"{(end - start).days} d before", where), against)


def _interval(start: date, end: date, today: date) -> str:
    days = (end - start).days
    if days <= HOURLY_DAYS and end <= today and clock.day_start(start, settings().zone) >= clock.utc_now() - clock.FINE_REACH:
        return "hour"
    return "day" if days <= 200 else "week" if days <= 1_400 else "month"


def _compared(selected: Selection, against: str) -> Selection:
    if against == WEEK_BEFORE:
        return replace(selected, before="7 d before", compare="week")
    return replace(selected, before="", compare=False) if against == NOTHING else selected


def _custom(today: date) -> tuple[date, date]:
    first, last = st.columns(2)
    start = first.date_input("From", value=today - timedelta(days=29), key="from", bind="query-params")
    end = last.date_input("To", value=today, key="to", bind="query-params")
    start, end = (day if isinstance(day, date) else today for day in (start, end))
    if start > end:
        st.warning(f"{start} lies after {end}; the two days are swapped.")
        start, end = end, start
    return start, end + timedelta(days=1)


def _against() -> str:
    chosen: str = st.selectbox(
        "Compare with", AGAINST, key="versus", bind="query-params", label_visibility="collapsed",
        width=220, icon=":material/compare_arrows:",
    )  # fmt: skip
    return chosen


def _is_day(told: str) -> bool:
    try:
        date.fromisoformat(told)
    except ValueError:
        return False
    return True


def _values(dimension: str, choices: list[str]) -> list[str]:
    found = metrics.DIMENSIONS[dimension]
    return st.multiselect(found.label, choices, key=dimension, bind="query-params", placeholder=f"Every {found.label.lower()}")


def _say(where: dict[str, list[str]]) -> None:
    """What is kept, in words, and the way back."""
    told = [f"{metrics.DIMENSIONS[name].label.lower()} {', '.join(map(formats.plain, values))}" for name, values in where.items()]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Only " + "; ".join(told), width="content")
        st.button("Clear filters", on_click=clear, type="tertiary", icon=":material/filter_alt_off:")

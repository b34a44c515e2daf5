"""The parts of the Home page: ten numbers, each with the way to its page, and what needs somebody."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import streamlit as st

from console.ui import cards, formats
from services import clock, metrics
from services.ai.budgets import NANO, State
from services.health.attention import Need, Work
from services.metrics import MEASURES
from services.settings import settings

PAGES = Path(__file__).resolve().parents[2] / "pages"
DAYS = 14
# measure → the page it is looked into on
TODAY = {
    "operations": "health", "error_rate": "performance", "cost": "cost", "latency_p95": "performance", "cached_share": "performance",
    "users": "sessions", "sessions": "sessions",
}  # fmt: skip
ICONS = {"error": ":material/error:", "warning": ":material/warning:"}


def numbers(budgets: Iterable[State], work: Work) -> None:
    """Ten tiles: today against the same hours yesterday, this month, the jobs; beneath each the way to its page."""
    zone = settings().zone
    today = clock.today(zone)
    tomorrow = today + timedelta(days=1)
    total = metrics.query(list(TODAY), start=clock.day_start(today, zone), end=clock.minute_after(clock.utc_now()), compare="day")
    trend = metrics.query(list(TODAY), start=today - timedelta(days=DAYS - 1), end=tomorrow, interval="day")
    month = metrics.query(["cost"], start=today.replace(day=1), end=tomorrow)
    course = metrics.query(["cost"], start=today.replace(day=1), end=tomorrow, interval="day")
    used = {state.period: _used(state) for state in budgets if state.scope == "all"}
    places = iter([*st.columns(5), *st.columns(5)])
    for name, page in TODAY.items():
        with next(places):
            cards.tile(name, total, trend, "", f"{MEASURES[name].label} today")
            _link(page, used.get("day", "") if name == "cost" else "")
    with next(places):
        cards.tile("cost", month, course, "", "Cost this month")
        _link("cost", used.get("month", ""))
    with next(places):
        st.metric("Jobs waiting", formats.count(work.waiting), border=True, height="stretch")
        _link("jobs", f"oldest waits {formats.duration(work.oldest_wait_s)}" if work.waiting else "nothing waits")
    with next(places):
        st.metric("Dead jobs", formats.count(work.dead), border=True, height="stretch")
        _link("jobs", "to decide on" if work.dead else "none to decide on")


def needing(needs: list[Need]) -> None:
    """One line a need with the way to its page, or that there is none."""
    if not needs:
        st.success(
            "Nothing needs attention: everything answers, nothing fails more than usual, is stalled, refused, unpriced or over its budget.",
            icon=":material/task_alt:",
        )
        return
    for number, need in enumerate(needs):
        with st.container(horizontal=True, vertical_alignment="center", key=f"need-{number}"):
            st.markdown(f"{ICONS[need.urgency]} {formats.plain(need.words)}", width="stretch")
            st.page_link(PAGES / f"{need.page}.py", label=f"Open {need.page.capitalize()}", query_params=dict(need.address))


def _link(page: str, beside: str) -> None:
    label = f"{page.capitalize()} · {formats.plain(beside)}" if beside else page.capitalize()
    st.page_link(PAGES / f"{page}.py", label=label, icon=":material/arrow_forward:")


def _used(state: State) -> str:
    """Budgets count what the console itself asks of models, so the cost of the apps is not set against them."""
    if not state.cap_nano:
        return "own calls: none allowed"
    return f"own calls: {state.used_nano / state.cap_nano:.0%} of {formats.money(Decimal(state.cap_nano) / NANO)}"

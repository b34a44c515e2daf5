"""Is AI working right now?"""

from datetime import timedelta

import streamlit as st

from console.ui import cards, charts, live
from services import clock, metrics
from services.settings import settings

TILES = ["operations", "errors", "error_rate", "cached_share"]

live.status()
live.replaced()

today = clock.today(settings().zone)
tomorrow, week_ago = today + timedelta(days=1), today - timedelta(days=6)
total = metrics.query(TILES, start=clock.day_start(today, settings().zone), end=clock.utc_now(), compare="day")
week = metrics.query([*TILES, "cost"], start=week_ago, end=tomorrow, interval="day")
by_outcome = metrics.query(["errors"], start=week_ago, end=tomorrow, by=["error_type"])
by_module = metrics.query(["operations", "error_rate", "cached_share", "latency_p95", "cost"], start=today, end=tomorrow, by=["module"])

st.subheader("Today", anchor=False)
cards.tiles(total, week, TILES, "same hours yesterday")
cards.trust((week_ago, tomorrow), week)

if not week.frame["operations"].sum():
    cards.nothing("operations")
    cards.stop()

st.subheader("Seven days", anchor=False)
left, right = st.columns(2)
with left:
    cards.chart("Operations a day", charts.bars(week.frame, "operations"), "Bars: operations on each of seven days")
    cards.chart("Cached share", charts.lines(week.frame, ["cached_share"]), "Line: share of operations answered from a cache")
with right:
    cards.chart("Error rate", charts.lines(week.frame, ["error_rate"]), "Line: errors over operations on each of seven days")
    cards.chart("Errors by type", charts.ranked(by_outcome.frame, "errors", "error_type"), "Bars: errors of seven days by their type")

st.subheader("Today by module", anchor=False)
cards.table(by_module.frame.sort_values("operations", ascending=False), "Operations, errors, latency and cost of each module today")

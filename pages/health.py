"""Is AI working right now?"""

from datetime import timedelta

import streamlit as st

from console.ui import cards, charts, incidents, live, same_hours, verification
from console.ui.once import once
from services import clock, metrics
from services.settings import settings

TILES = ["operations", "errors", "error_rate", "cached_share", "cost"]
HOURS = [*TILES, "latency_p50", "latency_p95"]

live.status()
verification.last()
live.replaced()

today = clock.today(settings().zone)
tomorrow, week_ago = today + timedelta(days=1), today - timedelta(days=6)
begin, now = clock.day_start(today, settings().zone), clock.minute_after(clock.utc_now())
total = metrics.query(HOURS, start=begin, end=now, compare="day")
last_week = metrics.query(HOURS, start=begin, end=now, compare="week")
week = metrics.query(TILES, start=week_ago, end=tomorrow, interval="day")
by_outcome = metrics.query(["errors"], start=week_ago, end=tomorrow, by=["error_type"])
by_module = metrics.query(["operations", "error_rate", "cached_share", "latency_p95", "cost"], start=today, end=tomorrow, by=["module"])

st.subheader("Incidents", anchor=False)
incidents.latest()

st.subheader("Today", anchor=False)
cards.tiles(total, week, TILES, "yesterday")
cards.trust((week_ago, tomorrow), week)

if not week.frame["operations"].sum():
    cards.nothing("operations")
    cards.stop()

same_hours.table(total, last_week, HOURS)

st.subheader("Seven days", anchor=False)
left, right = st.columns(2)
with left:
    cards.chart("Operations a day", once(charts.bars, week.frame, "operations"), "Bars: operations on each of seven days")
    cards.chart("Cost a day", once(charts.bars, week.frame, "cost"), "Bars: cost of each of seven days")
    cards.chart("Cached share", once(charts.lines, week.frame, ["cached_share"]), "Line: share of operations answered from a cache")
with right:
    cards.chart("Error rate", once(charts.lines, week.frame, ["error_rate"]), "Line: errors over operations on each of seven days")
    cards.chart("Errors by type", once(charts.ranked, by_outcome.frame, "errors", "error_type"), "Bars: errors of seven days by their type")

st.subheader("Today by module", anchor=False)
cards.table(by_module.frame, "Operations, errors, latency and cost of each module today", order=["operations"])

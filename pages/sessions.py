"""How is AI used, and are people content?"""

import streamlit as st

from console.ui import cards, charts, filters
from services import metrics

TILES = ["sessions_started", "session_users", "session_duration", "session_messages", "session_rating"]
DETAIL = ["sessions_started", "session_users", "session_duration", "session_messages", "session_rating", "rated_share"]

chosen = filters.selection(("environment", "source", "module"))
total = metrics.query(DETAIL, compare=chosen.compare, **chosen.whole_days)
trend = metrics.query(TILES, interval="day" if chosen.interval == "hour" else chosen.interval, **chosen.whole_days)
cards.trust(chosen.days, total, trend)

if not total.frame["sessions_started"].sum():
    cards.nothing("sessions")
    st.stop()

cards.tiles(total, trend, TILES, chosen.before)

topics = metrics.query(["sessions_started", "session_rating"], by=["topic"], **chosen.whole_days)
modules = metrics.query(DETAIL, by=["module"], **chosen.whole_days)

left, right = st.columns(2)
with left:
    cards.chart("Sessions", charts.bars(trend.frame, "sessions_started"), "Bars: sessions that began over time")
    cards.chart("Satisfaction", charts.lines(trend.frame, ["session_rating"]), "Line: mean rating over time, 1 to 5")
with right:
    cards.chart("People", charts.bars(trend.frame, "session_users"), "Bars: distinct people who began a session")
    cards.chart("Topics", charts.ranked(topics.frame, "sessions_started", "topic"), "Bars: the ten topics with most sessions")

st.subheader("By module", anchor=False)
cards.table(
    modules.frame.sort_values("sessions_started", ascending=False),
    "Sessions, people, duration, messages and rating of each module",
    by=["module"],
)

"""How is AI used, by whom, and are people content?"""

import streamlit as st

from console.ui import cards, charts, filters, session_list, usage
from console.ui.once import once
from services import metrics

TILES = ["sessions_started", "session_users", "session_duration", "session_messages", "session_rating"]
DETAIL = ["sessions_started", "session_duration", "session_messages", "session_rating", "rated_share", "topic_coverage"]
QUALITY = ["topic_coverage", "rated_share", "feedback", "feedback_rating", "thumbs_up_share"]

selected = filters.selection(("environment", "source", "module"))
chosen = selected.by_days
total = metrics.query([*TILES, *usage.ODD, *QUALITY], compare=chosen.compare, **chosen.asked)
trend = metrics.query([*TILES, *QUALITY], interval=chosen.interval, **chosen.asked)
if chosen.asked != selected.asked:
    st.caption(":material/info: Sessions are counted by whole days: these are yesterday and today.")
cards.trust(chosen.days, total, trend)

overview, returning, learner, listed = st.tabs(
    ["Overview", "Who returns", "Learner", "List"], key="view", bind="query-params", on_change="rerun"
)
if returning.open:
    with returning:
        usage.returning(chosen)
if learner.open:
    with learner:
        usage.learner()
if listed.open:
    with listed:
        session_list.browse(chosen)
if overview.open and not total.frame[["sessions_started", "feedback"]].to_numpy().sum():
    with overview:
        cards.nothing("sessions")
elif overview.open:
    with overview:
        cards.tiles(total, trend, TILES, chosen.before)
        cards.tiles(total, trend, QUALITY, chosen.before)
        usage.odd(total.frame)
        left, right = st.columns(2)
        with left:
            cards.chart("Sessions", once(charts.bars, trend.frame, "sessions_started"), "Bars: sessions that began over time")
            cards.chart("Satisfaction", once(charts.lines, trend.frame, ["session_rating"]), "Line: mean rating over time, 1 to 5")
        with right:
            cards.chart("People", once(charts.bars, trend.frame, "session_users"), "Bars: distinct people who began a session")
            usage.week(chosen)
        usage.topics(metrics.query(["sessions_started", "session_rating"], by=["topic"], compare=True, **chosen.asked).frame)
        for dimension in ("subject", "cohort", "module"):
            st.subheader(f"By {dimension}", anchor=False)
            detail = metrics.query(DETAIL, by=[dimension], **chosen.asked)
            cards.table(
                detail.frame,
                f"Sessions, duration, messages and rating by {dimension}",
                by=["module"],
                order=["sessions_started"],
            )

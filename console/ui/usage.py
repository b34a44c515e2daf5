"""The Sessions page's parts that say more than one chart: topics with their change, the rhythm of a week, who returns, one learner."""

from datetime import date, timedelta

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from console.ui import cards, charts, formats, instants, rhythm, session_list
from console.ui.filters import Selection
from console.ui.once import once
from console.ui.quoted import quoted
from services import clock, metrics
from services.db import transaction
from services.errors import NotFound
from services.sessions import learners, statistics
from services.settings import settings

ODD = {"sessions_without_end": "without end", "sessions_backwards": "told to end before they start", "sessions_overnight": "over midnight"}
TOP = 10


def odd(total: pd.DataFrame) -> None:
    """How many sessions are counted though something about them is odd."""
    found = [f"{int(total[name].iloc[0]):,} {words}" for name, words in ODD.items() if total[name].iloc[0]]
    if found:
        st.caption(
            f":material/info: Sessions count on the day they start. Of these: {', '.join(found)}."
            " Without a usable end there is no duration."
        )


def topics(frame: pd.DataFrame) -> None:
    """The ten topics with most sessions, and how that changed."""
    top = frame.sort_values(["sessions_started", "topic"], ascending=[False, True]).head(TOP)
    rows = [
        {
            "Topic": row.topic,
            "Sessions": int(row.sessions_started),
            "Before": int(row.sessions_started_previous),
            "Change": formats.change(row.sessions_started, row.sessions_started_previous, "count") or "new",
            "Satisfaction": None if formats.is_unknown(row.session_rating) else float(row.session_rating),
        }
        for row in top.itertuples()
    ]
    config = {"Satisfaction": st.column_config.NumberColumn(format="%.2f", help="Mean rating, 1 to 5, of rated sessions.")}
    st.markdown("**Popular topics**")
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, column_config=config, placeholder=formats.UNKNOWN, alt="Ten topics with most sessions"
    )


def week(chosen: Selection) -> None:
    """Hour by weekday, and the peak."""
    answer = metrics.query(["sessions_started"], by=["weekday", "hour"], **chosen.by_days.asked)
    until = min(chosen.days[1], clock.today(settings().zone) + timedelta(days=1))  # days to come dilute no average
    grid = once(rhythm.per_hour, answer.frame, (chosen.days[0], max(until, chosen.days[0] + timedelta(days=1))))
    cards.chart("When people come", once(rhythm.week, grid), "Heat map: sessions that began by hour of the day and weekday")
    st.caption(once(rhythm.peak, grid, answer.zone))


def returning(chosen: Selection) -> None:
    """Weekly cohorts: how many of those who began in a week came again."""
    one = {name: values for name, values in chosen.where.items() if values}
    if set(one) - {"environment", "module"} or any(len(values) > 1 for values in one.values()):
        st.info("Who returns is known for everything, or for one environment, one module or one of each.", icon=":material/filter_alt:")
        return
    this_week = _monday(clock.today(settings().zone))
    since = this_week - timedelta(days=7 * (rhythm.MOST_WEEKS - 1))
    with transaction() as connection:
        found = statistics.retention(connection, one.get("environment", [""])[0], one.get("module", [""])[0], since)
    if found.made_at is None:
        st.info("This is made every hour; the first time is still to come.", icon=":material/hourglass_top:")
        return
    grid = rhythm.shares(found.frame, this_week)
    if grid.empty:
        st.info("Nobody who is known by a user key began in the last twelve weeks.", icon=":material/inbox:")
        return
    cards.chart(
        "Of those who first came in a week, how many % came again, weeks later",
        rhythm.triangle(grid),
        "Retention by week of the first session",
    )
    cards.chart("Users a week", _new_and_old(found.frame, since), "Stacked bars: users a week, new and returning")
    st.caption(
        f"Weeks begin on Monday; this week is not over. Users first seen in the last {rhythm.MOST_WEEKS} weeks."
        f" Made at {instants.at(found.made_at)}, of {settings().reporting_zone}."
    )


def learner(opens: str = "learner") -> None:
    """One learner's weeks, found by the user key that applications tell."""
    key = st.text_input("Learner", key=opens, bind="query-params", placeholder="A user key, as applications tell it").strip()
    if not key:
        st.info("Type a user key, or follow one from the list of sessions.", icon=":material/person_search:")
        return
    with transaction() as connection:
        try:
            found = learners.progress(connection, key, settings().zone)
        except NotFound as nobody:
            st.info(quoted(str(nobody)), icon=":material/person_off:")
            return
    weeks = found.weeks
    known = [session.rating for session in found.sessions if session.rating is not None]
    places = st.columns(4)
    places[0].metric("Sessions", f"{found.total:,}", border=True)
    places[1].metric("Active weeks", f"{int((weeks['sessions'] > 0).sum())} of {len(weeks)}", border=True)
    places[2].metric("Topics covered", f"{int(weeks['topics'].iloc[-1])}", border=True)
    places[3].metric("Satisfaction", formats.number(sum(known) / len(known) if known else None, "rating"), border=True)
    left, right = st.columns(2)
    with left:
        cards.chart("Sessions a week", _weekly(weeks, "sessions", "bar"), "Bars: this learner's sessions a week")
    with right:
        cards.chart("Topics covered so far", _weekly(weeks, "topics", "line"), "Line: topics this learner has covered")
    session_list.table(found.sessions[:100], "This learner's latest sessions")
    if found.total > len(found.sessions):
        st.caption(f"Of {found.total:,} sessions, the latest {len(found.sessions):,}.")


def _weekly(weeks: pd.DataFrame, what: str, kind: str) -> go.Figure:
    figure = go.Figure()
    add = figure.add_bar if kind == "bar" else figure.add_scatter
    add(x=[f"{week:%d %b %Y}" for week in weeks["week"]], y=weeks[what], hovertemplate=f"week of %{{x}}: %{{y:,.0f}} {what}<extra></extra>")
    figure.update_xaxes(type="category", nticks=8)
    figure.update_yaxes(rangemode="tozero", tickformat=",d", nticks=4)
    return figure.update_layout(height=240, margin={"l": 8, "r": 8, "t": 8, "b": 8}, colorway=charts.COLOURS)


def _new_and_old(frame: pd.DataFrame, since: date) -> go.Figure:
    new = frame[frame["first_week"] == frame["week"]].set_index("week")["users"]
    old = frame[frame["first_week"] != frame["week"]].groupby("week")["users"].sum()
    figure = go.Figure()
    for name, users in (("new", new), ("returning", old)):
        shown = users[users.index >= since]
        figure.add_bar(x=shown.index, y=shown, name=name, hovertemplate=f"week of %{{x|%d %b}}: %{{y:,.0f}} {name}<extra></extra>")
    return figure.update_layout(
        barmode="stack", height=260, margin={"l": 8, "r": 8, "t": 8, "b": 8}, colorway=charts.COLOURS,
        legend={"orientation": "h", "y": -0.2},
    )  # fmt: skip


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())

"""One session's page: its facts, its course operation by operation, and what people said of it."""

from datetime import datetime

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from console.ui import amounts, cards, charts, formats, instants, session_list
from console.ui.quoted import quoted
from services.db import transaction
from services.errors import BadInput, NotFound
from services.sessions import listing, timeline
from services.sessions.session import Session
from services.sessions.timeline import Page, Said, Step
from services.settings import settings

AFTER = "after"
LIST = "../pages/sessions.py"
THUMBS = {1: "▲ up", -1: "▼ down", None: ""}
COLOURS = {"answered": charts.COLOURS[0], "from a cache": charts.COLOURS[2], "failed": charts.COLOURS[5]}
SIGNS = {"answered": "✓", "from a cache": "↺", "failed": "▲"}
SHORTEST = 0.004  # of the whole width: what is shorter, or told no duration, can still be seen


def show() -> None:
    """The session that the address names; one that only feedback knows is shown as such."""
    source, key = st.query_params.get("source", ""), st.query_params.get("id", "")
    if not source and not key:
        raise NotFound("Choose a session on the Sessions page.")
    if "\0" in source + key:
        raise BadInput("The address names no session: it holds a NUL character.")
    back, _ = st.columns([1, 4])
    back.page_link(LIST, label="All sessions", icon=":material/arrow_back:")
    with transaction() as connection:
        said = timeline.feedback(connection, source, key)
        try:
            session = listing.get(connection, source, key)
        except NotFound:
            if not said:
                raise
            session = None
        page = timeline.page(connection, session, st.query_params.get(AFTER)) if session else None
    st.header(quoted(key), anchor=False)
    if session is None or page is None:
        st.warning(f"Nobody has told of this session yet: only feedback from {quoted(source)} names it.", icon=":material/help:")
    else:
        _facts(session)
        _course(session, page)
    _feedback(said)


def _facts(session: Session) -> None:
    st.caption(f"{quoted(session.source)} · {quoted(session.environment)} · {quoted(session.module)}")
    facts = {
        "Started": instants.at(session.started_at),
        "Ended": instants.at(session.ended_at, formats.UNKNOWN),
        "Duration": formats.number(session.duration_s, "s"),
        "Learner": session.user_key or formats.UNKNOWN,
        "Subject": session.subject or formats.UNKNOWN,
        "Cohort": session.cohort or formats.UNKNOWN,
        "Messages": amounts.count(session.messages) or formats.UNKNOWN,
        "Operations": f"{session.operations:,}",
        "Rating": formats.number(session.rating, "rating"),
        "Topics": ", ".join(session.topics or []) or formats.UNKNOWN,
    }
    st.dataframe(pd.DataFrame([facts]), hide_index=True, alt="What is known of the session")
    odd = [words for words in session.odd(settings().zone) if words != "without topics"]
    if odd:
        ends = "" if session.duration_s is not None else " Without a usable end it has no duration."
        st.warning(f"Odd: {', '.join(odd)}. It counts on the day of its start.{ends}", icon=":material/info:")
    if session.user_key:
        st.markdown(f"[This learner's progress]({session_list.learner(session.user_key)})")


def _course(session: Session, page: Page) -> None:
    if not page.steps:
        said = "Its operations are no longer kept." if session.operations else "It told of no operations."
        st.info(said, icon=":material/inbox:")
        return
    begin = session.first_operation_at or page.steps[0].started_at
    cards.chart("Course", _figure(page.steps, begin), "Bars over time: each operation of the session from its start to its end")
    st.dataframe(_table(page.steps), hide_index=True, placeholder=formats.UNKNOWN, alt="Operations of the session in order",
                 column_config={"Started": instants.shown("Started")})  # fmt: skip
    whole = AFTER not in st.query_params and page.later is None
    with st.container(horizontal=True, vertical_alignment="center"):
        if not whole:
            st.button("From the start", icon=":material/first_page:", disabled=AFTER not in st.query_params, on_click=_from_the_start)
            st.button("Later", icon=":material/chevron_right:", disabled=page.later is None, on_click=_later, args=(page.later or "",))
        shown = "" if whole else f"{len(page.steps)} of {session.operations:,} operations shown. "
        st.caption(f"{shown}Times are of {settings().reporting_zone}.", width="content")


def _later(place: str) -> None:
    st.query_params[AFTER] = place


def _from_the_start() -> None:
    st.query_params.pop(AFTER, None)


def _figure(steps: list[Step], begin: datetime) -> go.Figure:
    """One bar an operation, the first on top, seconds from the session's first."""
    shortest_s = max((steps[-1].started_at - steps[0].started_at).total_seconds() * SHORTEST, 0.05)
    figure = go.Figure()
    for outcome, colour in COLOURS.items():
        mine = [(place, step) for place, step in enumerate(steps) if _outcome(step) == outcome]
        if mine:
            figure.add_bar(
                orientation="h", name=f"{SIGNS[outcome]} {outcome}", marker_color=colour, y=[place for place, _ in mine],
                base=[(step.started_at - begin).total_seconds() for _, step in mine],
                x=[max((step.latency_ms or 0) / 1_000, shortest_s) for _, step in mine],
                customdata=[[step.operation, step.model, _latency(step), step.error_type or ""] for _, step in mine],
                hovertemplate="%{customdata[0]} by %{customdata[1]}: %{customdata[2]} %{customdata[3]}<extra></extra>",
            )  # fmt: skip
    figure.update_xaxes(title="seconds from the start", rangemode="tozero" if steps[0].started_at == begin else "normal")
    figure.update_yaxes(
        autorange="reversed", showgrid=False, tickvals=list(range(len(steps))), ticktext=[formats.short(step.operation) for step in steps]
    )
    return figure.update_layout(
        height=max(180, 90 + 22 * len(steps)), margin={"l": 8, "r": 8, "t": 8, "b": 8}, barmode="overlay", showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )  # fmt: skip


def _table(steps: list[Step]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Started": instants.column([step.started_at for step in steps]),
            "Outcome": [f"{SIGNS[_outcome(step)]} {step.error_type or _outcome(step)}" for step in steps],
            "Operation": [step.operation for step in steps],
            "Provider": [step.provider for step in steps],
            "Model": [step.model for step in steps],
            "Latency": [_latency(step) for step in steps],
            "Input tokens": pd.array([step.input_tokens for step in steps], dtype="Int64"),
            "Output tokens": pd.array([step.output_tokens for step in steps], dtype="Int64"),
            "Cost": [formats.number(step.cost_usd, "usd") for step in steps],
        }
    )


def _feedback(said: list[Said]) -> None:
    if not said:
        return
    st.subheader("Feedback", anchor=False)
    rows = {
        "Told": instants.column([one.told_at for one in said]),
        "Thumbs": [THUMBS[one.thumbs] for one in said],
        "Rating": pd.array([one.rating for one in said], dtype="Float64"),
        "About": ["one operation" if one.of_operation else "the session" for one in said],
        "By": [one.user_key or formats.UNKNOWN for one in said],
        "Comment": [one.comment or "" for one in said],
    }
    config = {"Told": instants.shown("Told"), "Comment": st.column_config.TextColumn("Comment", width="large")}
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=config, placeholder="none", alt="Feedback on the session, newest first")


def _outcome(step: Step) -> str:
    return "failed" if step.error_type else "from a cache" if step.cached else "answered"


def _latency(step: Step) -> str:
    return formats.number(step.latency_ms, "ms")

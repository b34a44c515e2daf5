"""The list of sessions: filters, search and place in the address; each row leads to its session and its learner."""

from collections.abc import Sequence
from urllib.parse import quote

import pandas as pd
import streamlit as st

from console.ui import formats, instants
from console.ui.filters import Selection
from services import clock, metrics
from services.db import transaction
from services.sessions import listing
from services.sessions.listing import LONGEST_SEARCH, Wanted
from services.sessions.session import ODD, Session
from services.settings import settings

BEFORE = "before"


def browse(chosen: Selection) -> None:
    """The newest sessions of the range that match, a page at a time."""
    left, subject, cohort, odd = st.columns([2, 1, 1, 1])
    search = left.text_input(
        "Search", key="q", bind="query-params", max_chars=LONGEST_SEARCH, on_change=_first_page, type="search",
        placeholder="Beginning of a session's id, or a whole user key", icon=":material/search:",
    )  # fmt: skip
    start, end = (clock.day_start(day, settings().zone) for day in chosen.days)
    wanted = Wanted(
        start,
        end,
        search=search.strip(),
        subject=_one_of(subject, "Subject", metrics.values("subject")),
        cohort=_one_of(cohort, "Cohort", metrics.values("cohort")),
        odd=_one_of(odd, "Odd", list(ODD)),
        where=chosen.where,
    )
    with transaction() as connection:
        page = listing.page(connection, wanted, st.query_params.get(BEFORE))
    if not page.sessions:
        st.info("No session matches. Choose a longer range or fewer filters.", icon=":material/search_off:")
    else:
        table(page.sessions, "Sessions, newest first")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Newest", icon=":material/first_page:", disabled=BEFORE not in st.query_params, on_click=_first_page)
        st.button("Older", icon=":material/chevron_right:", disabled=page.older is None, on_click=_older, args=(page.older or "",))
        st.caption(f"{len(page.sessions)} shown. Times are of {settings().reporting_zone}.", width="content")


def table(sessions: Sequence[Session], alt: str) -> None:
    """Sessions, one a row; unknown is a word."""
    zone = settings().zone
    frame = pd.DataFrame(
        {
            "Session": [address(session.source, session.key) for session in sessions],
            "Started": instants.column([session.started_at for session in sessions]),
            "Duration": [formats.number(session.duration_s, "s") for session in sessions],
            "Odd": [", ".join(session.odd(zone)) for session in sessions],
            "Learner": [learner(session.user_key) for session in sessions],
            "Module": [session.module for session in sessions],
            "Subject": [session.subject or formats.UNKNOWN for session in sessions],
            "Cohort": [session.cohort or formats.UNKNOWN for session in sessions],
            "Messages": pd.array([session.messages for session in sessions], dtype="Int64"),
            "Operations": [session.operations for session in sessions],
            "Rating": pd.array([session.rating for session in sessions], dtype="Float64"),
            "Topics": [", ".join(session.topics or []) for session in sessions],
        }
    )
    config = {
        "Session": st.column_config.LinkColumn("Session", display_text=r"id=([^&]*)", help="Opens the session in a tab of its own."),
        "Started": instants.shown("Started"),
        "Learner": st.column_config.LinkColumn("Learner", display_text=r"learner=([^&]*)", help="Opens the learner's progress."),
        "Rating": st.column_config.NumberColumn("Rating", width=90, format="%.1f", help="1 to 5: as told, or the mean of its feedback."),
    }
    st.dataframe(frame, hide_index=True, column_config=config, placeholder=formats.UNKNOWN, alt=alt)


def address(source: str, key: str) -> str:
    """Where a session's own page is, from any page."""
    return f"/session?source={quote(source, safe='')}&id={quote(key, safe='')}"


def learner(user_key: str | None) -> str | None:
    """Where a learner's progress is, from any page."""
    return None if user_key is None else f"/sessions?view=Learner&learner={quote(user_key, safe='')}"


def _one_of(place: object, label: str, known: list[str]) -> str | None:
    return place.selectbox(  # type: ignore[attr-defined,no-any-return]
        label, known, index=None, key=label.lower(), bind="query-params", on_change=_first_page, placeholder=f"Every {label.lower()}"
        if label != "Odd" else "Odd or not",
    )  # fmt: skip


def _older(place: str) -> None:
    st.query_params[BEFORE] = place


def _first_page() -> None:
    st.query_params.pop(BEFORE, None)

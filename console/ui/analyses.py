"""The Analyses page of a record: how each of its analyses stands, started and followed without a refresh, and one of them in full."""

from functools import partial

import streamlit as st

from console import analysis_actions
from console.auth import identity
from console.ui import acts, analysis, analysis_states, records
from console.ui.quoted import quoted
from services import clock
from services.analyses import overview
from services.analyses.overview import View
from services.db import transaction
from services.errors import BadInput
from services.records import Record, get

PAGE = "../pages/analyses.py"
RECORD = "../pages/record.py"
EVERY_S = 1.0  # a result is to be on the page within two seconds of its job's end, the drawing of it included


def choose() -> None:
    """Pick a record."""
    st.caption("Choose the record whose analyses you want to see.")
    records.browse(PAGE)


def show() -> None:
    """The analyses of the record that the address names."""
    record = _asked()
    may = identity.current().may(analysis_actions.ROLE)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Another record", icon=":material/arrow_back:", type="tertiary", key="another"):
            st.query_params.from_dict({"kind": record.kind})
            st.rerun()
        st.page_link(RECORD, label="This record", icon=":material/description:", query_params={"kind": record.kind, "id": str(record.id)})
    st.header(quoted(record.name), anchor=False)
    with transaction() as connection:
        busy = _busy(overview.of_record(connection, record.kind, record.id))
    paused = st.toggle("Pause updates", key="analyses_paused", help="While something runs, this page is asked again every second.")
    follows = busy and not paused
    acts.live(partial(_draw, record, may=may, follows=follows), EVERY_S if follows else None)


def _asked() -> Record:
    kind, told = st.query_params.get("kind", ""), st.query_params.get("id", "")
    if not (told.isascii() and told.isdigit() and len(told) < 19):
        raise BadInput("The address names no record: its id is a whole number.")
    with transaction() as connection:
        return get(connection, kind, int(told))


def _busy(views: list[View]) -> bool:
    return any(view.standing.state == "running" for view in views)


def _draw(record: Record, *, may: bool, follows: bool) -> None:
    with transaction() as connection:
        views = overview.of_record(connection, record.kind, record.id)
    with st.container(border=True):
        for view in views:
            _row(view, record, may=may)
    _all(record, views, may=may)
    titles = {view.title: view for view in views}
    chosen = st.segmented_control("Show", list(titles), default=views[0].title, key="show", bind="query-params", required=True)
    analysis.draw(titles[chosen or views[0].title])
    st.caption(f"Asked at {clock.utc_now():%H:%M:%S} UTC.")
    if follows and not _busy(views):
        st.rerun()  # the whole page: there is nothing to follow any more


def _row(view: View, record: Record, *, may: bool) -> None:
    state, job = view.standing.state, view.standing.job
    name, words, act = st.columns([2, 5, 1], vertical_alignment="center")
    name.markdown(f"**{view.title}** {analysis_states.BADGES[state]}")
    if state == "running" and job is not None:
        words.progress(*analysis_states.progress(job))
        if may and job.cancel_requested_at is None and act.button("Cancel", key=f"cancel-{view.title}-{job.id}", width="stretch"):
            acts.do(lambda: _cancelled(view, job.id))
        return
    words.caption(analysis_states.line(view))
    if may and act.button(analysis_states.AGAIN[state], key=f"start-{view.title}", width="stretch"):
        acts.do(lambda: _started(view, record))


def _all(record: Record, views: list[View], *, may: bool) -> None:
    if not may:
        st.caption("Analysts may start analyses.")
        return
    due = sum(view.standing.state not in ("fresh", "running") for view in views)
    if st.button(f"Start all that are not fresh ({due})", type="primary", icon=":material/play_arrow:", disabled=not due, key="start_all"):
        acts.do(lambda: _started_all(record))


def _started(view: View, record: Record) -> str:
    analysis_actions.start(view.analysis.kind, record.id, view.variant, force=view.standing.state == "fresh")
    return f"{view.title} has begun: its result appears below by itself."


def _started_all(record: Record) -> str:
    number = analysis_actions.start_all(record.kind, record.id)
    return f"{number} {'analysis is' if number == 1 else 'analyses are'} under way: results appear below by themselves."


def _cancelled(view: View, job_id: int) -> str:
    return f"{view.title} is cancelled, or asked to stop." if analysis_actions.cancel(job_id) else f"{view.title} had ended already."

"""Dead jobs that nobody put aside, grouped by what killed them."""

import pandas as pd
import streamlit as st

from console.ui import formats, instants, job_acts, job_filters, job_states
from services.db import transaction
from services.jobs import listing
from services.jobs.listing import Alike
from services.settings import settings

MOST_GROUPS = 100
LONGEST = 90  # of an error's words where one error of many is chosen


def groups(*, acts: bool) -> None:
    """The errors, most numerous first; one of them in full; who `acts` may retry or discard all who died of it."""
    with transaction() as connection:
        found = listing.dead_alike(connection, MOST_GROUPS)
    if not found:
        st.info("There are no dead letters.", icon=":material/task_alt:")
        return
    _table(found)
    # By its fingerprint, not by its place: places shift when something else dies.
    alike = {group.fingerprint: group for group in found}
    picked = st.selectbox("Error", list(alike), format_func=lambda known: _words(alike[known]), key="dead-letter")
    group = alike[picked]
    st.code(f"{group.error_class or formats.UNKNOWN}: {group.error or formats.UNKNOWN}", language=None, wrap_lines=True)
    if group.fingerprint is None:
        # A filter by no fingerprint is no filter: it would mean all dead jobs.
        st.caption("These died before errors were told apart. Choose them in the list of jobs.")
        return
    st.button(
        f"Show the {job_acts.jobs(group.n)}", icon=":material/list:", key="dead-show", on_click=_show, args=(group.fingerprint,),
        help="In the list of jobs, by this error.",
    )  # fmt: skip
    if acts:
        job_acts.offer(
            f"With the {job_acts.jobs(group.n)} of this error", "dead", group.fingerprint, ("retry", "discard"),
            state="dead", fingerprint=group.fingerprint,
        )  # fmt: skip


def _show(fingerprint: str) -> None:
    job_filters.show(state="dead", fingerprint=fingerprint)
    st.session_state["view"] = "Jobs"


def _table(found: list[Alike]) -> None:
    frame = pd.DataFrame(
        {
            "Jobs": [group.n for group in found],
            "Error": [group.error_class or formats.UNKNOWN for group in found],
            "Newest words": [group.error or formats.UNKNOWN for group in found],
            "Kinds": [", ".join(group.kinds) for group in found],
            "First": instants.column([group.first_at for group in found]),
            "Last": instants.column([group.last_at for group in found]),
            "Newest": [job_states.address(group.job_id) for group in found],
            "Fingerprint": [group.fingerprint or formats.UNKNOWN for group in found],
        }
    )
    config = {
        "Jobs": st.column_config.NumberColumn("Jobs", format="localized", width=70),
        "Newest words": st.column_config.TextColumn("Newest words", width=340),
        "Kinds": st.column_config.TextColumn("Kinds", width=180),
        "First": instants.shown("First"),
        "Last": instants.shown("Last"),
        "Newest": job_states.link("Newest", "The newest job that died of it."),
        "Fingerprint": st.column_config.TextColumn("Fingerprint", help="Of its class, its words without names and numbers, its place."),
    }
    st.dataframe(frame, hide_index=True, column_config=config, alt="Dead jobs by their error, most numerous first")
    more = f" These are the {MOST_GROUPS} errors with most jobs; there may be more." if len(found) == MOST_GROUPS else ""
    st.caption(f"Times are of {settings().reporting_zone}.{more}")


def _words(group: Alike) -> str:
    told = " ".join(f"{group.error_class or formats.UNKNOWN}: {group.error or ''}".split())
    return f"{group.n:,} × {told if len(told) <= LONGEST else told[: LONGEST - 1] + '…'}"

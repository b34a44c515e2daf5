"""The list of jobs: page by page, keeping itself current, with what an operator may do to some of them or to all that match."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from console.ui import choice, instants, job_acts, job_states
from console.ui.job_filters import AFTER, BEFORE, Chosen, first_page
from services import clock
from services.db import transaction
from services.errors import BadInput
from services.jobs import listing
from services.jobs.truth import Job
from services.settings import settings

ROWS = 25
HELD = "jobs_held"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list as it was read: `newer` and `older` say whether there is more on that side."""

    asked: tuple[Chosen, int | None, int | None]
    frame: pd.DataFrame
    ids: list[int]
    key: str
    matching: int
    newer: bool
    older: bool


def draw(chosen: Chosen, *, acts: bool) -> None:
    """The page that the address names; who `acts` may choose rows."""
    asked = (chosen, _place(BEFORE), _place(AFTER))
    held: Page | None = st.session_state.get(HELD)
    # While rows are chosen the list holds still: nobody aims at what moves. An act lets go of them.
    if held is None or held.asked != asked or held.key != choice.key_of("jobs", held.ids) or not choice.chosen(held.key, held.ids):
        held = st.session_state[HELD] = _read(asked)
    if not held.ids:
        _nothing(held)
        return
    if acts:
        _offer(held)
    choice.table(held.frame, held.key, _columns(), "Jobs, newest first, with their state, times and attempts", choosable=acts)
    _turn(held)


def _offer(page: Page) -> None:
    """Something to do with the chosen rows, or with everything where none is chosen."""
    rows = choice.chosen(page.key, page.ids)
    if rows:
        job_acts.offer(f"With the {job_acts.jobs(len(rows))} chosen; the list holds still meanwhile", "jobs-rows", rows, ids=rows)
    else:
        chosen = page.asked[0]
        job_acts.offer(f"With everything that matches: {job_acts.jobs(page.matching)}", "jobs-all", chosen, **chosen.filters())


def _place(name: str) -> int | None:
    told = st.query_params.get(name)
    if told is None:
        return None
    if not (told.isascii() and told.isdigit() and len(told) < 19):
        raise BadInput(f"The address says {name}={told[:50]}, which is no job's number. Take it out of the address.")
    return int(told)


def _read(asked: tuple[Chosen, int | None, int | None]) -> Page:
    chosen, before, after = asked
    filters = chosen.filters()
    with transaction() as connection:
        found = listing.jobs(connection, before_id=before, after_id=after, limit=ROWS + 1, **filters)
        matching = listing.matching(connection, **filters)
    more = len(found) > ROWS
    if after is not None and not more:
        # This is the newest page: show it whole, and let it follow what comes.
        first_page()
        return _read((chosen, None, None))
    shown = found[1:] if after is not None else found[:ROWS]
    ids = [job.id for job in shown]
    return Page(
        asked, _frame(shown), ids, choice.key_of("jobs", ids), matching, newer=after is not None or before is not None,
        older=after is not None or more,
    )  # fmt: skip


def _frame(found: list[Job]) -> pd.DataFrame:
    now = clock.utc_now()
    return pd.DataFrame(
        {
            "Job": [job_states.address(job.id) for job in found],
            "State": [job_states.word(job) for job in found],
            "Kind": [job.kind for job in found],
            "Queue": [job.queue for job in found],
            "Made": instants.column([job.created_at for job in found]),
            "Waited": [job_states.waited(job, now) for job in found],
            "Ran": [job_states.ran(job, now) for job in found],
            "Attempts": [f"{job.attempt} of {job.max_attempts}" for job in found],
            "Last said": [_said(job) for job in found],
            "Actor": [job.created_by for job in found],
            "Tags": [", ".join(job.tags) for job in found],
        }
    )


def _said(job: Job) -> str:
    """Why it failed, or how far it is."""
    if job.state in ("dead", "retry") and job.error is not None:
        return f"{job.error_class}: {job.error}"
    return job_states.progress(job.progress)[1] if job.state == "running" else ""


def _columns() -> dict[str, object]:
    return {
        "Job": job_states.link("Job", "Opens the job in a tab of its own."),
        "State": st.column_config.TextColumn("State", width=100),
        "Kind": st.column_config.TextColumn("Kind", width=220),
        "Made": instants.shown("Made"),
        "Waited": st.column_config.TextColumn("Waited", help="From when it was due until a worker took it, or until now."),
        "Ran": st.column_config.TextColumn("Ran", help="Its last attempt."),
        "Last said": st.column_config.TextColumn("Last said", width=260, help="Its progress or its last error."),
    }


def _turn(page: Page) -> None:
    """Where this page lies, and the ways to its neighbours; the address follows."""
    many = f"{listing.MOST:,} or more" if page.matching >= listing.MOST else f"{page.matching:,}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Newest", icon=":material/first_page:", key="jobs-first", disabled=not page.newer, on_click=first_page)
        st.button(
            "Newer", icon=":material/chevron_left:", key="jobs-newer", disabled=not page.newer, on_click=_go, args=(AFTER, page.ids[0])
        )
        st.button(
            "Older", icon=":material/chevron_right:", key="jobs-older", disabled=not page.older, on_click=_go, args=(BEFORE, page.ids[-1])
        )
        st.caption(
            f"{len(page.ids)} of {many} that match. Times are of {settings().reporting_zone}. Asked at {clock.utc_now():%H:%M:%S} UTC.",
            width="content",
        )


def _go(side: str, job_id: int) -> None:
    first_page()
    st.query_params[side] = str(job_id)


def _nothing(page: Page) -> None:
    chosen, before, after = page.asked
    if before is not None or after is not None:
        st.info("There are no jobs on this side.", icon=":material/inbox:")
        st.button("Newest", icon=":material/first_page:", key="jobs-first", on_click=first_page)
    elif chosen.words():
        st.info("No job matches. Take a filter away.", icon=":material/filter_alt_off:")
    else:
        st.info("There are no jobs yet.", icon=":material/inbox:")
        st.markdown(
            f"Schedules and pages make them. To start one over HTTP, send it to `{settings().console_url}/api/jobs` with a key of the scope"
            " jobs."
        )

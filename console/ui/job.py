"""One job in full: how it stands, what happened when, every attempt, what went in and what came out."""

import json
from datetime import datetime

import pandas as pd
import streamlit as st

from console.ui import formats, instants, job_acts, job_states
from services import clock
from services.db import transaction
from services.errors import BadInput, NotFound
from services.jobs import listing
from services.jobs.control import Action
from services.jobs.listing import Attempt, Whole
from services.jobs.truth import Job
from services.settings import settings

LONG = 2_000  # characters
OPEN_TO: dict[str, tuple[Action, ...]] = {
    "queued": ("cancel",), "retry": ("retry", "cancel"), "running": ("cancel",), "cancelled": ("retry",), "dead": ("retry", "discard"),
}  # fmt: skip


def asked() -> int | None:
    """The number that the address or somebody gave; None where there is none yet."""
    told = st.text_input("Job", key="id", bind="query-params", placeholder="Its number", width=200).strip()
    if not told:
        st.info("Which job? Give its number, or choose one in the list of jobs.", icon=":material/search:")
        return None
    if not (told.isascii() and told.isdigit() and len(told) < 19):
        raise BadInput(f"'{told[:50]}' is no job's number: a whole number from 1 on.")
    return int(told)


def draw(job_id: int, *, acts: bool) -> None:
    """Everything that is known of it; who `acts` may do something about it. Raises NotFound."""
    whole = _read(job_id)
    job = whole.job
    now = clock.utc_now()
    st.subheader(formats.plain(job.kind), anchor=False)
    _tiles(job, now)
    _progress(job)
    if job.error is not None and job.state in ("dead", "retry"):
        st.code(f"{job.error_class}: {job.error}", language=None, wrap_lines=True)
    if acts and job.state in OPEN_TO:
        job_acts.offer("With this job", "job", job_id, OPEN_TO[job.state], ids=[job_id])
    left, right = st.columns(2)
    with left:
        st.markdown("**What happened**")
        _timeline(whole)
    with right:
        st.markdown("**What it is**")
        _facts(job)
    st.markdown("**Attempts**")
    _attempts(whole, now)
    left, right = st.columns(2)
    with left:
        st.markdown("**Arguments**")
        _json(job.args, "It has no arguments.")
        st.caption("What sounds like a secret is left out.")
    with right:
        st.markdown("**Result**")
        _json(job.result, "There is no result yet." if job.finished_at is None else "It left no result.")
        if job.result_ref:
            st.caption(f"What it made is kept under {formats.plain(job.result_ref)}.")
    st.caption(f"Times are of {settings().reporting_zone}. Asked at {now:%H:%M:%S} UTC.")


def _read(job_id: int) -> Whole:
    try:
        with transaction() as connection:
            return listing.one(connection, job_id)
    except NotFound as error:
        raise NotFound(f"{error} Look at the number again; jobs that ended are not kept for ever.") from None


def _tiles(job: Job, now: datetime) -> None:
    values = {
        "State": job_states.word(job),
        "Attempt": f"{job.attempt} of {job.max_attempts}",
        "Waited": job_states.waited(job, now),
        "Ran": job_states.ran(job, now),
        "Queue": formats.short(job.queue),
    }
    for place, (label, value) in zip(st.columns(len(values)), values.items(), strict=True):
        place.metric(label, value, border=True, height="stretch")


def _progress(job: Job) -> None:
    share, words = job_states.progress(job.progress)
    if job.state != "running" or not job.progress:
        return
    if share is None:
        st.caption(formats.plain(words) or "It says nothing of how far it is.")
    else:
        st.progress(share, formats.plain(words))


def _timeline(whole: Whole) -> None:
    told = sorted(_events(whole), key=lambda event: event[0])
    first = whole.job.created_at
    frame = pd.DataFrame(
        {
            "At": instants.column([at for at, _ in told]),
            "After": [instants.between(first, at) for at, _ in told],
            "What": [words for _, words in told],
        }
    )
    config = {"At": instants.shown("At"), "What": st.column_config.TextColumn("What", width=320)}
    st.dataframe(frame, hide_index=True, column_config=config, alt="What happened to the job, in order")


def _events(whole: Whole) -> list[tuple[datetime, str]]:
    job = whole.job
    events = [(job.created_at, f"made by {job.created_by}")]
    for attempt in whole.attempts:
        events.append((attempt.started_at, f"attempt {attempt.attempt} began"))
        if attempt.ended_at is not None:
            why = f": {attempt.error_class}" if attempt.outcome == "failed" else ""
            events.append((attempt.ended_at, f"attempt {attempt.attempt} {job_states.OUTCOMES.get(attempt.outcome, '')}{why}"))
    if job.state in ("queued", "retry"):
        events.append((job.run_at, "due"))
    events += [
        (at, words)
        for at, words in (
            (job.dispatched_at, "handed to the queue"),
            (job.cancel_requested_at, "asked to stop"),
            (_over(whole), job_states.STATES.get(job.state, job.state)),
            (job.discarded_at, "discarded"),
        )
        if at is not None
    ]
    return events


def _over(whole: Whole) -> datetime | None:
    """When the job ended: a moment after its last attempt, though it was written a moment before."""
    ended = [attempt.ended_at for attempt in whole.attempts if attempt.ended_at]
    return whole.job.finished_at and max([whole.job.finished_at, *ended])


def _facts(job: Job) -> None:
    cause = None if job.cause_type is None else f"{job.cause_type} {job.cause_id or ''}".strip()
    facts = {
        "Number": f"{job.id}",
        "Kind": job.kind,
        "Queue": job.queue,
        "Priority": f"{job.priority} (lower goes first)",
        "Made by": job.created_by,
        "Because of": cause or "nothing else",
        "Tags": ", ".join(job.tags) or "none",
        "Dedupe key": job.dedupe_key or "none",
        "Lost in a row": f"{job.lost}",
        "Error's fingerprint": job.fingerprint or "no error",
    }
    frame = pd.DataFrame({"What": list(facts), "Value": list(facts.values())})
    config = {"What": st.column_config.TextColumn("What", width=130), "Value": st.column_config.TextColumn("Value", width=320)}
    st.dataframe(frame, hide_index=True, column_config=config, alt="The job's kind, queue, priority, cause, tags and keys")


def _attempts(whole: Whole, now: datetime) -> None:
    attempts = whole.attempts[::-1]
    if not attempts:
        st.caption("No worker has taken it yet.")
        return
    frame = pd.DataFrame(
        {
            "Attempt": [attempt.attempt for attempt in attempts],
            "Outcome": [job_states.OUTCOMES.get(attempt.outcome, attempt.outcome) for attempt in attempts],
            "Worker": [attempt.worker for attempt in attempts],
            "Process": ["" if attempt.pid is None else f"{attempt.pid}" for attempt in attempts],
            "Began": instants.column([attempt.started_at for attempt in attempts]),
            "Took": [instants.between(attempt.started_at, attempt.ended_at or now) for attempt in attempts],
            "Lease": [_lease(whole.job, attempt, now) for attempt in attempts],
            "Error": [_error(attempt) for attempt in attempts],
        }
    )
    config = {
        "Attempt": st.column_config.NumberColumn("Attempt", width=70),
        "Began": instants.shown("Began"),
        "Worker": st.column_config.TextColumn("Worker", width=180, help="Host, process and the start of its id."),
        "Process": st.column_config.TextColumn("Process", help="Process id of what ran it."),
        "Lease": st.column_config.TextColumn("Lease", help="The start of its token, and how long it still holds."),
        "Error": st.column_config.TextColumn("Error", width=320),
    }
    st.dataframe(frame, hide_index=True, column_config=config, alt="Attempts, newest first, with worker, lease and error")
    for attempt in attempts:
        if attempt.traceback:
            wanted = whole.job.state == "dead" and attempt is attempts[0]
            with st.expander(f"Traceback of attempt {attempt.attempt}", expanded=wanted, icon=":material/bug_report:"):
                st.code(attempt.traceback, language=None)


def _lease(job: Job, attempt: Attempt, now: datetime) -> str:
    token = f"{attempt.lease_token}"[:8] if attempt.lease_token else formats.UNKNOWN
    if job.lease_until is None or attempt.lease_token != job.lease_token:
        return f"{token}, given up"
    if job.lease_until < now:
        return f"{token}, ▲ ran out {instants.since(job.lease_until)} ago"
    return f"{token}, {instants.between(now, job.lease_until)} left"


def _error(attempt: Attempt) -> str:
    if attempt.error is None and attempt.error_class is None:
        return ""
    return f"{attempt.error_class or formats.UNKNOWN}: {attempt.error or formats.UNKNOWN}"


def _json(value: object, nothing: str) -> None:
    if value in (None, {}, []):
        st.caption(nothing)
    else:
        told = json.dumps(value, indent=2, ensure_ascii=False)
        # Long ones scroll by themselves, so that the page stays one that can be read.
        st.code(told, language="json", wrap_lines=True, height=400 if len(told) > LONG else "content")

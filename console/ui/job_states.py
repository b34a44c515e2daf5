"""How a job stands, in words that tables and sentences of the console share."""

from datetime import datetime
from typing import Any

import streamlit as st

from console.ui import formats, instants
from services.jobs.truth import Job

# The sign says it without its colour, too.
STATES = {
    "queued": "○ queued",
    "retry": "↻ retry",
    "running": "● running",
    "done": "✓ done",
    "cancelled": "■ cancelled",
    "dead": "▲ dead",
}
OUTCOMES = {
    "done": "✓ done",
    "failed": "▲ failed",
    "cancelled": "■ cancelled",
    "lost": "▲ lost",
    "released": "○ given back",
    None: "● running",
}
NOT_YET = "not yet"


def word(job: Job) -> str:
    """Its state; what was asked of it meanwhile comes with it."""
    if job.discarded_at is not None:
        return "□ discarded"
    if job.state == "running" and job.cancel_requested_at is not None:
        return "● stopping"
    return STATES.get(job.state, job.state)


def waited(job: Job, now: datetime) -> str:
    """From when it was due to when it was taken last, or how long it waits by now."""
    if job.state in ("queued", "retry"):
        return f"due in {_span(now, job.run_at)}" if job.run_at > now else _span(job.run_at, now)
    return formats.UNKNOWN if job.claimed_at is None else _span(min(job.run_at, job.claimed_at), job.claimed_at)


def ran(job: Job, now: datetime) -> str:
    """How long its last attempt took, or takes by now."""
    if job.claimed_at is None:
        return NOT_YET if job.state in ("queued", "retry") else "never"
    if job.state == "running":
        return _span(job.claimed_at, now)
    if job.state in ("queued", "retry"):
        return NOT_YET
    return formats.UNKNOWN if job.finished_at is None else _span(job.claimed_at, job.finished_at)


def address(job_id: int | None) -> str | None:
    """Where a job's own page is, from any page."""
    return None if job_id is None else f"/job?id={job_id}"


def link(label: str, help_: str | None = None) -> Any:  # noqa: ANN401 - Streamlit names the type nowhere public
    """How a column of such addresses is shown: by the job's number."""
    return st.column_config.LinkColumn(label, display_text=r"id=(\d+)", help=help_, width=70, alignment="left")


def progress(told: dict[str, Any] | None) -> tuple[float | None, str]:
    """The share that is done, if anybody knows, and words for it; handlers may say whatever JSON can."""
    if not told:
        return None, ""
    done, total, note = told.get("done"), told.get("total"), told.get("note")
    said = "" if note is None else f"{note}"
    if isinstance(done, int | float) and isinstance(total, int | float) and total > 0:
        return min(max(done / total, 0.0), 1.0), ": ".join(part for part in (f"{done:,} of {total:,}", said) if part)
    return None, ": ".join(part for part in ("" if done is None else f"{done}", said) if part)


def _span(start: datetime, end: datetime) -> str:
    return instants.between(start, end, formats.UNKNOWN)

"""Who is at work: heartbeat, version, current job; and the switch that lets a worker go quiet before it is stopped."""

import pandas as pd
import streamlit as st

from console import job_actions
from console.ui import acts, formats, instants, job_states
from services import VERSION
from services.db import transaction
from services.jobs import listing
from services.jobs.listing import AtWork
from services.jobs.processes import BEAT_S
from services.settings import settings

SILENT_S = 3 * BEAT_S  # two heartbeats may be late; a third is missing


def silent(process: AtWork) -> bool:
    """Whether it should have been heard of by now."""
    return process.beat_age_s > SILENT_S


def table() -> None:
    """Dispatchers and workers as they are now."""
    with transaction() as connection:
        found = listing.processes(connection)
    if not found:
        st.info("No dispatcher and no worker is at work.", icon=":material/engineering:")
        st.markdown(
            "Start all of them with `make run`, or single ones with `python -m workers dispatch` and `python -m workers work default`."
        )
        return
    frame = pd.DataFrame(
        {
            "Process": [_name(process) for process in found],
            "Kind": [process.kind for process in found],
            "State": [_state(process) for process in found],
            "Heartbeat": [f"{formats.duration(process.beat_age_s)} ago" for process in found],
            "Job": [job_states.address(process.job_id) for process in found],
            "Of the kind": [process.job_kind or "" for process in found],
            "Queue": [process.queue or "every" for process in found],
            "Version": [process.version if process.version == VERSION else f"▲ {process.version}" for process in found],
            "Started": instants.column([process.started_at for process in found]),
        }
    )
    config = {
        "Process": st.column_config.TextColumn("Process", width=220, help="Host and process id."),
        "Job": job_states.link("Job"),
        "Version": st.column_config.TextColumn("Version", help=f"▲ is another than this console's, {VERSION}."),
        "Started": instants.shown("Started"),
        "State": st.column_config.TextColumn("State", width=220),
    }
    st.dataframe(frame, hide_index=True, column_config=config, placeholder="", alt="Dispatchers and workers, with their heartbeat")
    st.caption(
        f"A heartbeat comes every {BEAT_S} s. Without one for {SILENT_S} s it is silent, and soon forgotten, its job rescued."
        f" Times are of {settings().reporting_zone}."
    )


def steer() -> None:
    """For operators: let a worker finish its job and take no further one, or wake it."""
    with transaction() as connection:
        found = {process.id: process for process in listing.processes(connection) if process.kind == "worker"}
    if not found:
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    names = {known: f"{_name(process)} · {process.queue}" for known, process in found.items()}
    picked = acts.choose("Worker", list(names), format_func=names.__getitem__, key="worker", place=left)
    if picked is None:
        return
    worker = found[picked]
    on, name = worker.quiet_at is None, _name(worker)
    words = f"{name} takes no further job; stop it when its job is over." if on else f"{name} takes jobs again."
    help_ = "It finishes its job and takes no further one, so that it can be stopped." if on else "It takes jobs again."
    label, icon, key = ("Quiet", ":material/bedtime:", "quiet") if on else ("Wake", ":material/alarm:", "wake")
    if right.button(label, icon=icon, help=help_, width="stretch", key=acts.fresh(key, worker.id)):
        acts.do(lambda: formats.plain(words if job_actions.quiet(worker.id, on=on) else "Nothing changed: it is so already, or gone."))


def _name(process: AtWork) -> str:
    return f"{process.host} · {process.pid}"


def _state(process: AtWork) -> str:
    if silent(process):
        return "▲ silent"
    if process.quiet_at is not None:
        return f"‖ quiet for {instants.since(process.quiet_at)}"
    return "● at work" if process.job_id is not None or process.kind == "dispatcher" else "○ free"

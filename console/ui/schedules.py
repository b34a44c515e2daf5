"""What runs when: each schedule with its next slots and what was decided about the last ones."""

import json
from datetime import datetime

import pandas as pd
import streamlit as st

from console import job_actions
from console.ui import acts, formats, instants, job_states
from services import clock, schedules
from services.db import transaction
from services.schedules import Overview, Timing
from services.schedules.decide import Decision
from services.schedules.slots import EVERY_DAY, label

DECISIONS = {
    "run": "✓ run",
    "run now": "✓ run by hand",
    "coalesced": "○ coalesced",
    "missed": "▲ missed",
    "overlap skipped": "○ skipped: the last one was not over",
    "paused": "‖ paused",
}
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NOW = "now"
UNITS = ((3_600, "h"), (60, "min"), (1, "s"))


def listing(*, may: bool) -> None:
    """All of them, then one in full; who `may` can pause it, resume it and run it."""
    with transaction() as connection:
        found = {known.schedule.name: known for known in schedules.listing(connection)}
    if not found:
        st.info("There is no schedule yet. The dispatcher makes the console's own when it starts.", icon=":material/event_repeat:")
        st.markdown("To make one: `python -m services schedules create NAME --kind KIND --slot 06:00`.")
        return
    _table(list(found.values()))
    name = st.selectbox("Schedule", list(found), key="schedule", bind="query-params")
    if name:
        _one(found[name], may=may)


def timing(told: Timing) -> str:
    """When it is due, in words."""
    if told.every_s is not None:
        return f"every {_whole(told.every_s)}"
    slots = ", ".join(f"{slot:%H:%M:%S}" if slot.second else f"{slot:%H:%M}" for slot in told.slots)
    days = "" if told.weekdays == EVERY_DAY else f" on {', '.join(DAYS[day - 1] for day in told.weekdays)}"
    return f"{slots}{days}, {told.zone}"


def _whole(seconds: int) -> str:
    """In the largest unit that needs no fraction."""
    return next(f"{seconds // size:,} {unit}" for size, unit in UNITS if seconds % size == 0)


def _table(found: list[Overview]) -> None:
    frame = pd.DataFrame(
        {
            "Schedule": [known.schedule.name for known in found],
            "State": [_state(known) for known in found],
            "Kind": [known.schedule.plan.kind for known in found],
            "Due": [timing(known.schedule.plan.timing) for known in found],
            "Next": [_next(known) for known in found],
            "Last slot": [known.last[0].local_label if known.last else "none yet" for known in found],
            "Decided": [DECISIONS.get(known.last[0].word, known.last[0].word) if known.last else "nothing yet" for known in found],
            "Its job": [job_states.STATES.get(known.last[0].job_state or "", "") if known.last else "" for known in found],
        }
    )
    config = {"Due": st.column_config.TextColumn("Due", width=200), "State": st.column_config.TextColumn("State", width=170)}
    st.dataframe(frame, hide_index=True, column_config=config, alt="Schedules: due when, what is next, what was decided last")


def _one(known: Overview, *, may: bool) -> None:
    schedule, plan = known.schedule, known.schedule.plan
    left, right = st.columns(2)
    with left:
        st.markdown(f"**{formats.plain(schedule.name)}**: {formats.plain(plan.kind)} on the queue {formats.plain(plan.queue)}")
        st.caption(f"Due {timing(plan.timing)}. A slot is caught up when it is at most {_whole(plan.catch_up_s)} late.")
        if plan.args:
            st.code(json.dumps(dict(plan.args), indent=1, ensure_ascii=False), language="json", wrap_lines=True)
        if may:
            _steer(known)
        _dry_run(known)
    with right:
        coming = [{"Next five": label(slot, plan.timing.zone), "In": _until(slot)} for slot in known.upcoming]
        st.dataframe(pd.DataFrame(coming), hide_index=True, alt="The next five slots")
        if schedule.paused_at is not None:
            st.caption("While it is paused nothing runs at them.")
    _decisions(known)


def _steer(known: Overview) -> None:
    name = known.schedule.name
    with st.container(horizontal=True):
        if known.schedule.paused_at is None:
            key = acts.fresh("schedule-pause", name)
            if st.button("Pause", icon=":material/pause:", key=key, help="Its slots are recorded as paused."):
                acts.do(lambda: _pause(name))
            key = acts.fresh("schedule-run", name)
            if st.button("Run now", icon=":material/play_circle:", key=key, help="Its job at once, whatever the slots."):
                acts.do(lambda: f"Job {job_actions.run_schedule(name)} of '{formats.plain(name)}' waits for a worker.")
        elif st.button(
            "Resume", icon=":material/play_arrow:", type="primary", key=acts.fresh("schedule-resume", name), help="From the next slot on."
        ):
            acts.do(lambda: _resume(name))


def _pause(name: str) -> str:
    job_actions.pause_schedule(name)
    return f"'{formats.plain(name)}' is paused."


def _resume(name: str) -> str:
    job_actions.resume_schedule(name)
    return f"'{formats.plain(name)}' runs again from its next slot on."


def _dry_run(known: Overview) -> None:
    """What would be decided; nothing is written, so everybody may ask."""
    name, zone = known.schedule.name, known.schedule.plan.timing.zone
    with st.container(horizontal=True, vertical_alignment="bottom"):
        at = st.selectbox(
            "As if it were", [None, *known.upcoming], format_func=lambda slot: NOW if slot is None else label(slot, zone), key=f"dry-{name}"
        )
        asked = st.button("Dry run", icon=":material/science:", key="schedule-dry", help="Says what would be decided, and decides nothing.")
    if asked:
        with transaction() as connection:
            _would(schedules.dry_run(connection, name, at), zone)


def _would(decided: list[Decision], zone: str) -> None:
    if not decided:
        st.info("Nothing is due then.", icon=":material/science:")
        return
    rows = [{"Slot": label(one.slot_at, zone), "Would be": DECISIONS.get(one.word, one.word), "Why": one.reason or ""} for one in decided]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="What a tick would decide")


def _decisions(known: Overview) -> None:
    if not known.last:
        st.caption("No slot was due yet.")
        return
    frame = pd.DataFrame(
        {
            "Slot": [one.local_label for one in known.last],
            "Decided": [DECISIONS.get(one.word, one.word) for one in known.last],
            "Why": [one.reason or "" for one in known.last],
            "Job": [job_states.address(one.job_id) for one in known.last],
            "Its state": [_job_state(one.job_id, one.job_state) for one in known.last],
            "By": [one.actor for one in known.last],
            "At": instants.column([one.decided_at for one in known.last]),
        }
    )
    config = {
        "Job": job_states.link("Job"),
        "At": instants.shown("At"),
        "Why": st.column_config.TextColumn("Why", width=300),
        "Decided": st.column_config.TextColumn("Decided", width=200),
    }
    st.markdown(f"**Last decisions** ({len(known.last)})")
    st.dataframe(
        frame, hide_index=True, column_config=config, placeholder="", height="content", alt="The last thirty decisions, newest first"
    )


def _job_state(job_id: int | None, state: str | None) -> str:
    if job_id is None:
        return ""
    return "no longer kept" if state is None else job_states.STATES.get(state, state)


def _state(known: Overview) -> str:
    paused = known.schedule
    return "● on" if paused.paused_at is None else f"‖ paused by {paused.paused_by or formats.UNKNOWN}"


def _next(known: Overview) -> str:
    if known.schedule.paused_at is not None:
        return "nothing while paused"
    return label(known.upcoming[0], known.schedule.plan.timing.zone) if known.upcoming else "never"


def _until(slot: datetime) -> str:
    return instants.between(clock.utc_now(), slot)

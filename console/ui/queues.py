"""What is stuck, in one sentence; then every queue, how long it waits and how fast it goes; and pauses and limits."""

from typing import Any

import pandas as pd
import streamlit as st

from console import job_actions
from console.ui import acts, formats, instants
from console.ui.workers import silent
from services import clock
from services.db import transaction
from services.jobs import listing
from services.jobs.control import Scope
from services.jobs.listing import AtWork, Limit, Queue

LONG_WAIT_S = 60  # a due job that waits longer than this waits for somebody to do something
BUCKET_MINUTES = 5


def overview() -> None:
    """The sentence, the tiles and the queues, from one reading."""
    with transaction() as connection:
        queues, at_work = listing.queues(connection), listing.processes(connection)
        dead = listing.matching(connection, state="dead")
    _sentence(stuck(queues, at_work, dead))
    _tiles(queues, at_work, dead)
    st.subheader("Queues", anchor=False)
    if queues:
        _table(queues)
    else:
        st.info("No queue has a job or a worker yet.", icon=":material/inbox:")
    st.caption(f"Asked at {clock.utc_now():%H:%M:%S} UTC.")


def stuck(queues: list[Queue], at_work: list[AtWork], dead: int) -> list[str]:
    """Everything that waits for a person, and what the person can do."""
    told = []
    if not any(process.kind == "dispatcher" and not silent(process) for process in at_work):
        told.append("No dispatcher is at work, so no job starts: start `python -m workers dispatch`.")
    told += [words for queue in queues if (words := _queue_stuck(queue))]
    quiet = sum(silent(process) for process in at_work)
    if quiet:
        who = "1 process is" if quiet == 1 else f"{quiet:,} processes are"
        told.append(f"{who} silent, see Workers: a job that ran there is rescued when its lease runs out.")
    if dead:
        told.append(f"{count(dead)} dead {'letter waits' if dead == 1 else 'letters wait'} to be retried or discarded: see Dead letters.")
    return told


def count(number: int) -> str:
    """A number of jobs, as far as they were counted."""
    return f"{listing.MOST:,} or more" if number >= listing.MOST else f"{number:,}"


def steer() -> None:
    """For operators: pause, resume and limit a queue or a kind."""
    with transaction() as connection:
        queues, kinds, found = listing.queues(connection), listing.kinds(connection), listing.limits(connection)
    with st.expander("Pause or limit a queue or a kind", icon=":material/tune:"):
        left, right = st.columns([1, 2], vertical_alignment="bottom")
        what = left.segmented_control("What", ["Queue", "Kind"], default="Queue", key="limit-scope", required=True)
        scope: Scope = "kind" if what == "Kind" else "queue"
        names = kinds if scope == "kind" else [queue.name for queue in queues]
        name = right.selectbox("Name", names, key=f"limit-{scope}", placeholder=f"There is no {scope}.")
        limit = next((one for one in found if (one.scope, one.name) == (scope, name)), None)
        if name:
            _steer(scope, name, limit)
        _limits(found)


def _queue_stuck(queue: Queue) -> str | None:
    name, waits = formats.plain(queue.name), f"{queue.depth:,} {'waits' if queue.depth == 1 else 'wait'}"
    if not queue.depth:
        return None
    if queue.paused_at is not None:
        return f"Queue {name} is paused by {formats.plain(queue.paused_by or formats.UNKNOWN)}: {waits}."
    if not queue.workers:
        return f"Queue {name} has no worker: {waits}. Start `python -m workers work {queue.name.replace('`', '')}`."
    if queue.oldest_wait_s > LONG_WAIT_S:
        full = queue.cap is not None and queue.running >= queue.cap
        what = "its limit is reached" if full else "its workers are busy or a kind is limited"
        return f"Queue {name}: {waits}, the oldest for {formats.duration(queue.oldest_wait_s)}; {what}."
    return None


def _sentence(told: list[str]) -> None:
    if told:
        st.warning("**Somebody is needed**" + "".join(f"  \n{words}" for words in told), icon=":material/warning:")
    else:
        st.success("**Nothing is stuck.**", icon=":material/check_circle:")


def _tiles(queues: list[Queue], at_work: list[AtWork], dead: int) -> None:
    workers = [process for process in at_work if process.kind == "worker"]
    waiting, later = sum(queue.depth for queue in queues), sum(queue.later for queue in queues)
    missing = sum(silent(process) for process in workers)
    values = {
        "Dead": (count(dead), None, "Jobs that used up their attempts, and that nobody discarded."),
        "Oldest wait": (
            formats.duration(max(queue.oldest_wait_s for queue in queues)) if waiting else "none", None,
            "How long the job has waited that has been due longest.",
        ),
        "Waiting": (formats.count(waiting), f"{later:,} due later" if later else None, "Jobs that are due and have no worker yet."),
        "Running": (formats.count(sum(queue.running for queue in queues)), None, "Jobs that a worker holds."),
        "Workers": (
            formats.count(len(workers) - missing), f"{missing:,} silent" if missing else None,
            "Worker processes that sent a heartbeat lately.",
        ),
    }  # fmt: skip
    for place, (label, (value, beside, help_)) in zip(st.columns(len(values)), values.items(), strict=True):
        place.metric(label, value, beside, delta_color="off", delta_arrow="off", help=help_, border=True, height="stretch")


def _table(queues: list[Queue]) -> None:
    frame = pd.DataFrame(
        {
            "Queue": [queue.name for queue in queues],
            "State": [_state(queue) for queue in queues],
            "Waiting": [queue.depth for queue in queues],
            "Oldest wait": [formats.duration(queue.oldest_wait_s) if queue.depth else "nothing waits" for queue in queues],
            "Due later": [queue.later for queue in queues],
            "Running": [f"{queue.running:,} of {queue.cap:,}" if queue.cap else f"{queue.running:,}, no limit" for queue in queues],
            "Workers": [queue.workers for queue in queues],
            "Ended": [formats.rate(queue.ended_per_minute) for queue in queues],
            "Last hour": [_by_five(queue.ended_by_minute) for queue in queues],
        }
    )
    counted = ("Waiting", "Due later", "Workers")
    config: dict[str, Any] = {label: st.column_config.NumberColumn(label, format="localized") for label in counted}
    config |= {
        "State": st.column_config.TextColumn("State", width=220),
        "Running": st.column_config.TextColumn("Running", help="How many run, of how many that may run at once."),
        "Ended": st.column_config.TextColumn("Ended", help="Attempts that ended, by the minute, over the last five minutes."),
        "Last hour": st.column_config.BarChartColumn("Last hour", y_min=0, help="Attempts that ended, by five minutes."),
    }
    st.dataframe(frame, hide_index=True, column_config=config, alt="Queues with what waits, for how long, what runs and how fast it goes")


def _by_five(minutes: list[int]) -> list[int]:
    return [sum(minutes[at : at + BUCKET_MINUTES]) for at in range(0, len(minutes), BUCKET_MINUTES)]


def _state(queue: Queue) -> str:
    if queue.paused_at is not None:
        return f"‖ paused by {queue.paused_by or formats.UNKNOWN}"
    if not queue.workers:
        return "▲ no worker" if queue.depth else "○ no worker, nothing waits"
    return "● open"


def _steer(scope: Scope, name: str, limit: Limit | None) -> None:
    paused = limit is not None and limit.paused_at is not None
    now = limit.cap if limit else None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if paused and st.button("Resume", icon=":material/play_arrow:", type="primary", key=acts.fresh("limit-resume", scope, name)):
            acts.do(lambda: _told(job_actions.resume(scope, name), f"The {scope} '{name}' goes on."))
        help_ = "No further job starts; what runs goes on."
        if not paused and st.button("Pause", icon=":material/pause:", key=acts.fresh("limit-pause", scope, name), help=help_):
            acts.do(lambda: _told(job_actions.pause(scope, name), f"The {scope} '{name}' is paused."))
        asked = st.number_input(
            "At once, at most", min_value=1, max_value=100_000, value=None, step=1, key=acts.fresh(f"cap-{scope}-{name}"), width=200,
            placeholder="no limit" if now is None else f"{now:,} now",
        )  # fmt: skip
        key = acts.fresh("limit-set", scope, name)
        if st.button("Set the limit", icon=":material/speed:", key=key, disabled=asked is None or asked == now):
            acts.do(lambda: _told(job_actions.cap(scope, name, asked), f"The {scope} '{name}' may run {asked:,} at once."))
        key = acts.fresh("limit-lift", scope, name)
        if now is not None and st.button("Lift the limit", icon=":material/all_inclusive:", key=key):
            acts.do(lambda: _told(job_actions.cap(scope, name, None), f"The {scope} '{name}' has no limit any more."))


def _told(changed: int, words: str) -> str:
    return formats.plain(words if changed else "It was so already: somebody was quicker.")


def _limits(found: list[Limit]) -> None:
    if not found:
        st.caption("Nothing is paused or limited.")
        return
    rows = [
        {
            "What": limit.scope,
            "Name": limit.name,
            "Limit": "no limit" if limit.cap is None else f"{limit.cap:,} at once",
            "Running": limit.running,
            "Paused": "no" if limit.paused_at is None else f"by {limit.paused_by or formats.UNKNOWN}, {instants.at(limit.paused_at)}",
        }
        for limit in found
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Queues and kinds that are paused or limited")

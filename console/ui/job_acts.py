"""Retry, cancel, discard: for some jobs or for everything that matches. First how many, then the button, then the audit row."""

from collections.abc import Callable, Sequence
from typing import Unpack, get_args

import streamlit as st

from console import job_actions
from console.ui import acts
from services.db import transaction
from services.jobs import control
from services.jobs.control import Action
from services.jobs.filters import Filters
from services.jobs.listing import MOST

ACTIONS: tuple[Action, ...] = get_args(Action)
WORDS: dict[str, Action] = {"Retry": "retry", "Cancel": "cancel", "Discard": "discard"}
ICONS = {"retry": ":material/replay:", "cancel": ":material/cancel:", "discard": ":material/delete:"}
MEANS = {
    "retry": "They run again as soon as a worker is free; who used up the attempts gets one more.",
    "cancel": "Those that wait are cancelled at once, those that run are asked to stop.",
    "discard": "They stay to be read, but are no dead letters any more.",
}
WHICH = {
    "retry": "dead, cancelled or waiting for its next attempt, with nothing else alive under its dedupe key",
    "cancel": "waiting or running",
    "discard": "dead",
}
CAN = {"retry": "retried", "cancel": "cancelled", "discard": "discarded"}
DONE = {"retry": "will run again", "cancel": "cancelled, or asked to stop", "discard": "discarded"}


def offer(
    about: str,
    key: str,
    target: object,
    actions: Sequence[Action] = ACTIONS,
    *,
    ids: Sequence[int] | None = None,
    **filters: Unpack[Filters],
) -> None:
    """Let an operator choose what to do with the jobs of `ids`, or with all that match; `target` tells these from any others."""
    label = st.segmented_control(about, [label for label, action in WORDS.items() if action in actions], key=acts.fresh(key, target))
    if not label:
        return
    action = WORDS[label]
    with transaction() as connection:
        number = control.possible(connection, action, ids=ids, **filters)
    if not number:
        st.caption(f"There is nothing to {action}: none of them is {WHICH[action]}.")
        return
    st.caption(f"**{jobs(number)}** can be {CAN[action]} now. {MEANS[action]}")
    if st.button(f"{label} {jobs(number)}", icon=ICONS[action], type="primary", key=acts.fresh(f"{key}-sure", target, action)):
        acts.do(lambda: _done(action, ids, filters))


def jobs(number: int) -> str:
    """So many jobs, as far as they were counted."""
    return f"{MOST:,} or more jobs" if number >= MOST else "1 job" if number == 1 else f"{number:,} jobs"


def _done(action: Action, ids: Sequence[int] | None, filters: Filters) -> str:
    act: Callable[..., int] = {"retry": job_actions.retry, "cancel": job_actions.cancel, "discard": job_actions.discard}[action]
    changed = act(ids=ids, **filters)
    return f"{changed:,} {'job' if changed == 1 else 'jobs'} {DONE[action]}."

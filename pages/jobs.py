"""What is stuck, and what can be done about it?"""

from functools import partial

import streamlit as st

from console import job_actions
from console.auth import identity
from console.ui import acts, dead_letters, job_filters, job_list, live, queues, rescues, schedules, workers

PARTS = ["Jobs", "Dead letters", "Schedules", "Workers", "Rescues"]

may = identity.current().may(job_actions.ROLE)
acts.said()

paused = st.toggle("Pause updates", key="jobs_paused", help=f"This page is asked again every {live.EVERY_S} seconds.")
every_s = None if paused else live.EVERY_S
acts.live(queues.overview, every_s)
if may:
    queues.steer()
else:
    st.caption("Operators may pause queues, and retry, cancel and discard jobs.")

listed, dead, planned, working, rescued = st.tabs(PARTS, key="view", bind="query-params")
if listed.open:
    with listed:
        chosen = job_filters.selection()
        acts.live(partial(job_list.draw, chosen, acts=may), every_s)
if dead.open:
    with dead:
        dead_letters.groups(acts=may)
if planned.open:
    with planned:
        schedules.listing(may=may)
if working.open:
    with working:
        acts.live(workers.table, every_s)
        if may:
            workers.steer()
if rescued.open:
    with rescued:
        acts.live(rescues.table, every_s)

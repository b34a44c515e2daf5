"""What became of one job, and why?"""

from functools import partial

import streamlit as st

from console import job_actions
from console.auth import identity
from console.ui import acts, job, live

may = identity.current().may(job_actions.ROLE)
acts.said()

job_id = job.asked()
if job_id is not None:
    paused = st.toggle("Pause updates", key="job_paused", help=f"This page is asked again every {live.EVERY_S} seconds.")
    acts.live(partial(job.draw, job_id, acts=may), None if paused else live.EVERY_S)

"""What the reconciler did by itself: jobs rescued from the dead, sent again, buried; processes forgotten."""

import pandas as pd
import streamlit as st

from console.ui import instants, job_states
from services.db import transaction
from services.jobs import listing
from services.jobs.feed import KEPT_DAYS
from services.settings import settings

MOST = 100
MEANS = {
    "rescued": "↻ rescued",
    "buried": "▲ buried",
    "sent again": "↻ sent again",
    "redis lost": "▲ Redis lost",
    "process forgotten": "■ process forgotten",
    "cancelled": "■ cancelled",
}


def table() -> None:
    """The newest rescues."""
    with transaction() as connection:
        found = listing.rescues(connection, MOST)
    if not found:
        st.info(f"Nothing had to be rescued in {KEPT_DAYS} days.", icon=":material/task_alt:")
        return
    frame = pd.DataFrame(
        {
            "At": instants.column([rescue.at for rescue in found]),
            "What": [MEANS.get(rescue.action, rescue.action) for rescue in found],
            "Job": [job_states.address(rescue.job_id) for rescue in found],
            "Queue": [rescue.queue or "" for rescue in found],
            "Number": [rescue.n for rescue in found],
            "Detail": [rescue.detail or "" for rescue in found],
        }
    )
    config = {
        "At": instants.shown("At"),
        "Job": job_states.link("Job"),
        "What": st.column_config.TextColumn("What", width=160),
        "Number": st.column_config.NumberColumn("Number", format="localized", help="How many jobs or processes it concerned."),
        "Detail": st.column_config.TextColumn("Detail", width="large"),
    }
    st.dataframe(frame, hide_index=True, column_config=config, placeholder="", alt="What the reconciler did, newest first")
    st.caption(
        f"The newest {len(found)} of {KEPT_DAYS} days. Rescued: its worker vanished, so it runs again. Buried: that happened too often."
        f" Sent again: it waited and no queue in Redis knew it. Times are of {settings().reporting_zone}."
    )

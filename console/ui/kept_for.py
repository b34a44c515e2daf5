"""How long what is kept and in which zone days are cut, on the Admin page: set where the console is started, said here."""

import pandas as pd
import streamlit as st

from services import metrics
from services.clock import today
from services.settings import settings


def table() -> None:
    """The settings with their names in the environment; a zone that is being changed says so."""
    told = settings()
    rows = [
        ("Reporting zone", told.reporting_zone, "REPORTING_ZONE"),
        ("Operations", f"{told.raw_days:,} days", "RAW_DAYS"),
        ("Refused records", f"{told.rejected_days:,} days", "REJECTED_DAYS"),
        ("Prompts and answers", f"{told.payload_days:,} days" if told.store_payloads else "not kept", "PAYLOAD_DAYS, STORE_PAYLOADS"),
        ("Sign-ins", f"{told.session_days:,} days", "SESSION_DAYS"),
    ]
    frame = pd.DataFrame(rows, columns=["What", "Kept", "Set by"])
    st.dataframe(frame, hide_index=True, alt="How long what is kept, and the setting that says so")
    line = metrics.trust(today(told.zone), today(told.zone))
    if line.zone != line.zone_wanted:
        st.warning(f"A job is cutting all days anew for {line.zone_wanted}; until it ends they are days of {line.zone}.")
    st.caption("Another zone cuts all days anew, by a job: until it ends the pages show the days of the zone before it, and say so.")

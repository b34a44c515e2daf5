"""What keeps itself current, and can be paused: the page as new numbers come in, and the status on the Health page."""

from datetime import datetime

import pandas as pd
import streamlit as st

from console.ui import formats, instants
from console.ui.quoted import quoted
from services import clock, health, metrics
from services.analyses import results
from services.db import transaction
from services.errors import BinnacleError

EVERY_S = 2
REPLACED_HOURS = 24
SAYS = {
    "healthy": ("Healthy: everything answers and nothing is stalled.", ":material/check_circle:", st.success),
    "degraded": ("Degraded", ":material/warning:", st.warning),
    "down": ("Down", ":material/error:", st.error),
}


def follow(every_s: int) -> None:
    """Run the page again when there are new numbers, at most every `every_s` seconds, unless paused."""
    paused = st.toggle(
        "Pause updates", key="paused", bind="query-params", help=f"New numbers are shown by themselves, at most every {every_s} seconds."
    )
    if not paused:
        st.fragment(_run_when_new, run_every=every_s)(metrics.version(), clock.utc_now())


def status() -> None:
    """The status line with its reasons and the table of probes, every two seconds unless paused."""
    paused = st.toggle("Pause updates", key="status_paused", help=f"This part is asked again every {EVERY_S} seconds.")
    st.fragment(_draw, run_every=None if paused else EVERY_S)()


def replaced() -> None:
    """How often a model said what is no fact, where analyses are made."""
    with transaction() as connection:
        number = results.replaced(connection, REPLACED_HOURS)
    if number is None:
        return
    told = "No wording was" if not number else "1 wording was" if number == 1 else f"{number:,} wordings were"
    st.caption(
        f":material/rule: {told} replaced by the template in the last {REPLACED_HOURS} hours"
        + (", because a model said what is not among the facts: see the Analyses page." if number else ".")
    )


def _run_when_new(shown: int, drawn_at: datetime) -> None:
    """Runs outside the page, so it words its failures itself, and goes on asking."""
    try:
        changed = metrics.version() != shown
    except BinnacleError as problem:
        st.error(f"{quoted(str(problem))} What is shown here is of {instants.at(drawn_at)}.", icon=":material/error:")
        return
    if changed:
        st.rerun()


def _draw() -> None:
    now = health.status()
    words, icon, box = SAYS[now.status]
    box(f"**{words}**" + "".join(f"  \n{reason}" for reason in now.reasons), icon=icon)
    rows = [
        {
            "Part": probe.label,
            "State": "● up" if probe.up else "▲ down",
            "For": ("" if probe.saw else "at least ") + formats.duration((clock.utc_now() - probe.since).total_seconds()),
            "Answered in": formats.UNKNOWN if probe.latency_ms is None else f"{probe.latency_ms:.1f} ms",
            "Detail": probe.detail,
        }
        for probe in now.probes
    ]
    wide = {"Detail": st.column_config.TextColumn(width="large")}
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=wide, alt="State of each part the console stands on")
    st.caption(f"Asked at {now.timestamp:%H:%M:%S} UTC.")

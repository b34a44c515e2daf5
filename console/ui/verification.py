"""Whether the numbers agree with the stored operations, in one line."""

from datetime import timedelta

import streamlit as st

from services.health import verification


def last() -> None:
    """What the last comparison found."""
    found = verification.last()
    if found is None:
        st.caption(":material/rule: The rollups have not been compared with the stored operations yet; that happens every night.")
        return
    days = f"{found.start} to {found.end - timedelta(days=1)}"
    left = f" {found.not_checked:,} days could not be compared: their operations are no longer stored." if found.not_checked else ""
    if found.differences:
        st.error(
            f"{found.differences:,} of {found.cells:,} cells of {days} differ from the stored operations (compared at "
            f"{found.at:%Y-%m-%d %H:%M} UTC). `python -m services rebuild` mends the days.{left}",
            icon=":material/rule:",
        )
        return
    st.caption(
        f":material/verified: Compared with the stored operations at {found.at:%Y-%m-%d %H:%M} UTC: all {found.cells:,} cells of {days} "
        f"agree.{left}"
    )

"""Whether the numbers agree with the stored operations, in one line."""

from datetime import timedelta

import streamlit as st

from services.health import verification


def last() -> None:
    """The days that are wrong, and what the last comparison found."""
    found, differing = verification.last(), verification.differing()
    if differing:
        cells = sum(differing.values())
        st.error(
            f"{'1 cell' if cells == 1 else f'{cells:,} cells'} of {verification.named(differing)}"
            f" {'differs' if cells == 1 else 'differ'} from the stored operations."
            " `python -m services rebuild` mends the days and compares them again.",
            icon=":material/rule:",
        )
    if found is None:
        st.caption(":material/rule: The rollups have not been compared with the stored operations yet; that happens every night.")
        return
    days = f"{found.start} to {found.end - timedelta(days=1)}"
    left = f" {found.not_checked:,} days could not be compared: their operations are no longer stored." if found.not_checked else ""
    what = (
        f"{found.differences:,} of {found.cells:,} cells of {days} differed"
        if found.differences
        else f"all {found.cells:,} cells of {days} agree"
    )
    st.caption(f":material/rule: Compared with the stored operations at {found.at:%Y-%m-%d %H:%M} UTC: {what}.{left}")

"""Incidents that were found in the data, the newest first."""

import streamlit as st

from console.ui import formats, instants
from services.health import incidents
from services.health.incidents import Incident
from services.settings import settings

DAYS = 14
MOST = 8
ICONS = {"errors": ":material/error:", "silence": ":material/volume_off:"}


def latest() -> None:
    """Error bursts and silences of a fortnight; what goes on now stands out."""
    found = incidents.latest(DAYS)
    looked_at = incidents.looked_at()
    if not found and looked_at is None:
        st.info(
            "Nobody has looked yet: a job looks every quarter of an hour for error bursts and unusual silence.", icon=":material/schedule:"
        )
        return
    if not found:
        st.caption(
            f":material/check_circle: No error burst and no unusual silence was found in the last {DAYS} days;"
            f" looked at {instants.at(looked_at)}."
        )
        return
    for one in found[:MOST]:
        told = f"{_when(one)} · {_words(one)}"
        if one.goes_on:
            st.error(told, icon=ICONS[one.kind])
        else:
            st.markdown(f"{ICONS[one.kind]} {told}")
    if len(found) > MOST:
        st.caption(f"and {len(found) - MOST} more.")
    st.caption("Each hour is held against the same hour of the working days, or weekends, of the weeks before.")


def _when(one: Incident) -> str:
    start, end = (moment.astimezone(settings().zone) for moment in (one.started_at, one.ended_at))
    if one.goes_on:
        return f"**since {start:%a %d %b %H:%M}**"
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%d %b %H:%M}"
    return f"**{start:%a %d %b %H:%M} to {until}**"


def _words(one: Incident) -> str:
    module = formats.plain(one.module)
    if one.kind == "silence":
        return f"{module}: {one.seen:,} operations where {one.expected:,.0f} are usual."
    error_type, provider = (formats.plain(str(one.detail.get(name) or "")) for name in ("error_type", "provider"))
    about = " ".join(filter(None, (error_type, provider and f"at {provider}")))
    mostly = f", mostly {about}" if about else ""
    return f"{module}: {one.seen:,} of {one.operations:,} operations failed where {one.expected:,.0f} are usual{mostly}."

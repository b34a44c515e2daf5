"""What would save money, with its evidence; and who spends most."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from console.ui import formats
from services.costs import findings
from services.costs.suggestion import DAYS, KINDS, Suggestion

IN_FULL = 4
RANGES = {1: "24 hours", 7: "7 days", 30: "30 days"}


def suggestions() -> None:
    """The suggestions that the last look found, what saves most first."""
    found = findings.listing()
    if found.at is None:
        st.info("Nobody has looked yet: a job looks every hour for money that is spent for nothing.", icon=":material/schedule:")
        return
    if not found.suggestions:
        st.success(f"Nothing that would save a cent a month was found in the last {DAYS} days.", icon=":material/check_circle:")
    for one in found.suggestions[:IN_FULL]:
        with st.container(border=True):
            _row(one)
    if smaller := found.suggestions[IN_FULL:]:
        with st.expander(f"{len(smaller)} smaller ones"):
            _table(smaller)
    st.caption(f"Looked at {found.at:%Y-%m-%d %H:%M} UTC at the last {DAYS} days. Two suggestions about the same calls do not add up.")


def spenders() -> None:
    """Users and sessions by what they cost."""
    days = st.segmented_control(
        "Who spent most in", list(RANGES), default=30, format_func=RANGES.__getitem__, key="spender_days", required=True
    )
    left, right = st.columns(2)
    for place, kind in ((left, "user"), (right, "session")):
        with place, st.container(border=True):
            st.markdown(f"**{kind.capitalize()}s that cost most**")
            found = findings.top_spenders(days or 30, kind)
            if found.empty:
                st.caption(f"No {kind} that cost anything has been found; a job looks every hour.")
                continue
            st.dataframe(_shown(found, kind), hide_index=True, alt=f"The {kind}s that cost most", column_config=_columns())
            st.caption(f"As of {found['found_at'].iloc[0]:%Y-%m-%d %H:%M} UTC, in all modules.")


def _row(one: Suggestion) -> None:
    kind = KINDS[one.kind]
    money, words = st.columns([1, 4], vertical_alignment="center")
    money.metric("Saves a month", formats.money(one.saves), label_visibility="collapsed")
    money.caption("a month")
    words.markdown(f"**{kind.label}** · {formats.plain(_place(one))}")
    words.markdown(formats.plain(kind.words(one.evidence)))
    words.caption(f":material/lightbulb: {kind.advice}")


def _table(smaller: Sequence[Suggestion]) -> None:
    rows = [(float(one.saves), KINDS[one.kind].label, _place(one), KINDS[one.kind].words(one.evidence)) for one in smaller]
    saves = st.column_config.NumberColumn(format="$%.2f", width="small")
    st.dataframe(
        pd.DataFrame(rows, columns=["Saves a month", "What", "Where", "Evidence"]), hide_index=True, alt="Smaller suggestions",
        column_config={"Saves a month": saves, "Evidence": st.column_config.TextColumn(width="large")},
    )  # fmt: skip


def _place(one: Suggestion) -> str:
    return ", ".join(name for name in (one.module, one.operation, one.model) if name)


def _shown(found: pd.DataFrame, kind: str) -> pd.DataFrame:
    shown = found[["key", "source", "cost_usd", "operations", "unpriced"]].astype({"cost_usd": float})
    return shown.drop(columns="source") if kind == "user" else shown


def _columns() -> dict[str, Any]:
    return {
        "key": st.column_config.TextColumn("Key"),
        "source": st.column_config.TextColumn("Source"),
        "cost_usd": st.column_config.NumberColumn("Cost", format="$%.4f"),
        "operations": st.column_config.NumberColumn("Operations", format="localized"),
        "unpriced": st.column_config.NumberColumn("Unpriced", format="localized"),
    }

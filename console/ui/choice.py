"""A table from which rows are chosen. The browser tells rows by their place, and places shift when something new comes; so the choice
belongs to exactly these rows in this order: with other rows nothing is chosen, and never the wrong one."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from console.ui import acts, formats


def key_of(name: str, ids: Sequence[object]) -> str:
    """The widget's key for these rows."""
    return acts.fresh(name, list(ids))


def chosen(key: str, ids: Sequence[int]) -> list[int]:
    """Ids of the rows that are chosen in the table of that key."""
    state = st.session_state.get(key)
    rows = state["selection"]["rows"] if state else []
    return [ids[row] for row in rows if row < len(ids)]


def table(frame: pd.DataFrame, key: str, config: Mapping[str, Any], alt: str, *, choosable: bool) -> None:
    """Draw it; without `choosable` it is only read."""
    if choosable:
        st.dataframe(
            frame, key=key, hide_index=True, column_config=config, placeholder=formats.UNKNOWN, height="content", alt=alt,
            on_select="rerun", selection_mode="multi-row",
        )  # fmt: skip
    else:
        st.dataframe(frame, hide_index=True, column_config=config, placeholder=formats.UNKNOWN, height="content", alt=alt)

"""The audit log on the Admin page: who did what, what was before and is after; filtered by the address, page by page."""

import json

import pandas as pd
import streamlit as st

from console.ui import instants
from services.accounts import audit
from services.accounts.audit import Line
from services.db import transaction
from services.settings import settings

ROWS = 25
BEFORE = "audit-before"  # the last line of the page before the one that is shown; console/app.py forgets it where a page is opened


def log() -> None:
    """Filters, one page of lines, and the way to older ones."""
    with transaction() as connection:
        actors, actions = audit.known(connection)
    who, what, which = st.columns(3)
    actor = who.selectbox("Who", actors, index=None, key="actor", bind="query-params", placeholder="Everybody", on_change=_newest)
    nouns = sorted({action.partition(".")[0] for action in actions})
    action = what.selectbox(
        "What", [*nouns, *actions], index=None, key="action", bind="query-params", placeholder="Everything", on_change=_newest
    )
    subject = which.text_input("Of what", key="subject", bind="query-params", max_chars=200, on_change=_newest) or None
    with transaction() as connection:
        before: Line | None = st.session_state.get(BEFORE)
        found = audit.listing(
            connection, actor=actor, action=action, subject=subject and subject.replace("\0", ""), limit=ROWS + 1,
            before_id=None if before is None else before.id,
        )  # fmt: skip
    if before is not None:
        st.caption(f"Older than {instants.at(before.at)}: “Newest” leads back to the first page.")
    if not found:
        st.info("Nothing matches.", icon=":material/inbox:")
    else:
        _table(found[:ROWS])
    with st.container(horizontal=True):
        st.button("Newest", icon=":material/first_page:", disabled=before is None, on_click=_newest)
        older = found[ROWS - 1] if len(found) > ROWS else None
        st.button("Older", icon=":material/chevron_right:", disabled=older is None, on_click=_older, args=(older,))


def _table(lines: list[Line]) -> None:
    rows = [
        {
            "When": instants.at(line.at),
            "Who": line.actor,
            "What": line.action,
            "Of what": line.subject,
            "Before": _told(line.before),
            "After": _told(line.after),
            "Detail": _told(line.detail or None),
        }
        for line in lines
    ]
    wide = {name: st.column_config.TextColumn(width="medium") for name in ("Before", "After", "Detail")}
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=wide, alt="Audit log: who did what, what was before and is after")
    st.caption(f"Times are of {settings().reporting_zone}. Click a cell to read it whole.")


def _told(told: dict[str, object] | None) -> str:
    return "–" if told is None else ", ".join(f"{name} {json.dumps(value, default=str)}" for name, value in told.items())


def _newest() -> None:
    st.session_state.pop(BEFORE, None)


def _older(last: Line | None) -> None:
    st.session_state[BEFORE] = last

"""The keys of the Telemetry page: what there is, and forms to make, rotate and revoke. A secret is on screen once."""

from datetime import datetime
from functools import partial

import pandas as pd
import streamlit as st

from console import actions
from console.ui import acts, formats
from services.accounts import keys
from services.accounts.keys import Key
from services.db import transaction
from services.settings import settings

SCOPES = {
    "telemetry": "send operations, sessions and traces",
    "metrics": "read metrics",
    "jobs": "start and read jobs",
    "records": "read communities and projects",
    "analyses": "start and read analyses",
    "ask": "ask questions",
    "admin": "everything; only admins give it",
}
COPY = "Copy it now: it is not shown again."


def manage() -> None:
    """The table of keys above the forms."""
    with transaction() as connection:
        found = keys.listing(connection)
    _table(found)
    new, rotate, revoke = st.tabs(["New key", "Rotate", "Revoke"])
    live = [key.name for key in found if key.revoked_at is None]
    with new:
        _create()
    with rotate:
        _rotate(live)
    with revoke:
        _revoke(live)


def _table(found: list[Key]) -> None:
    if not found:
        st.info("There is no key yet.", icon=":material/key:")
        return
    rows = [
        {
            "Name": key.name,
            "State": _state(key),
            "Scopes": ", ".join(key.scopes),
            "Source": key.source,
            "Environment": key.environment or "as told",
            "Created": _when(key.created_at),
            "Last used": _when(key.last_used_at) if key.last_used_at else "never",
            "Limit": "none" if key.rate_per_minute is None else f"{key.rate_per_minute:,} /min",
        }
        for key in found
    ]
    wide = {"State": st.column_config.TextColumn("State", width=220, help="After a rotation both secrets work for a while.")}
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, column_config=wide, alt="API keys with their scopes, source, last use, limit and state"
    )
    st.caption(f"Times are of {settings().reporting_zone}. A key's secret is never shown again; rotate the key for a new one.")


def _create() -> None:
    with st.form(acts.fresh("new_key"), border=False):
        name = st.text_input("Name", max_chars=100, help="Given once for ever, and the source unless you name one.")
        scopes = st.pills("Scopes", list(SCOPES), selection_mode="multi", default=["telemetry"])
        st.caption(" · ".join(f"{scope}: {what}" for scope, what in SCOPES.items()))
        left, middle, right = st.columns(3)
        source = left.text_input("Source", max_chars=100, placeholder="the key's name", help="What its telemetry is filed under.")
        environment = middle.text_input("Environment", max_chars=100, placeholder="as told, else production")
        limit = right.number_input(
            "Requests a minute", min_value=1, max_value=keys.MOST_PER_MINUTE, value=None, step=1, placeholder="no limit"
        )
        asked = st.form_submit_button("Make the key", type="primary", icon=":material/key:")
    if asked:
        make = partial(actions.create_key, name.strip(), scopes, source.strip() or None, environment.strip() or None, limit)
        acts.do(make, shown_in="new_key")
    acts.secret("new_key", COPY)


def _rotate(names: list[str]) -> None:
    name = acts.choose("Key", names, key="rotate_name")
    if name is not None:
        hours = st.number_input(
            "Hours the old secret still works", min_value=0, max_value=keys.MOST_GRACE_HOURS, value=keys.GRACE_HOURS, step=1,
            key=acts.fresh("rotate_hours", name), help="Long enough to give the new one to every app; 0 refuses the old one at once.",
        )  # fmt: skip
        if st.button("Make a new secret", type="primary", icon=":material/autorenew:", key=acts.fresh("rotate_key", name)):
            acts.do(lambda: actions.rotate_key(name, int(hours)), shown_in="rotate_key")
    acts.secret("rotate_key", COPY)


def _revoke(names: list[str]) -> None:
    name = acts.choose("Key", names, key="revoke_name")
    if name is None:
        return
    words = "Refuse it from now on. This cannot be taken back, and its name is not given again."
    sure = st.checkbox(words, key=acts.fresh("revoke_sure", name))
    if st.button("Revoke the key", type="primary", icon=":material/block:", key=acts.fresh("revoke_key", name)):
        if sure:
            acts.do(lambda: _revoked(name))
        else:
            st.warning("Tick the box first.", icon=":material/warning:")


def _revoked(name: str) -> str:
    actions.revoke_key(name)
    return f"The key '{formats.plain(name)}' is revoked."


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return f"▲ revoked {_when(key.revoked_at)}"
    if key.graced and key.previous_until is not None:
        return f"● old secret until {_when(key.previous_until)}"
    return "● works"


def _when(instant: datetime) -> str:
    return f"{instant.astimezone(settings().zone):%Y-%m-%d %H:%M}"

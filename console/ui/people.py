"""The people of the Admin page: who may sign in, as what; a sign-in link is on screen once."""

import pandas as pd
import streamlit as st

from console import admin_actions
from console.ui import acts, instants
from services.accounts import accounts, links
from services.accounts.accounts import ROLES, Account
from services.db import transaction

MAY = {
    "viewer": "sees everything",
    "analyst": "also takes answers away and orders analyses",
    "operator": "also steers jobs, telemetry, prices and budgets",
    "admin": "also people, models and this page",
}
OPENS = f"This opens the console once within {links.HOURS} hours; it is not shown again."


def manage() -> None:
    """The table of accounts above the forms."""
    with transaction() as connection:
        found = accounts.listing(connection)
    _table(found)
    st.caption(" · ".join(f"{role}: {what}" for role, what in MAY.items()))
    new, change = st.tabs(["New account", "Change one"])
    with new, st.form(acts.fresh("new-account"), border=False):
        name = st.text_input("Name", max_chars=64, help="Letters, digits and . _ @ + -; an e-mail address will do.")
        role = st.segmented_control("Role", ROLES, default="viewer", required=True)
        if st.form_submit_button("Make the account", type="primary", icon=":material/person_add:"):
            acts.do(lambda: admin_actions.create_account(name.strip(), role or "viewer"), shown_in="new-account")
    with new:
        acts.secret("new-account", OPENS)
    with change:
        _change({account.id: account for account in found})
        acts.secret("change-account", OPENS)


def _table(found: list[Account]) -> None:
    rows = [
        {
            "Name": account.name,
            "Role": account.role,
            "State": "● may sign in" if account.disabled_at is None else f"▲ refused since {instants.at(account.disabled_at)}",
            "Password": "set" if account.has_password else "none: signs in by link",
            "Created": instants.at(account.created_at),
        }
        for account in found
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Accounts with their role, state and password")


def _change(found: dict[int, Account]) -> None:
    names = {known: account.name for known, account in found.items()}
    chosen = acts.choose("Account", list(names), format_func=names.__getitem__, key="account-name")
    if chosen is None:
        return
    account = found[chosen]
    role = st.segmented_control("Its role", ROLES, default=account.role, required=True, key=acts.fresh("role", chosen))
    with st.container(horizontal=True):
        key = acts.fresh("change-role", chosen)
        if st.button("Change the role", type="primary", disabled=role == account.role, icon=":material/badge:", key=key):
            acts.do(lambda: admin_actions.change_role(account.name, role or account.role))
        key, off = acts.fresh("link", chosen), account.disabled_at is not None
        if st.button("Make a sign-in link", disabled=off, icon=":material/link:", key=key):
            acts.do(lambda: admin_actions.link(account.name), shown_in="change-account")
        if off and st.button("Let in again", icon=":material/lock_open:", key=acts.fresh("let-in", chosen)):
            acts.do(lambda: admin_actions.switch(account.name, on=True))
        key, help_ = acts.fresh("refuse", chosen), "Ends its sessions and links."
        if not off and st.button("Refuse from now on", icon=":material/block:", help=help_, key=key):
            acts.do(lambda: admin_actions.switch(account.name, on=False))

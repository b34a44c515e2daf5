"""The people of the Admin page: who may sign in, as what; a sign-in link is on screen once."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from console import admin_actions
from console.ui import acts, instants
from services.accounts import accounts, links
from services.accounts.accounts import ROLES, Account
from services.db import transaction
from services.errors import BinnacleError

MAY = {
    "viewer": "sees everything",
    "analyst": "also takes answers away and orders analyses",
    "operator": "also steers jobs, telemetry, prices and budgets",
    "admin": "also people, models and this page",
}


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
            _show_link(lambda: admin_actions.create_account(name.strip(), role or "viewer"))
    with change:
        _change({account.name: account for account in found})


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


def _change(found: dict[str, Account]) -> None:
    account = found[st.selectbox("Account", list(found), key="account-name")]
    role = st.segmented_control("Its role", ROLES, default=account.role, required=True, key=acts.fresh(f"role-{account.name}"))
    with st.container(horizontal=True):
        if st.button("Change the role", type="primary", disabled=role == account.role, icon=":material/badge:"):
            acts.do(lambda: admin_actions.change_role(account.name, role or account.role))
        if st.button("Make a sign-in link", disabled=account.disabled_at is not None, icon=":material/link:"):
            _show_link(lambda: admin_actions.link(account.name))
        if account.disabled_at is not None and st.button("Let in again", icon=":material/lock_open:"):
            acts.do(lambda: admin_actions.switch(account.name, on=True))
        if account.disabled_at is None and st.button("Refuse from now on", icon=":material/block:", help="Ends its sessions and links."):
            acts.do(lambda: admin_actions.switch(account.name, on=False))


def _show_link(make: Callable[[], str]) -> None:
    try:
        address = make()
    except BinnacleError as problem:
        st.error(f"{problem}", icon=":material/error:")
    else:
        st.success(f"This opens the console once within {links.HOURS} hours; it is not shown again.", icon=":material/check_circle:")
        st.code(address, language=None, wrap_lines=True)

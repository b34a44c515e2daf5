"""Who is looking at a page: the only reader of identity for pages.

Read again on every run, so that a session which ended stops there. In tests without a browser, `st.user["session"]` may carry the
session token instead of the cookie; it is verified all the same, so it opens nothing that the token does not.
"""

import streamlit as st

from console.auth import cookie
from services.accounts import sign_ins
from services.accounts.accounts import Account
from services.db import transaction
from services.errors import Unauthenticated


def current() -> Account:
    """The account behind this browser session; raises Unauthenticated when it ended and Unavailable when nobody can tell."""
    presented = (st.user.get("session"), st.context.cookies.get(cookie.NAME))
    token = next((value for value in presented if isinstance(value, str)), None)
    if token is None:
        raise Unauthenticated("You are not signed in.")
    with transaction() as connection:
        account = sign_ins.who(connection, token)
    if account is None:
        raise Unauthenticated("Your session has ended. Sign in again.")
    return account


def require(role: str) -> Account:
    """The current account, when its role is `role` or stronger; raises Forbidden otherwise."""
    account = current()
    account.require(role)
    return account

"""Who a page believes is looking."""

from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from console.auth import identity
from services.accounts import accounts, sign_ins
from services.db import transaction
from services.errors import Forbidden

pytestmark = pytest.mark.usefixtures("database")
PAGE = Path(__file__).parent / "page.py"


def test_it_reads_identity_again_on_every_run(session: str) -> None:
    page = AppTest.from_file(str(PAGE), default_timeout=30)
    page.user = {"session": session}
    page.run()
    assert page.title[0].value == "Signed in as jane"
    with transaction() as connection:
        sign_ins.revoke(connection, session)
    page.button[0].click().run()
    assert page.error[0].value == "Your session has ended. Sign in again."


@pytest.mark.parametrize("user", [{}, {"name": "jane", "role": "admin", "is_logged_in": True}, {"session": 1}, {"session": "junk"}])
def test_it_believes_no_user_without_a_session(session: str, user: dict[str, object]) -> None:
    page = AppTest.from_file(str(PAGE), default_timeout=30)
    page.user = user
    page.run()
    assert page.error[0].value in ("You are not signed in.", "Your session has ended. Sign in again.")
    assert not page.title


def test_it_refuses_a_weaker_role(monkeypatch: pytest.MonkeyPatch, database: None) -> None:
    with transaction() as connection:
        token = sign_ins.begin(connection, accounts.create(connection, "joe", "analyst"))
    monkeypatch.setattr(st, "user", {"session": token})
    assert identity.require("viewer").name == "joe"
    with pytest.raises(Forbidden, match="needs the role operator; joe has the role analyst"):
        identity.require("operator")

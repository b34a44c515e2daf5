"""What a person may start: each action asks for itself, whatever page it is on."""

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from services.accounts import accounts, keys, sign_ins
from services.clock import utc_now
from services.db import transaction
from tests.traffic import operation, send

pytestmark = pytest.mark.usefixtures("database")
ACTIONS = (
    "replay_rejected(None, None, None)",
    "discard_rejected(None, None, None)",
    "create_key('new', ['telemetry'])",
    "rotate_key('tutor', 0)",
    "revoke_key('tutor')",
)
PAGE = """
import streamlit as st
from console import actions
from services.errors import BinnacleError
try:
    actions.{action}
except BinnacleError as problem:
    st.error(str(problem))
"""


@pytest.fixture
def key(database: None) -> str:
    """A key and a refused record to act on."""
    send([operation("bad", utc_now(), colour="red")])
    with transaction() as connection:
        return keys.create(connection, "tutor", ["telemetry"])


def started(action: str, role: str | None) -> AppTest:
    """A page that does nothing else, as somebody of that role opens it."""
    app = AppTest.from_string(PAGE.format(action=action), default_timeout=30)
    if role:
        with transaction() as connection:
            app.user = {"session": sign_ins.begin(connection, accounts.create(connection, "somebody", role))}
    return app.run()


def state() -> tuple[object, ...]:
    with transaction() as connection:
        return tuple(
            connection.execute(
                text(
                    "select (select count(*) from telemetry_rejected), (select count(*) from audit),"
                    " (select json_agg(k)::text from api_keys k)"
                )
            ).one()
        )


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("role", "problem"), [("viewer", "needs the role operator"), ("analyst", "needs the role operator"), (None, "signed in")]
)
def test_nobody_below_an_operator_starts_it(action: str, role: str | None, problem: str, key: str) -> None:
    before = state()
    assert problem in started(action, role).error[0].value
    assert state() == before


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", ["operator", "admin"])
def test_an_operator_starts_it_and_is_named_in_the_audit(action: str, role: str, key: str) -> None:
    app = started(action, role)
    assert not app.error
    assert not app.exception
    with transaction() as connection:
        assert connection.execute(text("select count(*) from audit where actor = 'somebody'")).scalar_one() == 1


@pytest.mark.parametrize("action", ["create_key('root', ['admin', 'ask'])", "rotate_key('all', 0)"])
@pytest.mark.parametrize(("role", "refused"), [("operator", True), ("admin", False)])
def test_only_an_admin_gets_a_secret_that_may_everything(action: str, role: str, refused: bool, key: str) -> None:
    with transaction() as connection:
        keys.create(connection, "all", ["admin"])
    assert bool(started(action, role).error) is refused

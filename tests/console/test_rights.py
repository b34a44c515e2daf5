"""Every page, route and action, tried by every role, against the one table of who may what."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from streamlit.testing.v1 import AppTest

from console.api import app as api
from console.auth import cookie, rights
from services.accounts import accounts, sign_ins
from services.accounts.accounts import ROLES, Account
from services.clock import utc_now
from services.db import transaction
from services.errors import Forbidden
from services.settings import ROOT, settings

pytestmark = pytest.mark.usefixtures("database")
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
MODULES = sorted(path.stem for path in (ROOT / "console").glob("*actions.py"))
SESSIONS = [
    f"{method.upper()} {path}"
    for path, methods in api.build(sessions=True).openapi()["paths"].items()
    for method, told in methods.items()
    if {"session": []} in told.get("security", [])
]


def refused(role: str, needed: str) -> bool:
    """By the order of the roles alone, without the code under test."""
    order = ["viewer", "analyst", "operator", "admin"]
    return order.index(role) < order.index(needed)


def session_of(role: str) -> str:
    with transaction() as connection:
        return sign_ins.begin(connection, accounts.create(connection, f"a-{role}", role))


@pytest.mark.unmeasured
@pytest.mark.parametrize("role", ROLES)
def test_pages(role: str) -> None:
    session = session_of(role)
    for page in PAGES:
        app = AppTest.from_file(str(ROOT / "console" / "app.py"), default_timeout=60)
        app.user = {"session": session}
        app.run()
        app.switch_page(str(Path("..") / "pages" / f"{page}.py")).run()
        said = [error.value for error in app.error if "needs the role" in error.value]
        assert bool(said) is refused(role, rights.PAGES[page]), page
        if said:
            assert [len(app.metric), len(app.dataframe), len(app.button)] == [0, 0, 1], page  # "Try again" alone


@pytest.mark.parametrize("role", ROLES)
def test_routes(role: str) -> None:
    session = session_of(role)
    with TestClient(api.build(sessions=True), base_url=settings().console_url, cookies={cookie.NAME: session}) as client:
        for route in SESSIONS:
            method, path = route.split()
            answer = client.request(method, re.sub(r"{\w+}", "1", path), headers={"origin": settings().console_url})
            assert (answer.status_code == 403) is refused(role, rights.ROUTES[route]), route
            assert answer.status_code != 401, route


@pytest.fixture
def as_role(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    role: str = request.param
    monkeypatch.setattr("console.auth.identity.current", lambda: Account(1, "somebody", role, utc_now(), None, True))
    return role


@pytest.mark.parametrize("as_role", ROLES, indirect=True)
def test_actions(as_role: str) -> None:
    """Without arguments that make sense: who may not is told so before anybody looks at them."""
    for module in MODULES:
        found = importlib.import_module(f"console.{module}")
        for name, action in inspect.getmembers(found, inspect.isfunction):
            if action.__module__ == found.__name__ and not name.startswith("_"):
                assert stopped(action) is refused(as_role, rights.ACTIONS[module]), f"{module}.{name}"


def stopped(action: object) -> bool:
    """Whether it ends with a refusal."""
    assert callable(action)
    parameters = inspect.signature(action).parameters.values()
    needed = [parameter for parameter in parameters if parameter.default is inspect.Parameter.empty]
    positional: list[object] = [[] for parameter in needed if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    named: dict[str, object] = {parameter.name: [] for parameter in needed if parameter.kind is inspect.Parameter.KEYWORD_ONLY}
    try:
        action(*positional, **named)
    except Forbidden:
        return True
    except Exception:  # noqa: BLE001 - it got past the door, and found nothing to work with
        return False
    return False


def test_the_table_names_what_there_is_and_what_is_not_named_is_for_admins() -> None:
    assert set(PAGES) <= set(rights.PAGES)
    assert set(MODULES) <= set(rights.ACTIONS)
    assert set(SESSIONS) <= set(rights.ROUTES)
    assert (rights.page("new"), rights.action("console.new_actions"), rights.route("GET", "/api/new")) == ("admin", "admin", "admin")
    assert rights.route("HEAD", "/api/metrics/query") == "viewer"

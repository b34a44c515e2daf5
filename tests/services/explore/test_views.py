"""Saved views: whose they are, who sees them, who may change them, and that the audit says so."""

import pytest
from sqlalchemy import text

from services.accounts import accounts
from services.accounts.accounts import Account
from services.db import transaction
from services.errors import BadInput, BinnacleError, Conflict, Forbidden, NotFound
from services.explore import views

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def people(database: None) -> dict[str, Account]:
    with transaction() as connection:
        return {role: accounts.create(connection, f"an-{role}", role) for role in accounts.ROLES}


def names(who: Account) -> list[str]:
    with transaction() as connection:
        return [view.name for view in views.listing(connection, who)]


def saved(who: Account, name: str, address: str = "measure=Cost", *, shared: bool = False) -> int:
    with transaction() as connection:
        return views.save(connection, who, name, address, shared=shared).id


def test_it_shows_ones_own_views_first_and_others_only_when_shared(people: dict[str, Account]) -> None:
    saved(people["analyst"], "private")
    saved(people["analyst"], "a shared one", shared=True)
    saved(people["viewer"], "mine")
    assert names(people["viewer"]) == ["mine", "a shared one"]
    assert names(people["analyst"]) == ["a shared one", "private"]
    assert names(people["admin"]) == ["a shared one"]


def test_it_replaces_a_view_of_the_same_name_and_says_so_in_the_audit(people: dict[str, Account]) -> None:
    first = saved(people["analyst"], "cost", "measure=Cost")
    assert saved(people["analyst"], "  cost ", "?measure=Errors&by=Model", shared=True) == first
    with transaction() as connection:
        view = views.get(connection, people["viewer"], first)
        told = connection.execute(
            text(
                "select jsonb_build_object('before', before, 'after', after) from audit where action = 'view.save' order by id desc limit 1"
            )
        ).scalar_one()
    assert (view.address, view.shared) == ("measure=Errors&by=Model", True)
    assert told == {
        "before": {"address": "measure=Cost", "shared": False},
        "after": {"address": "measure=Errors&by=Model", "shared": True},
    }


@pytest.mark.parametrize(
    ("role", "shared", "error"),
    [
        ("viewer", False, NotFound),
        ("operator", True, Forbidden),
        ("analyst", True, None),
        ("admin", True, None),
        ("admin", False, NotFound),
    ],
)
def test_it_lets_the_owner_and_admins_change_a_view(
    people: dict[str, Account], role: str, shared: bool, error: type[BinnacleError] | None
) -> None:
    view = saved(people["analyst"], "cost", shared=shared)

    def change() -> None:
        with transaction() as connection:
            views.rename(connection, people[role], view, "renamed")
            views.share(connection, people[role], view, shared=True)
            views.delete(connection, people[role], view)

    if error is None:
        change()
        assert names(people["analyst"]) == []
    else:
        with pytest.raises(error):
            change()
        assert names(people["analyst"]) == ["cost"]


def test_it_lets_viewers_keep_views_but_not_share_them(people: dict[str, Account]) -> None:
    view = saved(people["viewer"], "mine")
    with pytest.raises(Forbidden, match="analyst"):
        saved(people["viewer"], "ours", shared=True)
    with transaction() as connection, pytest.raises(Forbidden, match="analyst"):
        views.share(connection, people["viewer"], view, shared=True)


def test_it_does_not_take_a_name_that_is_taken(people: dict[str, Account]) -> None:
    saved(people["viewer"], "one")
    two = saved(people["viewer"], "two")
    with transaction() as connection, pytest.raises(Conflict, match="'one'"):
        views.rename(connection, people["viewer"], two, "one")


@pytest.mark.parametrize(
    ("name", "address"),
    [("", "measure=Cost"), ("x" * 101, "measure=Cost"), ("a\0b", "measure=Cost"), ("a", ""), ("a", "x=" + "y" * 4_000), ("a", "x=%00")],
)
def test_it_refuses_what_it_cannot_keep(people: dict[str, Account], name: str, address: str) -> None:
    with pytest.raises(BadInput):
        saved(people["viewer"], name, address)


def test_it_keeps_an_address_that_leads_nowhere_else(people: dict[str, Account]) -> None:
    view = saved(people["viewer"], "odd", "javascript:alert(1)&measure=//evil.example&by=a b")
    with transaction() as connection:
        assert views.get(connection, people["viewer"], view).address == "measure=%2F%2Fevil.example&by=a+b"


def test_it_bounds_the_views_of_one_person(people: dict[str, Account], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MOST", 2)
    for name in ("one", "two", "two"):
        saved(people["viewer"], name)
    with pytest.raises(Conflict, match="delete one"):
        saved(people["viewer"], "three")

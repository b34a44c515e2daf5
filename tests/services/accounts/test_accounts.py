"""Accounts: names, roles, passwords, disabling."""

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from services.accounts import accounts, sign_ins, tokens
from services.db import transaction
from services.errors import BadInput, Conflict, Forbidden, NotFound

pytestmark = pytest.mark.usefixtures("database")
PASSWORD = "correct horse battery"


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("viewer", {"viewer"}),
        ("analyst", {"viewer", "analyst"}),
        ("operator", {"viewer", "analyst", "operator"}),
        ("admin", set(accounts.ROLES)),
    ],
)
def test_it_lets_a_role_do_what_weaker_roles_may(role: str, allowed: set[str]) -> None:
    with transaction() as connection:
        account = accounts.create(connection, "jane", role)
    assert {asked for asked in accounts.ROLES if account.may(asked)} == allowed
    for asked in set(accounts.ROLES) - allowed:
        with pytest.raises(Forbidden, match=f"needs the role {asked}"):
            account.require(asked)


def test_it_reads_names_without_regard_to_case() -> None:
    with transaction() as connection:
        made = accounts.create(connection, " Jane@Example.org ", "viewer")
        assert made.name == "jane@example.org"
        assert accounts.by_name(connection, "JANE@example.org") == made
        with pytest.raises(Conflict, match="already"):
            accounts.create(connection, "jane@EXAMPLE.org", "viewer")


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "a-", "é", "x" * 65, "a\x00b", "a\nb"])
def test_it_refuses_unusable_names(name: str) -> None:
    with transaction() as connection, pytest.raises(BadInput, match="A name has"):
        accounts.create(connection, name, "viewer")


def test_it_refuses_an_unknown_role() -> None:
    with transaction() as connection, pytest.raises(BadInput, match="viewer, analyst, operator, admin"):
        accounts.create(connection, "jane", "root")


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 1025])
def test_it_refuses_passwords_that_are_too_short_or_too_long(password: str) -> None:
    with transaction() as connection, pytest.raises(BadInput, match="12 to 1024"):
        accounts.create(connection, "jane", "viewer", password)


def test_it_stores_only_an_argon2_hash() -> None:
    with transaction() as connection:
        accounts.create(connection, "jane", "viewer", PASSWORD)
        stored = connection.execute(text("select password_hash from accounts")).scalar_one()
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored


def test_it_finds_an_account_by_its_password_only_while_it_is_enabled() -> None:
    with transaction() as connection:
        jane = accounts.create(connection, "jane", "viewer", PASSWORD)
        accounts.create(connection, "linkonly", "viewer")
        assert accounts.password_matches(connection, "Jane", PASSWORD) == jane
        assert accounts.password_matches(connection, "jane", PASSWORD + "x") is None
        assert accounts.password_matches(connection, "linkonly", PASSWORD) is None
        assert accounts.password_matches(connection, "\x00", PASSWORD) is None
        accounts.disable(connection, "jane", actor="test")
        assert accounts.password_matches(connection, "jane", PASSWORD) is None


def test_it_spends_the_same_hash_on_names_that_do_not_exist() -> None:
    """The stand-in hash must cost what a real one costs, or the time tells which names exist."""
    assert not PasswordHasher().check_needs_rehash(accounts._NOBODY)


def test_it_ends_other_sessions_when_a_password_is_set() -> None:
    with transaction() as connection:
        jane = accounts.create(connection, "jane", "viewer")
        kept, ended = sign_ins.begin(connection, jane), sign_ins.begin(connection, jane)
        accounts.set_password(connection, jane, PASSWORD, keep_token_hash=tokens.digest(kept))
        assert sign_ins.who(connection, kept) is not None
        assert sign_ins.who(connection, ended) is None


def test_it_renames_unless_the_name_is_taken() -> None:
    with transaction() as connection:
        jane = accounts.create(connection, "jane", "viewer")
        accounts.create(connection, "joe", "viewer")
        with pytest.raises(Conflict):
            accounts.rename(connection, jane, "Joe")
        accounts.rename(connection, jane, "Janet")
        assert [account.name for account in accounts.listing(connection)] == ["janet", "joe"]


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_a_name_that_an_account_had_is_nobody_elses_even_when_that_account_is_gone(role: str) -> None:
    with transaction() as connection:
        jane, joe = (accounts.create(connection, name, "admin") for name in ("jane", "joe"))
        accounts.rename(connection, jane, "janet")
        for _ in range(2):
            with pytest.raises(Conflict, match="has or had the name 'jane'"):
                accounts.create(connection, "Jane", role)
            with pytest.raises(Conflict, match="has or had the name 'jane'"):
                accounts.rename(connection, joe, "Jane")
            assert {account.name for account in accounts.listing(connection)} <= {"janet", "joe"}
            connection.execute(text("delete from accounts where id = :id"), {"id": jane.id})


def test_an_account_may_have_its_own_former_name_back() -> None:
    with transaction() as connection:
        jane = accounts.create(connection, "jane", "viewer")
        for name in ("janet", "jane", "janet"):
            accounts.rename(connection, jane, name)
            assert accounts.by_name(connection, name).id == jane.id


@pytest.mark.parametrize("name", ["system", " System", "schedule", "readers", "nobody", "command line", "key:app"])
def test_nobody_is_named_as_what_is_no_person(name: str) -> None:
    with transaction() as connection:
        jane = accounts.create(connection, "jane", "admin")
        with pytest.raises(BadInput):
            accounts.create(connection, name, "admin")
        with pytest.raises(BadInput):
            accounts.rename(connection, jane, name)


def test_it_disables_an_account_with_its_sessions_but_never_the_last_admin() -> None:
    with transaction() as connection:
        first = accounts.create(connection, "first", "admin")
        with pytest.raises(Conflict, match="last admin"):
            accounts.disable(connection, "first", actor="test")
        second = accounts.create(connection, "second", "admin")
        token = sign_ins.begin(connection, first)
        accounts.disable(connection, "first", actor="test")
        assert sign_ins.who(connection, token) is None
        assert accounts.oldest_admin(connection) == second
        with pytest.raises(NotFound):
            accounts.disable(connection, "nobody", actor="test")
        assert connection.execute(text("select actor, action, subject from audit")).all() == [("test", "account.disable", "first")]

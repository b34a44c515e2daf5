"""One-time links."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from services.accounts import accounts, links, sign_ins
from services.db import transaction
from services.errors import Conflict, NotFound, Unauthenticated

pytestmark = pytest.mark.usefixtures("database")


def test_it_makes_the_admin_with_the_first_link_only() -> None:
    with transaction() as connection:
        first, second = links.mint(connection), links.mint(connection)
        assert [(account.name, account.role) for account in accounts.listing(connection)] == [("admin", "admin")]
        assert first != second
        known = sign_ins.who(connection, links.use(connection, first))
    assert known is not None
    assert known.name == "admin"


def test_it_follows_the_first_admin_to_another_name() -> None:
    with transaction() as connection:
        links.mint(connection)
        accounts.rename(connection, accounts.by_name(connection, "admin"), "jane")
        known = sign_ins.who(connection, links.use(connection, links.mint(connection)))
    assert known is not None
    assert known.name == "jane"


def test_no_viewer_gets_the_link_of_the_first_admin_by_its_name() -> None:
    with transaction() as connection:
        accounts.create(connection, "boss", "admin")
        bob = accounts.create(connection, "bob", "viewer")
        with pytest.raises(Conflict, match="only for an account with the role admin"):
            accounts.rename(connection, bob, "admin")
        with pytest.raises(Conflict, match="only for an account with the role admin"):
            accounts.create(connection, "admin", "operator")
        known = sign_ins.who(connection, links.use(connection, links.mint(connection)))
    assert known is not None
    assert known.name == "boss"


def test_it_works_once_even_when_used_twice_at_the_same_time() -> None:
    with transaction() as connection:
        token = links.mint(connection)

    def use(_: int) -> bool:
        try:
            with transaction() as connection:
                links.use(connection, token)
        except Unauthenticated:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(use, range(8))) == 1


@pytest.mark.parametrize("spoil", ["expired", "disabled", "junk"])
def test_it_opens_nothing_when_spoilt(spoil: str) -> None:
    with transaction() as connection:
        token = links.mint(connection)
        if spoil == "expired":
            connection.execute(text("update sign_in_links set expires_at = now()"))
        elif spoil == "disabled":
            connection.execute(text("update accounts set disabled_at = now()"))
        else:
            token += "x"
        with pytest.raises(Unauthenticated, match="used already or is too old"):
            links.use(connection, token)


def test_it_lasts_a_day() -> None:
    with transaction() as connection:
        links.mint(connection)
        assert (
            connection.execute(text("select extract(epoch from expires_at - created_at)::integer from sign_in_links")).scalar_one()
            == 86_400
        )


def test_it_makes_no_link_for_nobody_or_the_disabled() -> None:
    with transaction() as connection:
        with pytest.raises(NotFound):
            links.mint(connection, "nobody")
        accounts.create(connection, "boss", "admin")
        accounts.create(connection, "joe", "viewer")
        accounts.disable(connection, "joe", actor="test")
        with pytest.raises(Conflict, match="disabled"):
            links.mint(connection, "joe")

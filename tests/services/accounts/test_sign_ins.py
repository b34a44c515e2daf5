"""Sessions and the brake on guessing."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from services.accounts import accounts, sign_ins, tokens
from services.db import transaction
from services.errors import TooMuch, Unauthenticated

pytestmark = pytest.mark.usefixtures("database")
PASSWORD = "correct horse battery"


@pytest.fixture
def jane(database: None) -> accounts.Account:
    with transaction() as connection:
        return accounts.create(connection, "jane", "viewer", PASSWORD)


def test_it_opens_a_session_of_which_only_a_hash_is_stored(jane: accounts.Account) -> None:
    token = sign_ins.sign_in("Jane", PASSWORD, "192.0.2.1")
    with transaction() as connection:
        assert sign_ins.who(connection, token) == jane
        stored = connection.execute(
            text("select encode(token_hash, 'hex') || ' ' || encode(token_hash, 'escape') from sign_ins")
        ).scalar_one()
        days = connection.execute(text("select expires_at - created_at from sign_ins")).scalar_one().days
    assert token not in stored
    assert days == 14


@pytest.mark.parametrize("ending", ["expired", "revoked", "revoked with all", "disabled", "deleted"])
def test_it_knows_no_session_that_ended(jane: accounts.Account, ending: str) -> None:
    with transaction() as connection:
        token = sign_ins.begin(connection, jane)
        if ending == "expired":
            connection.execute(text("update sign_ins set expires_at = now()"))
        elif ending == "revoked":
            sign_ins.revoke(connection, token)
        elif ending == "revoked with all":
            sign_ins.revoke_all(connection, jane)
        elif ending == "disabled":
            connection.execute(text("update accounts set disabled_at = now()"))
        else:
            connection.execute(text("delete from accounts"))
        assert sign_ins.who(connection, token) is None


@pytest.mark.parametrize("token", ["", "junk", "é\ud800\x00", "x" * 100_000])
def test_it_knows_no_session_by_junk(jane: accounts.Account, token: str) -> None:
    with transaction() as connection:
        assert sign_ins.who(connection, token) is None


def test_it_says_the_same_of_a_wrong_name_and_a_wrong_password(jane: accounts.Account) -> None:
    told = set()
    for name, password in (("jane", "wrong"), ("nobody", PASSWORD), ("", ""), ("ja\x00ne\ud800", "\ud800")):
        with pytest.raises(Unauthenticated) as refused:
            sign_ins.sign_in(name, password, "192.0.2.1")
        told.add(str(refused.value))
    assert told == {sign_ins.REFUSED}


def test_it_stops_guessing_even_with_the_right_password_until_the_window_has_passed(jane: accounts.Account) -> None:
    for _ in range(sign_ins.PER_NAME_AND_ADDRESS):
        with pytest.raises(Unauthenticated):
            sign_ins.sign_in("jane", "wrong", "192.0.2.1")
    with pytest.raises(TooMuch) as refused:
        sign_ins.sign_in("jane", PASSWORD, "192.0.2.1")
    assert refused.value.retry_after_s is not None
    assert 800 < refused.value.retry_after_s <= 900
    assert sign_ins.sign_in("jane", PASSWORD, "192.0.2.2")  # somebody else's guesses do not lock her out elsewhere
    with transaction() as connection:
        connection.execute(text("update sign_in_failures set at = now() - interval '16 minutes'"))
    assert sign_ins.sign_in("jane", PASSWORD, "192.0.2.1")


def test_it_counts_parallel_guesses_one_by_one(jane: accounts.Account) -> None:
    def guess(number: int) -> type[Exception]:
        with pytest.raises((Unauthenticated, TooMuch)) as refused:
            sign_ins.sign_in("jane", f"guess {number}", "192.0.2.1")
        return refused.type

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(guess, range(12)))
    assert outcomes.count(Unauthenticated) == sign_ins.PER_NAME_AND_ADDRESS


@pytest.mark.parametrize("subject", ["address", "name"])
def test_it_stops_an_address_and_a_name_that_fail_too_often(jane: accounts.Account, subject: str) -> None:
    with pytest.raises(Unauthenticated):
        sign_ins.sign_in("jane", "wrong", "192.0.2.1")
    _pair, named, address = sign_ins._subjects("jane", "192.0.2.1")
    busy = address if subject == "address" else named
    with transaction() as connection:
        connection.execute(text("insert into sign_in_failures (subject) select :busy from generate_series(1, 49)"), {"busy": busy})
    elsewhere = ("joe", "192.0.2.1") if subject == "address" else ("jane", "192.0.2.9")
    with pytest.raises(TooMuch):
        sign_ins.sign_in(elsewhere[0], PASSWORD, elsewhere[1])


def test_it_forgets_the_failures_of_a_name_that_signed_in_but_not_those_of_the_address(jane: accounts.Account) -> None:
    for name in ("jane", "jane", "joe"):
        with pytest.raises(Unauthenticated):
            sign_ins.sign_in(name, "wrong", "192.0.2.1")
    sign_ins.sign_in("jane", PASSWORD, "192.0.2.1")
    with transaction() as connection:
        left = {row.subject: row.n for row in connection.execute(text("select subject, count(*) as n from sign_in_failures group by 1"))}
    assert left["192.0.2.1"] == 3
    assert not left.keys() & set(sign_ins._subjects("jane", "192.0.2.1")) - {"192.0.2.1"}


def test_it_forgets_what_is_over(jane: accounts.Account) -> None:
    with transaction() as connection:
        live, over = sign_ins.begin(connection, jane), sign_ins.begin(connection, jane)
        connection.execute(
            text("update sign_ins set expires_at = now() - interval '1 s' where token_hash = :h"), {"h": tokens.digest(over)}
        )
        connection.execute(text("insert into sign_in_failures values (now() - interval '1 hour', 'old'), (now(), 'new')"))
        sign_ins.forget_old(connection)
        kept = connection.execute(text("select token_hash from sign_ins")).scalars().all()
        assert [bytes(token_hash) for token_hash in kept] == [tokens.digest(live)]
        assert connection.execute(text("select subject from sign_in_failures")).scalars().all() == ["new"]

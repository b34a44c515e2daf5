"""Sign-ins: server-side sessions behind a random token, and the brake on guessing."""

from sqlalchemy import Connection, text

from services.accounts import accounts, tokens
from services.accounts.accounts import Account
from services.db import transaction
from services.errors import TooMuch, Unauthenticated
from services.settings import settings

WINDOW_MINUTES = 15
# Failures allowed in the window: one person mistyping, one name under fire from many addresses, one address trying many names.
PER_NAME_AND_ADDRESS, PER_NAME, PER_ADDRESS = 5, 50, 50
REFUSED = "That name and password do not match an account."


def sign_in(name: str, password: str, address: str) -> str:
    """A fresh session token for the right name and password.

    Raises Unauthenticated with the same words and in the same time for an unknown name, a wrong password and a disabled account,
    and TooMuch after too many failures. Runs its own transactions: a failure must stay written although it raises.
    """
    subjects = _subjects(name, address)
    with transaction() as connection:
        _spend_attempt(connection, subjects)
    with transaction() as connection:
        account = accounts.password_matches(connection, name, password)
        if account is None:
            raise Unauthenticated(REFUSED)
        _take_back_attempt(connection, name, address)
        return begin(connection, account)


def begin(connection: Connection, account: Account) -> str:
    """Open a session for an account whose identity is proven; the token is returned only here."""
    token = tokens.new()
    connection.execute(
        text(
            "insert into sign_ins (token_hash, account_id, expires_at)"
            " values (:token_hash, :account_id, now() + make_interval(days => :days))"
        ),
        {"token_hash": tokens.digest(token), "account_id": account.id, "days": settings().session_days},
    )
    return token


def who(connection: Connection, token: str) -> Account | None:
    """The account whose valid session this token is, or None: unknown, expired, revoked and disabled are the same."""
    row = connection.execute(
        text(
            "select a.id, a.name, a.role, a.created_at, a.disabled_at, a.password_hash is not null as has_password"
            " from sign_ins s join accounts a on a.id = s.account_id"
            " where s.token_hash = :token_hash and s.expires_at > now() and a.disabled_at is null"
        ),
        {"token_hash": tokens.digest(token)},
    ).one_or_none()
    return None if row is None else Account(row.id, row.name, row.role, row.created_at, row.disabled_at, row.has_password)


def revoke(connection: Connection, token: str) -> None:
    """End the session of this token, if there is one."""
    connection.execute(text("delete from sign_ins where token_hash = :token_hash"), {"token_hash": tokens.digest(token)})


def revoke_all(connection: Connection, account: Account) -> None:
    """End every session of an account."""
    connection.execute(text("delete from sign_ins where account_id = :id"), {"id": account.id})


def forget_old(connection: Connection) -> None:
    """Drop expired sessions, links that no longer open anything, and failures nobody counts any more."""
    connection.execute(text("delete from sign_ins where expires_at < now()"))
    connection.execute(text("delete from sign_in_links where expires_at < now() - interval '30 days'"))
    connection.execute(text("delete from sign_in_failures where at < now() - make_interval(mins => :window)"), {"window": WINDOW_MINUTES})


def _subjects(name: str, address: str) -> dict[str, int]:
    """What a failure counts against, each with its limit. Names are hashed: a password typed as a name is not kept."""
    named = tokens.digest(name.strip().lower()).hex()[:32]
    return {f"{named} {address}": PER_NAME_AND_ADDRESS, named: PER_NAME, address: PER_ADDRESS}


def _take_back_attempt(connection: Connection, name: str, address: str) -> None:
    """A right password clears its name's failures; of the address only this attempt, or one good account would let it try all others."""
    pair, named, alone = _subjects(name, address)
    connection.execute(text("delete from sign_in_failures where subject in (:pair, :named)"), {"pair": pair, "named": named})
    connection.execute(
        text(
            "delete from sign_in_failures where ctid = (select ctid from sign_in_failures where subject = :alone order by at desc limit 1)"
        ),
        {"alone": alone},
    )


def _spend_attempt(connection: Connection, subjects: dict[str, int]) -> None:
    """Count this attempt as a failure before the password is looked at, so that parallel guesses cannot slip past the count."""
    for subject, limit in sorted(subjects.items()):  # one order for all, or two attempts could wait for each other
        connection.execute(text("select pg_advisory_xact_lock(hashtextextended('sign-in ' || :subject, 0))"), {"subject": subject})
        failures, wait_s = connection.execute(
            text(
                "select count(*), coalesce(ceil(extract(epoch from min(at) + make_interval(mins => :window) - now())), 0)::integer"
                " from sign_in_failures where subject = :subject and at > now() - make_interval(mins => :window)"
            ),
            {"subject": subject, "window": WINDOW_MINUTES},
        ).one()
        if failures >= limit:
            raise TooMuch(f"Too many failed attempts. Try again in {max(wait_s // 60, 1)} minutes.", max(wait_s, 1))
        connection.execute(text("insert into sign_in_failures (subject) values (:subject)"), {"subject": subject})

"""One-time links: the first way in, and the way back for who forgot a password."""

from sqlalchemy import Connection, text

from services.accounts import accounts, audit, sign_ins, tokens
from services.accounts.accounts import Account
from services.accounts.names import FIRST
from services.errors import Conflict, NotFound, Unauthenticated
from services.settings import settings

HOURS = 24


def mint(connection: Connection, account: str = FIRST, *, actor: str = "system") -> str:
    """A token that opens the console once within 24 hours.

    "admin" is created where no admin exists yet, and means the oldest admin where that account has another name.
    Raises NotFound for any other unknown name and Conflict for a disabled account.
    """
    target = _target(connection, account)
    if target.disabled_at is not None:
        raise Conflict(f"The account '{target.name}' is disabled.")
    token = tokens.new()
    connection.execute(
        text(
            "insert into sign_in_links (token_hash, account_id, expires_at)"
            " values (:token_hash, :account_id, now() + make_interval(hours => :hours))"
        ),
        {"token_hash": tokens.digest(token), "account_id": target.id, "hours": HOURS},
    )
    audit.record(connection, actor, "link.mint", target.name, after={"opens": "once", "hours": HOURS})
    return token


def url(token: str) -> str:
    """Where a browser uses the link."""
    return f"{settings().console_url}/sign-in/link?token={token}"


def use(connection: Connection, token: str) -> str:
    """Use a link up and begin a session; raises Unauthenticated when it is unknown, used or too old."""
    row = connection.execute(
        text(
            "update sign_in_links l set used_at = now() from accounts a"
            " where l.token_hash = :token_hash and l.used_at is null and l.expires_at > now()"
            " and a.id = l.account_id and a.disabled_at is null returning a.name"
        ),
        {"token_hash": tokens.digest(token)},
    ).one_or_none()
    if row is None:
        raise Unauthenticated("This link was used already or is too old. Ask for a new one with: python -m services users link NAME")
    audit.record(connection, row.name, "link.use", row.name, before={"opens": "once"})
    return sign_ins.begin(connection, accounts.by_name(connection, row.name))


def _target(connection: Connection, name: str) -> Account:
    try:
        return accounts.by_name(connection, name)
    except NotFound:
        if name != FIRST:
            raise
    existing = accounts.oldest_admin(connection)
    if existing is not None:
        return existing
    return accounts.create(connection, FIRST, "admin", actor="system")

"""Accounts: a name, a role, perhaps a password."""

from dataclasses import dataclass
from datetime import datetime
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import Connection, Row, text

from services.accounts import audit, names
from services.errors import BadInput, Conflict, Forbidden, NotFound

ROLES = ("viewer", "analyst", "operator", "admin")  # each may what the ones before it may
PASSWORD_MIN, PASSWORD_MAX = 12, 1024
_HASHER = PasswordHasher()
_AT_ONCE = BoundedSemaphore(2)  # each verification takes 64 MiB: a flood of sign-ins must not take them all at once
# Verified in place of an unknown account's hash, so that both answers take equally long. Nobody knows its password.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$Of9rGPpb4KEokagUYojDmA$KgGPpYgeHrMl5H8WtxU9rMH0XUtmUinheMwNd3iXilE"
_SELECT = "select id, name, role, created_at, disabled_at, password_hash is not null as has_password, password_hash from accounts"


@dataclass(frozen=True, slots=True)
class Account:
    """One person who may sign in. `has_password` is False while only one-time links open it."""

    id: int
    name: str
    role: str
    created_at: datetime
    disabled_at: datetime | None
    has_password: bool

    def may(self, role: str) -> bool:
        """Whether this account's role is `role` or stronger; ValueError for a role that does not exist."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def require(self, role: str) -> None:
        """Raises Forbidden unless this account's role is `role` or stronger."""
        if not self.may(role):
            raise Forbidden(f"This needs the role {role}; {self.name} has the role {self.role}.")


def create(connection: Connection, name: str, role: str, password: str | None = None, *, actor: str | None = None) -> Account:
    """A new account, audited where an actor made it; raises BadInput for an unusable name, role or password, Conflict for a name
    that another account has or had."""
    if role not in ROLES:
        raise BadInput(f"'{role}' is not a role: choose one of {', '.join(ROLES)}.")
    usable = {"name": names.usable(name), "role": role, "hash": None if password is None else _hash(password)}
    with connection.begin_nested():  # a name that is refused leaves no account behind
        made = connection.execute(
            text(
                "insert into accounts (name, role, password_hash) values (:name, :role, :hash) on conflict (name) do nothing returning id"
            ),
            usable,
        ).scalar()
        if made is None:
            raise Conflict(f"There is already an account named '{usable['name']}': choose another name.")
        names.take(connection, str(usable["name"]), made, role)
    account = by_name(connection, name)
    if actor is not None:
        audit.record(connection, actor, "account.create", account.name, {"role": role}, after=told(account))
    return account


def by_name(connection: Connection, name: str) -> Account:
    """The account of that name, disabled or not; raises NotFound."""
    row = connection.execute(text(_SELECT + " where name = :name"), {"name": name.strip().lower()}).one_or_none()
    if row is None:
        raise NotFound(f"There is no account named '{name}'.")
    return _account(row)


def listing(connection: Connection) -> list[Account]:
    """All accounts, by name."""
    return [_account(row) for row in connection.execute(text(_SELECT + " order by name"))]


def oldest_admin(connection: Connection) -> Account | None:
    """The first account that is an admin and not disabled."""
    row = connection.execute(text(_SELECT + " where role = 'admin' and disabled_at is null order by id limit 1")).one_or_none()
    return None if row is None else _account(row)


def rename(connection: Connection, account: Account, name: str, *, actor: str = "system") -> None:
    """Give an account another name, or one of its own back; raises BadInput, and Conflict for a name that is or was another account's."""
    new = names.usable(name)
    names.take(connection, new, account.id, account.role)
    connection.execute(text("update accounts set name = :name where id = :id"), {"name": new, "id": account.id})
    audit.record(connection, actor, "account.rename", new, before={"name": account.name}, after={"name": new})


def set_password(
    connection: Connection, account: Account, password: str, *, keep_token_hash: bytes | None = None, actor: str = "system"
) -> None:
    """Set a password and end every sign-in but the one of `keep_token_hash`; raises BadInput for a weak one."""
    connection.execute(text("update accounts set password_hash = :hash where id = :id"), {"hash": _hash(password), "id": account.id})
    connection.execute(
        text("delete from sign_ins where account_id = :id and token_hash <> :keep"), {"id": account.id, "keep": keep_token_hash or b""}
    )
    before, after = ({"password": known} for known in ("set" if account.has_password else "none", "set anew"))
    audit.record(connection, actor, "account.password", account.name, before=before, after=after)


def change_role(connection: Connection, name: str, role: str, *, actor: str) -> None:
    """Another role from now on; raises NotFound, BadInput for an unknown role, or Conflict for the last admin."""
    if role not in ROLES:
        raise BadInput(f"'{role}' is not a role: choose one of {', '.join(ROLES)}.")
    account = _held(connection, name, stays_admin=role == "admin")
    if account.role == role:
        return
    connection.execute(text("update accounts set role = :role where id = :id"), {"role": role, "id": account.id})
    audit.record(connection, actor, "account.role", account.name, before={"role": account.role}, after={"role": role})


def disable(connection: Connection, name: str, *, actor: str) -> None:
    """Refuse an account from now on, its open sign-ins and links included; raises NotFound, or Conflict for the last admin."""
    account = _held(connection, name, stays_admin=False)
    connection.execute(text("update accounts set disabled_at = coalesce(disabled_at, now()) where id = :id"), {"id": account.id})
    connection.execute(text("delete from sign_ins where account_id = :id"), {"id": account.id})
    connection.execute(text("delete from sign_in_links where account_id = :id"), {"id": account.id})
    before = told(account)
    audit.record(connection, actor, "account.disable", account.name, before=before, after=before | {"disabled": True})


def enable(connection: Connection, name: str, *, actor: str) -> None:
    """Let a disabled account in again, by a new link or its password; raises NotFound."""
    account = by_name(connection, name)
    if account.disabled_at is None:
        return
    connection.execute(text("update accounts set disabled_at = null where id = :id"), {"id": account.id})
    before = told(account)
    audit.record(connection, actor, "account.enable", account.name, before=before, after=before | {"disabled": False})


def told(account: Account) -> dict[str, object]:
    """What the audit says of an account."""
    return {"role": account.role, "disabled": account.disabled_at is not None}


def _held(connection: Connection, name: str, *, stays_admin: bool) -> Account:
    """The account, while nobody else changes one: two admins must not disable each other at once. Raises Conflict for the last admin."""
    connection.execute(text("lock table accounts in share row exclusive mode"))
    account = by_name(connection, name)
    others = connection.execute(
        text("select count(*) from accounts where role = 'admin' and disabled_at is null and id <> :id"), {"id": account.id}
    ).scalar_one()
    if account.role == "admin" and account.disabled_at is None and not others and not stays_admin:
        raise Conflict(f"'{account.name}' is the last admin: create another one first.")
    return account


def password_matches(connection: Connection, name: str, password: str) -> Account | None:
    """The enabled account whose name and password these are; the same work is done whoever does not exist."""
    lowered = name.strip().lower()
    row = connection.execute(
        text(_SELECT + " where name = :name and disabled_at is null"),
        {"name": lowered if names.FORM.fullmatch(lowered) else ""},  # no account has that name, and Postgres takes no NUL in text
    ).one_or_none()
    if row is None or row.password_hash is None:
        _verify(_NOBODY, password)
        return None
    return _account(row) if _verify(row.password_hash, password) else None


def _hash(password: str) -> str:
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise BadInput(f"A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters.")
    return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


def _verify(password_hash: str, password: str) -> bool:
    """argon2's answer."""
    try:
        with _AT_ONCE:
            return _HASHER.verify(password_hash, password[: PASSWORD_MAX + 1].encode("utf-8", "surrogatepass"))
    except (VerifyMismatchError, InvalidHashError):
        return False


def _account(row: Row[tuple[object, ...]]) -> Account:
    return Account(row.id, row.name, row.role, row.created_at, row.disabled_at, row.has_password)

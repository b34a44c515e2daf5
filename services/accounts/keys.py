"""API keys: scoped, revocable, shown once. A key reads bnk_<prefix>_<secret>; the prefix finds the row, the secret proves it."""

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, text

from services.accounts import audit, tokens
from services.errors import BadInput, Conflict, Forbidden, NotFound, Unauthenticated

SCOPES = ("telemetry", "metrics", "jobs", "ask", "admin")  # admin may all
_FORM = re.compile(r"bnk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_REFUSED = "The key is unknown or revoked."
_LABEL = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,98}[^\s\x00-\x1f\x7f])?")


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. `source` is what its telemetry is filed under, `environment` what it is filed in unless it says so."""

    id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    source: str
    environment: str | None
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    def may(self, scope: str) -> bool:
        """Whether the key has the scope, or admin, which stands for all."""
        return scope in self.scopes or "admin" in self.scopes


def create(
    connection: Connection,
    name: str,
    scopes: Sequence[str],
    source: str | None = None,
    environment: str | None = None,
    *,
    actor: str = "system",
) -> str:
    """A new key, returned this once only; raises BadInput for a bad name or scope and Conflict when the name is taken."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise BadInput(f"'{unknown[0] if unknown else ''}' is not a scope: choose among {', '.join(SCOPES)}.")
    for label in (name, source, environment):
        if label is not None and not _LABEL.fullmatch(label):
            raise BadInput("A key's name, source and environment have 1 to 100 printable characters, without spaces around them.")
    prefix, secret = secrets.token_hex(6), tokens.new()
    made = connection.execute(
        text(
            "insert into api_keys (name, prefix, secret_hash, scopes, source, environment)"
            " values (:name, :prefix, :secret_hash, :scopes, :source, :environment) on conflict (name) do nothing returning id"
        ),
        {
            "name": name,
            "prefix": prefix,
            "secret_hash": tokens.digest(secret),
            "scopes": sorted(set(scopes)),
            "source": source,
            "environment": environment,
        },
    ).one_or_none()
    if made is None:
        raise Conflict(f"There is already a key named '{name}'; names of revoked keys are not given again.")
    audit.record(connection, actor, "key.create", name, {"scopes": sorted(set(scopes))})
    return f"bnk_{prefix}_{secret}"


def verify(connection: Connection, presented: str, *scopes: str) -> Key:
    """The key that was presented, when it has one of `scopes`.

    Raises Unauthenticated for one that is malformed, unknown or revoked, Forbidden for one without such a scope. Meant for a short
    transaction of its own: it notes the use, at most once a minute.
    """
    form = _FORM.fullmatch(presented)
    if form is None:
        raise Unauthenticated(_REFUSED)
    row = connection.execute(
        text(
            "select id, name, prefix, secret_hash, scopes, source, environment, created_at, last_used_at, revoked_at,"
            " coalesce(last_used_at < now() - interval '1 minute', true) as stale from api_keys where prefix = :prefix"
        ),
        {"prefix": form[1]},
    ).one_or_none()
    proven = hmac.compare_digest(row.secret_hash if row else bytes(32), tokens.digest(form[2]))
    if row is None or not proven or row.revoked_at is not None:
        raise Unauthenticated(_REFUSED)
    key = _key(row)
    if not any(key.may(scope) for scope in scopes):
        raise Forbidden(f"The key '{key.name}' has no scope {' or '.join(scopes)}.")
    if row.stale:
        # Skipping a locked row: a note of use is never worth waiting for.
        connection.execute(
            text("update api_keys set last_used_at = now() where id = (select id from api_keys where id = :id for update skip locked)"),
            {"id": key.id},
        )
    return key


def revoke(connection: Connection, name: str, *, actor: str = "system") -> None:
    """Refuse a key from now on; raises NotFound. Revoking twice changes nothing."""
    if (
        connection.execute(
            text("update api_keys set revoked_at = coalesce(revoked_at, now()) where name = :name returning id"), {"name": name}
        ).one_or_none()
        is None
    ):
        raise NotFound(f"There is no key named '{name}'.")
    audit.record(connection, actor, "key.revoke", name)


def listing(connection: Connection) -> list[Key]:
    """All keys, revoked ones included, by name."""
    rows = connection.execute(
        text("select id, name, prefix, scopes, source, environment, created_at, last_used_at, revoked_at from api_keys order by name")
    )
    return [_key(row) for row in rows]


def _key(row: Row[tuple[object, ...]]) -> Key:
    return Key(
        row.id,
        row.name,
        row.prefix,
        tuple(row.scopes),
        row.source or row.name,
        row.environment,
        row.created_at,
        row.last_used_at,
        row.revoked_at,
    )

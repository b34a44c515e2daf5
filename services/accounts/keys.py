"""API keys: scoped, revocable, shown once. A key reads bnk_<prefix>_<secret>; the prefix finds the row, the secret proves it."""

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, text

from services.accounts import audit, tokens
from services.errors import BadInput, Conflict, Forbidden, NotFound, TooMuch, Unauthenticated

SCOPES = ("telemetry", "metrics", "jobs", "records", "analyses", "ask", "admin")  # admin may all
_FORM = re.compile(r"bnk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
GRACE_HOURS, MOST_GRACE_HOURS = 24, 720
MOST_PER_MINUTE = 1_000_000
_REFUSED = "The key is unknown or revoked."
_COLUMNS = (
    "id, name, prefix, scopes, source, environment, created_at, last_used_at, revoked_at, rate_per_minute, previous_until,"
    " revoked_at is null and coalesce(previous_until > now(), false) as graced"
)
_LABEL = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,98}[^\s\x00-\x1f\x7f])?")


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. `source` is what its telemetry is filed under, `environment` what it is filed in unless it says so.

    `rate_per_minute` is how many requests it may make in a minute (None: any number). `previous_until` is when the secret before this
    one stops working, past or future (None: there was none), and `graced` whether it still does.
    """

    id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    source: str
    environment: str | None
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    rate_per_minute: int | None
    previous_until: datetime | None
    graced: bool

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
    rate_per_minute: int | None = None,
    actor: str = "system",
) -> str:
    """A new key, returned this once only; raises BadInput for a bad name, scope or limit and Conflict when the name is taken."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise BadInput(f"'{unknown[0] if unknown else ''}' is not a scope: choose among {', '.join(SCOPES)}.")
    for label in (name, source, environment):
        if label is not None and not _LABEL.fullmatch(label):
            raise BadInput("A key's name, source and environment have 1 to 100 printable characters, without spaces around them.")
    if rate_per_minute is not None and not 1 <= rate_per_minute <= MOST_PER_MINUTE:
        raise BadInput(f"A key's limit is 1 to {MOST_PER_MINUTE:,} requests a minute; leave it out for none.")
    prefix, secret = secrets.token_hex(6), tokens.new()
    made = connection.execute(
        text(
            "insert into api_keys (name, prefix, secret_hash, scopes, source, environment, rate_per_minute)"
            " values (:name, :prefix, :secret_hash, :scopes, :source, :environment, :rate_per_minute)"
            " on conflict (name) do nothing returning id"
        ),
        {
            "name": name,
            "prefix": prefix,
            "secret_hash": tokens.digest(secret),
            "scopes": sorted(set(scopes)),
            "source": source,
            "environment": environment,
            "rate_per_minute": rate_per_minute,
        },
    ).one_or_none()
    if made is None:
        raise Conflict(f"There is already a key named '{name}'; names of revoked keys are not given again.")
    detail: dict[str, object] = {"scopes": sorted(set(scopes))}
    if rate_per_minute is not None:
        detail["rate_per_minute"] = rate_per_minute
    after = detail | {"source": source or name, "environment": environment, "rate_per_minute": rate_per_minute}
    audit.record(connection, actor, "key.create", name, detail, after=after)
    return f"bnk_{prefix}_{secret}"


def rotate(connection: Connection, name: str, grace_hours: int = GRACE_HOURS, *, actor: str = "system") -> str:
    """The same key with a new secret, returned this once only; the secret until now works `grace_hours` longer, 0 ends it at once.

    Raises BadInput for the hours, NotFound, and Conflict for a revoked key and while the secret before this one still works: there is
    room for two, and what apps were promised to work so long is not ended sooner.
    """
    if not 0 <= grace_hours <= MOST_GRACE_HOURS:
        raise BadInput(f"The old secret may work for 0 to {MOST_GRACE_HOURS} hours more.")
    secret = tokens.new()
    prefix = connection.execute(
        text(
            "update api_keys set previous_hash = secret_hash, previous_until = now() + make_interval(hours => :hours), secret_hash = :hash"
            " where name = :name and revoked_at is null and coalesce(previous_until <= now(), true) returning prefix"
        ),
        {"name": name, "hours": grace_hours, "hash": tokens.digest(secret)},
    ).scalar()
    if prefix is None:
        raise _not_rotated(by_name(connection, name))
    hours = {"grace_hours": grace_hours}
    audit.record(connection, actor, "key.rotate", name, hours, before={"secret": "old"}, after={"secret": "new", **hours})
    return f"bnk_{prefix}_{secret}"


def _not_rotated(key: Key) -> Conflict:
    if key.revoked_at is not None or key.previous_until is None:
        return Conflict(f"The key '{key.name}' is revoked: make another one.")
    return Conflict(
        f"The key '{key.name}' was rotated already, and its old secret works until {key.previous_until:%Y-%m-%d %H:%M} UTC: to rotate it"
        " again would end that secret at once for every app that still has it. Wait until then, or revoke the key and make another one."
    )


def verify(connection: Connection, presented: str, *scopes: str) -> Key:
    """The key that was presented, when it has one of `scopes`.

    Raises Unauthenticated for one that is malformed, unknown or revoked, Forbidden for one without such a scope, TooMuch over the key's
    limit. Meant for a short transaction of its own: it counts the use of a key with a limit, and notes any use at most once a minute.
    """
    form = _FORM.fullmatch(presented)
    if form is None:
        raise Unauthenticated(_REFUSED)
    row = connection.execute(
        text(
            f"select {_COLUMNS}, secret_hash, previous_hash, coalesce(last_used_at < now() - interval '1 minute', true) as stale"  # noqa: S608
            " from api_keys where prefix = :prefix"
        ),
        {"prefix": form[1]},
    ).one_or_none()
    proven = _proven(row, form[2])
    if row is None or not proven or row.revoked_at is not None:
        raise Unauthenticated(_REFUSED)
    key = _key(row)
    if not any(key.may(scope) for scope in scopes):
        raise Forbidden(f"The key '{key.name}' has no scope {' or '.join(scopes)}.")
    if key.rate_per_minute is not None:
        _count_use(connection, key, key.rate_per_minute)
    if row.stale:
        # Skipping a locked row: a note of use is never worth waiting for.
        connection.execute(
            text(
                "update api_keys set last_used_at = now() where id = (select id from api_keys where id = :id for no key update skip locked)"
            ),
            {"id": key.id},
        )
    return key


def forget_old_uses(connection: Connection) -> int:
    """Drop the counted uses of minutes more than an hour ago; how many rows."""
    return connection.execute(text("delete from api_key_uses where minute < now() - interval '1 hour'")).rowcount


def revoke(connection: Connection, name: str, *, actor: str = "system") -> None:
    """Refuse a key from now on; raises NotFound. Revoking twice changes nothing."""
    known = by_name(connection, name)
    connection.execute(text("update api_keys set revoked_at = coalesce(revoked_at, now()) where id = :id"), {"id": known.id})
    before = {"scopes": list(known.scopes), "revoked": known.revoked_at is not None}
    audit.record(connection, actor, "key.revoke", name, before=before, after=before | {"revoked": True})


def listing(connection: Connection) -> list[Key]:
    """All keys, revoked ones included, by name."""
    return [_key(row) for row in connection.execute(text(f"select {_COLUMNS} from api_keys order by name"))]  # noqa: S608


def by_name(connection: Connection, name: str) -> Key:
    """The key of that name, revoked or not; raises NotFound."""
    row = connection.execute(text(f"select {_COLUMNS} from api_keys where name = :name"), {"name": name}).one_or_none()  # noqa: S608
    if row is None:
        raise NotFound(f"There is no key named '{name}'.")
    return _key(row)


def _proven(row: Row[tuple[object, ...]] | None, secret: str) -> bool:
    """Whether it is the row's secret, or the one before within its grace. Both are compared, so the time taken tells nothing."""
    digest, nobody = tokens.digest(secret), bytes(32)
    now = hmac.compare_digest(row.secret_hash if row else nobody, digest)
    before = hmac.compare_digest((row.previous_hash if row else None) or nobody, digest)
    return now or (before and row is not None and row.graced)


def _count_use(connection: Connection, key: Key, limit: int) -> None:
    """One more request in the current minute of Postgres; raises TooMuch where it would be more than `limit`, and writes nothing then."""
    use = connection.execute(
        text(
            "insert into api_key_uses as u (key_id, minute, n) values (:id, date_trunc('minute', now()), 1)"
            " on conflict (key_id, minute) do update set n = u.n + 1 where u.n < :limit returning n"
        ),
        {"id": key.id, "limit": limit},
    ).one_or_none()
    if use is None:
        wait_s = connection.execute(text("select ceil(60 - extract(second from now()))::int")).scalar_one()
        raise TooMuch(f"The key '{key.name}' may make {limit:,} requests a minute; this minute they are used up.", retry_after_s=wait_s)


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
        row.rate_per_minute,
        row.previous_until,
        row.graced,
    )

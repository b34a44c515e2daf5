"""The few things a person can start from a page: each checks the role itself, in a transaction of its own, and is audited."""

from collections.abc import Sequence

from console.auth import identity, rights
from services.accounts import keys
from services.db import transaction
from services.telemetry import replay

ROLE = rights.action(__name__)


def replay_rejected(field: str | None, reason: str | None, source: str | None) -> tuple[int, int]:
    """Send refused records that match (None: any) through the door again: how many, and how many were accepted. Raises Forbidden."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        return replay.replay(connection, field, reason, source, actor=actor)


def discard_rejected(field: str | None, reason: str | None, source: str | None, up_to: int | None = None) -> int:
    """Delete refused records that match (None: any) up to that id; how many. Raises Forbidden."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        return replay.discard(connection, field, reason, source, up_to=up_to, actor=actor)


def create_key(
    name: str, scopes: Sequence[str], source: str | None = None, environment: str | None = None, rate_per_minute: int | None = None
) -> str:
    """A new key, returned this once only. Raises Forbidden, BadInput and Conflict."""
    actor = identity.require(_needed(scopes)).name
    with transaction() as connection:
        return keys.create(connection, name, scopes, source, environment, rate_per_minute=rate_per_minute, actor=actor)


def rotate_key(name: str, grace_hours: int) -> str:
    """A key's new secret, returned this once only; the old one works `grace_hours` longer.

    Raises Forbidden, BadInput, NotFound and Conflict.
    """
    account = identity.require(ROLE)
    with transaction() as connection:
        account.require(_needed(keys.by_name(connection, name).scopes))
        return keys.rotate(connection, name, grace_hours, actor=account.name)


def revoke_key(name: str) -> None:
    """Refuse a key from now on. Raises Forbidden and NotFound."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        keys.revoke(connection, name, actor=actor)


def _needed(scopes: Sequence[str]) -> str:
    """Who may hold a secret with these scopes: nobody hands out more than they have."""
    return rights.CONFIGURE if "admin" in scopes else ROLE

"""What a person can do about prices from a page: each checks the role itself, in a transaction of its own, and is audited."""

from datetime import date

from console.auth import identity, rights
from services.db import transaction
from services.pricing import overrides, reprice
from services.pricing.overrides import Override

ROLE = rights.action(__name__)


def add_override(override: Override) -> int:
    """Save a price of our own; its id. Raises Forbidden."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        return overrides.save(connection, override, actor)


def end_override(override_id: int, *, withdraw: bool) -> None:
    """Let it price no call from now on, or none at all. Raises Forbidden, NotFound, Conflict."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        overrides.end(connection, override_id, actor, withdraw=withdraw)


def apply_repricing(first_day: date, last_day_exclusive: date, provider: str | None, model: str | None, candidate: Override | None) -> int:
    """Save the candidate and let a worker re-price; the re-pricing's id. Raises Forbidden and BadInput."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        return reprice.request(connection, first_day, last_day_exclusive, provider, model, candidate, actor=actor)


def reverse_repricing(repricing_id: int) -> None:
    """Let a worker take a re-pricing back. Raises Forbidden, NotFound, Conflict."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        reprice.request_reverse(connection, repricing_id, actor)

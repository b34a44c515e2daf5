"""Waiting until the workers have moved what an import brought."""

import time
from dataclasses import dataclass

from sqlalchemy import text

from services.db import transaction

POLL_S = 0.25
PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True)
class Settled:
    """How the accepted rows ended: `new` counted now, `duplicates` counted before; `waiting` are safe in the inbox."""

    new: int
    duplicates: int
    waiting: int


def wait(import_id: int) -> Settled:
    """Until every accepted row is moved, or nothing moved for PATIENCE_S seconds, be it ours or what waits before it."""
    seen = _look(import_id)
    moved_at = time.monotonic()
    while seen[0].waiting and time.monotonic() - moved_at < PATIENCE_S:
        time.sleep(POLL_S)
        now = _look(import_id)
        if now != seen:
            seen, moved_at = now, time.monotonic()
    return seen[0]


def state(import_id: int) -> Settled:
    return _look(import_id)[0]


def _look(import_id: int) -> tuple[Settled, int | None]:
    """How far an import is, and the head of the inbox."""
    with transaction() as connection:
        accepted, moved, duplicates, head = connection.execute(
            text("select accepted, moved, duplicates, (select min(id) from telemetry_inbox) from telemetry_imports where id = :id"),
            {"id": import_id},
        ).one()
    return Settled(new=moved, duplicates=duplicates, waiting=accepted - moved - duplicates), head

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
    """Until every accepted row is moved, or nothing moved for PATIENCE_S seconds."""
    before = state(import_id)
    moved_at = time.monotonic()
    while before.waiting and time.monotonic() - moved_at < PATIENCE_S:
        time.sleep(POLL_S)
        now = state(import_id)
        if now != before:
            before, moved_at = now, time.monotonic()
    return before


def state(import_id: int) -> Settled:
    with transaction() as connection:
        accepted, moved, duplicates = connection.execute(
            text("select accepted, moved, duplicates from telemetry_imports where id = :id"), {"id": import_id}
        ).one()
    return Settled(new=moved, duplicates=duplicates, waiting=accepted - moved - duplicates)

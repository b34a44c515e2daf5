"""The rollups' own state: the one lock of all writers, the zone their days are cut in, their version."""

from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from services.settings import settings

WRITERS = 0x726F6C6C  # advisory lock: moves and rebuilds never overlap


def lock(connection: Connection, *, wait: bool) -> bool:
    """Become the only writer until the transaction ends; without `wait`, False when another one is at work."""
    if wait:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": WRITERS})
        return True
    return bool(connection.execute(text("select pg_try_advisory_xact_lock(:key)"), {"key": WRITERS}).scalar_one())


def zone_of(connection: Connection) -> ZoneInfo:
    """The zone the day cells are cut in. The first writer fixes it; a change goes through a rebuild."""
    connection.execute(text("insert into rollup_state (zone) values (:zone) on conflict do nothing"), {"zone": settings().reporting_zone})
    return ZoneInfo(connection.execute(text("select zone from rollup_state")).scalar_one())


def zone_changed(connection: Connection) -> bool:
    """Whether days are cut in another zone than the settings ask for."""
    return zone_of(connection) != settings().zone


def note_move(connection: Connection) -> None:
    """Every change of the rollups makes a new version."""
    connection.execute(text("update rollup_state set version = version + 1, moved_at = now()"))

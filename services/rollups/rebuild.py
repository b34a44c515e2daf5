"""Rebuild: make the rollups of a range again from what was stored, day by day; or all of them for a new reporting zone."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import Connection, text

from services.clock import day_start, utc_now
from services.db import transaction
from services.errors import BadInput
from services.rollups import cells, distinct, session_days
from services.rollups.state import lock, note_move, zone_of
from services.settings import settings

CHUNK_ROWS = 100_000
TEXTS = ("source", "error_type", "user_key", "session_key")
BY_DAY = ("rollup_day", "rollup_error", "rollup_distinct_key", "rollup_distinct", "rollup_session_day")
OPERATIONS = """
select o.*, s.source from operations o join series s on s.id = o.series_id where o.started_at >= :start and o.started_at < :end
"""
Report = Callable[[int, int, str], None]


def rebuild(start: date | None, end: date | None, report: Report, stopping: Callable[[], bool]) -> dict[str, object]:
    """Make days [start, end) of the reporting zone again, one transaction each; `report(done, total, note)` after each.

    Without a range everything is made again in the zone of the settings, in one transaction: readers see the old days until
    the new ones are complete. Raises BadInput for half a range.
    """
    if (start is None) != (end is None):
        raise BadInput("Give both ends of the range to rebuild, or neither for everything.")
    if start is None or end is None:
        return _everything(report)
    days = [start + timedelta(days=n) for n in range((end - start).days)]
    for done, day in enumerate(days):
        if stopping():
            return {"rebuilt_days": done, "of": len(days), "stopped": True}
        with transaction() as connection:
            lock(connection, wait=True)
            _day(connection, day, zone_of(connection))
            note_move(connection)
        report(done + 1, len(days), str(day))
    return {"rebuilt_days": len(days), "of": len(days)}


def _everything(report: Report) -> dict[str, object]:
    with transaction() as connection:
        lock(connection, wait=True)
        zone_of(connection)
        zone = settings().zone
        connection.execute(text("update rollup_state set zone = :zone"), {"zone": zone.key})
        for table in (*BY_DAY, "rollup_15m"):
            connection.execute(text(f"delete from {table}"))  # noqa: S608 - constant names; truncate would lock readers out
        days = _days_with_data(connection, zone)
        for done, day in enumerate(days):
            _add_day(connection, day, zone)
            report(done + 1, len(days), str(day))
        note_move(connection)
    return {"rebuilt_days": len(days), "of": len(days), "zone": zone.key}


def _days_with_data(connection: Connection, zone: ZoneInfo) -> list[date]:
    """Local days that may hold operations (a stored UTC day touches two of them) or hold sessions."""
    stored = connection.execute(
        text("select substring(inhrelid::regclass::text from '\\d{8}$')::date from pg_inherits where inhparent = 'operations'::regclass")
    )
    touched: set[date] = set()
    for day in stored.scalars():
        midnight = day_start(day, ZoneInfo("UTC"))
        touched |= {midnight.astimezone(zone).date(), (midnight + timedelta(days=1, microseconds=-1)).astimezone(zone).date()}
    touched |= set(connection.execute(text("select distinct day from session_contributions")).scalars())
    return sorted(touched)


def _day(connection: Connection, day: date, zone: ZoneInfo) -> None:
    for table in BY_DAY:
        connection.execute(text(f"delete from {table} where day = :day"), {"day": day})  # noqa: S608 - constant names
    bounds = {"start": day_start(day, zone), "end": day_start(day + timedelta(days=1), zone)}
    connection.execute(text("delete from rollup_15m where bucket >= :start and bucket < :end"), bounds)
    _add_day(connection, day, zone)


def _add_day(connection: Connection, day: date, zone: ZoneInfo) -> None:
    now = pd.Timestamp(utc_now())
    for operations in _stored(connection, day_start(day, zone), day_start(day + timedelta(days=1), zone)):
        cells.merge(connection, operations, zone, now)
        distinct.merge(connection, operations.assign(day=cells.local_days(operations["started_at"], zone)))
    session_days.add_day(connection, day)


def _stored(connection: Connection, start: datetime, end: datetime) -> Iterator[pd.DataFrame]:
    """Stored operations of [start, end) in bounded chunks, typed as the move has them."""
    result = connection.execute(text(OPERATIONS), {"start": start, "end": end}, execution_options={"yield_per": CHUNK_ROWS})
    for rows in result.partitions():
        operations = pd.DataFrame(rows, columns=list(result.keys()))
        operations["started_at"] = pd.to_datetime(operations["started_at"], utc=True)
        yield operations.astype(dict.fromkeys(cells.SUMS, "Int64") | dict.fromkeys(TEXTS, "str"))

"""Rebuild: make the rollups of a range again from what was stored, day by day; or all of them for a new reporting zone.

Days whose operations are no longer all stored are never touched: their cells are the only record there is.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import Connection, text

from services.clock import day_start, utc_now
from services.db import transaction
from services.errors import BadInput
from services.rollups import cells, distinct, feedback_days, kept, session_days
from services.rollups.state import lock, note_move, zone_of
from services.rollups.verify import Findings, compare, verify
from services.settings import settings

CHUNK_ROWS = 100_000
TEXTS = ("source", "error_type", "user_key", "session_key")
OF_OPERATIONS = ("rollup_day", "rollup_error", "rollup_distinct_key", "rollup_distinct")
OF_SESSIONS = ("rollup_session_day", "rollup_session_hour", "rollup_feedback_day")  # sessions and feedback are kept for ever
BY_DAY = (*OF_OPERATIONS, *OF_SESSIONS)
# The days are told beside the instants so that no other partitions are opened.
OPERATIONS = """
select o.*, s.source from operations o join series s on s.id = o.series_id
where o.started_at >= :start and o.started_at < :end and o.day >= :first_day and o.day <= :last_day
"""
Report = Callable[[int, int, str], None]


def rebuild(start: date | None, end: date | None, report: Report, stopping: Callable[[], bool]) -> dict[str, object]:
    """Make days [start, end) of the reporting zone again, one transaction each; `report(done, total, note)` after each.
    What was made is compared with the stored operations again: `differences` says how many cells are not what they say.

    Without a range everything that can be is made again in the zone of the settings, in one transaction: readers see the old days
    until the new ones are complete. Raises BadInput for half a range, and for a day whose operations are no longer all stored.
    """
    if (start is None) != (end is None):
        raise BadInput("Give both ends of the range to rebuild, or neither for everything.")
    if start is None or end is None:
        return _everything(report)
    days = [start + timedelta(days=n) for n in range((end - start).days)]
    found = Findings()
    for done, day in enumerate(days):
        if stopping():
            return {"rebuilt_days": done, "of": len(days), "differences": found.differences, "stopped": True}
        with transaction() as connection:
            lock(connection, wait=True)
            _day(connection, day, zone_of(connection))
            note_move(connection)
            compare(connection, day, day + timedelta(days=1), found)
        report(done + 1, len(days), str(day))
    return {"rebuilt_days": len(days), "of": len(days), "differences": found.differences}


def _everything(report: Report) -> dict[str, object]:
    """Sessions are kept for ever, so their days are all made again. The cells of operations keep the days before `since`; all operations
    from then on are counted into days of the new zone, even where the first of these falls on a day that kept its cells: no operation
    is lost or counted twice, only that one day is longer or shorter than the others.
    """
    with transaction() as connection:
        lock(connection, wait=True)
        before, zone = zone_of(connection), settings().zone
        first = kept.first_day(connection, before)
        since = None if first is None else day_start(first, before)
        _clear(connection, first, since)
        connection.execute(text("update rollup_state set zone = :zone"), {"zone": zone.key})
        days = _days_with_data(connection, zone)
        for done, day in enumerate(days):
            _add_day(connection, day, zone, since)
            report(done + 1, len(days), str(day))
        result: dict[str, object] = {"rebuilt_days": len(days), "of": len(days), "zone": zone.key}
        if first is not None and since is not None and zone != before:
            old = kept.OldZone(max(first, kept.first_since(since, zone)), before.key)
            kept.note_old_zone(connection, old)
            result["old_zone_days"] = {"before": str(old.before), "zone": old.zone}
        note_move(connection)
    return result | {"differences": verify()["differences"]}


def _clear(connection: Connection, first: date | None, since: datetime | None) -> None:
    """Delete what is made again: cells of operations from day `first` and instant `since` on, or all, and all cells of sessions."""
    chosen = {"first": first, "since": since}
    for table in OF_OPERATIONS:  # deleted, because truncate would lock readers out
        connection.execute(text(f"delete from {table} where day >= coalesce(:first, '-infinity'::date)"), chosen)  # noqa: S608 - constants
    for table in ("rollup_distinct_key", "rollup_distinct"):
        connection.execute(text(f"delete from {table} where kind = 'session_user'"))  # noqa: S608 - constant names
    for table in OF_SESSIONS:
        connection.execute(text(f"delete from {table}"))  # noqa: S608 - constant names
    connection.execute(text("delete from rollup_15m where bucket >= coalesce(:since, '-infinity'::timestamptz)"), chosen)


def _days_with_data(connection: Connection, zone: ZoneInfo) -> list[date]:
    """Local days that may hold operations (a stored UTC day touches two of them) or hold sessions."""
    touched: set[date] = set()
    for day in kept.stored_days(connection):
        midnight = day_start(day, ZoneInfo("UTC"))
        touched |= {midnight.astimezone(zone).date(), (midnight + timedelta(days=1, microseconds=-1)).astimezone(zone).date()}
    for view in ("session_contributions", "feedback_contributions"):
        touched |= set(connection.execute(text(f"select distinct day from {view}")).scalars())  # noqa: S608 - constant names
    return sorted(touched)


def _day(connection: Connection, day: date, zone: ZoneInfo) -> None:
    first = kept.first_day(connection, zone)
    if first is not None and day < first:
        raise BadInput(f"{day} cannot be made again: not all of its operations are stored any more. The first day that can is {first}.")
    for table in BY_DAY:
        connection.execute(text(f"delete from {table} where day = :day"), {"day": day})  # noqa: S608 - constant names
    bounds = {"start": day_start(day, zone), "end": day_start(day + timedelta(days=1), zone)}
    connection.execute(text("delete from rollup_15m where bucket >= :start and bucket < :end"), bounds)
    _add_day(connection, day, zone, None)


def sessions_again(connection: Connection, day: date) -> None:
    """Count the sessions and the feedback of one day again, whatever was counted before; in the caller's transaction, under the lock."""
    for table in OF_SESSIONS:
        connection.execute(text(f"delete from {table} where day = :day"), {"day": day})  # noqa: S608 - constant names
    for table in ("rollup_distinct_key", "rollup_distinct"):
        connection.execute(text(f"delete from {table} where day = :day and kind = 'session_user'"), {"day": day})  # noqa: S608
    session_days.add_day(connection, day)
    feedback_days.add_day(connection, day)


def _add_day(connection: Connection, day: date, zone: ZoneInfo, since: datetime | None) -> None:
    """Count a day's sessions, and its operations from `since` on."""
    now = pd.Timestamp(utc_now())
    start, end = day_start(day, zone), day_start(day + timedelta(days=1), zone)
    for operations in _stored(connection, start if since is None else max(start, since), end):
        cells.merge(connection, operations, zone, now)
        distinct.merge(connection, operations.assign(day=cells.local_days(operations["started_at"], zone)))
    session_days.add_day(connection, day)
    feedback_days.add_day(connection, day)


def _stored(connection: Connection, start: datetime, end: datetime) -> Iterator[pd.DataFrame]:
    """Stored operations of [start, end) in bounded chunks, typed as the move has them."""
    if start >= end:
        return
    bounds = {"start": start, "end": end, "first_day": start.astimezone(UTC).date(), "last_day": end.astimezone(UTC).date()}
    result = connection.execute(text(OPERATIONS), bounds, execution_options={"yield_per": CHUNK_ROWS})
    for rows in result.partitions():
        operations = pd.DataFrame(rows, columns=list(result.keys()))
        operations["started_at"] = pd.to_datetime(operations["started_at"], utc=True)
        yield operations.astype(dict.fromkeys(cells.SUMS, "Int64") | dict.fromkeys(TEXTS, "str"))

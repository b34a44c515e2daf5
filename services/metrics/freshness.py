"""How far the numbers can be trusted, in the terms of a page's trust line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from services.db import reading
from services.errors import BadInput
from services.metrics import kept
from services.metrics.catalogue import DIMENSIONS, HOURS, WEEKDAYS
from services.settings import settings

CALENDAR = {"weekday": WEEKDAYS, "hour": HOURS}
OWN = {name: ("rollup_session_day", f"r.{name}") for name in ("topic", "subject", "cohort")} | {
    "error_type": ("rollup_error", "r.error_type")
}
TRUST = """
select w.*, c.*, (select value ->> 'state' from console_state where key = 'sample') as sample,
       (select value from console_state where key = 'old_zone_days') as old_zone_days, (select zone from rollup_state) as zone
from (select coalesce(sum(row_count), 0) as waiting, coalesce(extract(epoch from now() - min(received_at)), 0) as oldest_s,
             least(min(received_at), now()) as as_of
      from telemetry_inbox) w,
     (select coalesce(sum(rejected), 0) as rejected, coalesce(sum(duplicates), 0) as duplicates, coalesce(sum(late), 0) as late
      from telemetry_counts where day >= :start and day < :end) c
"""


@dataclass(frozen=True, slots=True)
class Trust:
    """Everything received before `as_of` is in the numbers. Counts are of telemetry received in the range.

    Where days of the range kept the zone they were cut in when the reporting zone changed, it is `old_zone`, before `old_zone_before`.
    """

    as_of: datetime
    complete: bool
    waiting_rows: int
    oldest_waiting_s: float
    rejected: int
    duplicates: int
    late: int
    zone: str
    zone_wanted: str
    sample_arriving: bool
    old_zone: str | None = None
    old_zone_before: date | None = None


def trust(start: date, end: date) -> Trust:
    """The trust line of a page over the days [start, end) of the reporting zone."""
    with reading() as connection:
        told = connection.execute(text(TRUST), {"start": start, "end": end}).one()
    wanted = settings().reporting_zone
    old = told.old_zone_days if told.old_zone_days and start < date.fromisoformat(told.old_zone_days["before"]) else None
    return Trust(
        as_of=told.as_of,
        complete=told.waiting == 0,
        waiting_rows=int(told.waiting),
        oldest_waiting_s=max(float(told.oldest_s), 0.0),
        rejected=int(told.rejected),
        duplicates=int(told.duplicates),
        late=int(told.late),
        zone=told.zone or wanted,
        zone_wanted=wanted,
        sample_arriving=told.sample == "arriving",
        old_zone=old["zone"] if old else None,
        old_zone_before=date.fromisoformat(old["before"]) if old else None,
    )


def as_of(connection: Connection) -> tuple[datetime, bool]:
    """The instant up to which everything received is rolled up, and whether that is now."""
    row = connection.execute(text("select least(min(received_at), now()) as at, count(*) = 0 as complete from telemetry_inbox")).one()
    return row.at, row.complete


def version() -> int:
    """A number that grows whenever rollups change; 0 before the first did."""
    return kept.state().version


def zone_of(connection: Connection) -> ZoneInfo:
    """The zone the days are cut in: the reporting zone, or the one before it until the rebuild for a change has run."""
    built = connection.execute(text("select zone from rollup_state")).scalar()
    return ZoneInfo(built) if built else settings().zone


def values(dimension: str) -> list[str]:
    """Values seen so far of a dimension, busiest first."""
    return choices([dimension])[dimension]


def choices(dimensions: Sequence[str]) -> dict[str, list[str]]:
    """Values seen so far of each of these dimensions, busiest first."""
    for name in dimensions:
        if name not in DIMENSIONS:
            raise BadInput(f"Unknown dimension '{name}': there are {', '.join(DIMENSIONS)}.")
    return kept.KEPT.get(("choices", *dimensions), lambda snapshot: {name: _values(snapshot.connection, name) for name in dimensions})[1]


def _values(connection: Connection, dimension: str) -> list[str]:
    if dimension in CALENDAR:
        return list(CALENDAR[dimension])
    table, column = OWN.get(dimension, ("rollup_day", f"s.{dimension}"))
    seen = f"select {column} from {table} r join series s on s.id = r.series_id where {column} <> '' group by 1 order by sum(r.n) desc, 1"  # noqa: S608
    return list(connection.execute(text(seen)).scalars())

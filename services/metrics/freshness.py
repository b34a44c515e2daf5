"""How far the numbers can be trusted, in the terms of a page's trust line."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from services.db import transaction
from services.errors import BadInput
from services.metrics.catalogue import DIMENSIONS, HOURS, WEEKDAYS
from services.settings import settings

CALENDAR = {"weekday": WEEKDAYS, "hour": HOURS}
OWN = {name: ("rollup_session_day", f"r.{name}") for name in ("topic", "subject", "cohort")} | {
    "error_type": ("rollup_error", "r.error_type")
}


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
    priced_share: float | None
    zone: str
    zone_wanted: str
    sample_arriving: bool
    old_zone: str | None = None
    old_zone_before: date | None = None


def trust(start: date, end: date) -> Trust:
    """The trust line of a page over the days [start, end) of the reporting zone."""
    with transaction() as connection:
        waiting = connection.execute(
            text(
                "select coalesce(sum(row_count), 0) as waiting, coalesce(extract(epoch from now() - min(received_at)), 0) as oldest_s,"
                " least(min(received_at), now()) as as_of from telemetry_inbox"
            )
        ).one()
        days = {"start": start, "end": end}
        intake = connection.execute(
            text(
                "select coalesce(sum(rejected), 0) as rejected, coalesce(sum(duplicates), 0) as duplicates, coalesce(sum(late), 0) as late"
                " from telemetry_counts where day >= :start and day < :end"
            ),
            days,
        ).one()
        priced = connection.execute(
            text("select sum(priced)::float / nullif(sum(n), 0) from rollup_day where day >= :start and day < :end"), days
        )
        sample = connection.execute(text("select value ->> 'state' from console_state where key = 'sample'")).scalar()
        old_zone, old_zone_before = _old_zone(connection, start)
        return Trust(
            as_of=waiting.as_of,
            complete=waiting.waiting == 0,
            waiting_rows=int(waiting.waiting),
            oldest_waiting_s=max(float(waiting.oldest_s), 0.0),
            rejected=int(intake.rejected),
            duplicates=int(intake.duplicates),
            late=int(intake.late),
            priced_share=priced.scalar(),
            zone=zone_of(connection).key,
            zone_wanted=settings().reporting_zone,
            sample_arriving=sample == "arriving",
            old_zone=old_zone,
            old_zone_before=old_zone_before,
        )


def _old_zone(connection: Connection, start: date) -> tuple[str | None, date | None]:
    """The zone of days that could not be cut anew, and the first day that was, when the range begins before that."""
    told = connection.execute(text("select value from console_state where key = 'old_zone_days'")).scalar()
    if told is None or start >= date.fromisoformat(told["before"]):
        return None, None
    return told["zone"], date.fromisoformat(told["before"])


def as_of(connection: Connection) -> tuple[datetime, bool]:
    """The instant up to which everything received is rolled up, and whether that is now."""
    row = connection.execute(text("select least(min(received_at), now()) as at, count(*) = 0 as complete from telemetry_inbox")).one()
    return row.at, row.complete


def version() -> int:
    """A number that grows whenever rollups change; 0 before the first did."""
    with transaction() as connection:
        found: int = connection.execute(text("select coalesce(max(version), 0) from rollup_state")).scalar_one()
    return found


def zone_of(connection: Connection) -> ZoneInfo:
    """The zone the days are cut in: the reporting zone, or the one before it until the rebuild for a change has run."""
    built = connection.execute(text("select zone from rollup_state")).scalar()
    return ZoneInfo(built) if built else settings().zone


def values(dimension: str) -> list[str]:
    """Values seen so far of a dimension, busiest first."""
    if dimension not in DIMENSIONS:
        raise BadInput(f"Unknown dimension '{dimension}': there are {', '.join(DIMENSIONS)}.")
    if dimension in CALENDAR:
        return list(CALENDAR[dimension])
    table, column = OWN.get(dimension, ("rollup_day", f"s.{dimension}"))
    statement = (
        f"select {column} from {table} r join series s on s.id = r.series_id where {column} <> '' group by 1 order by sum(r.n) desc, 1"  # noqa: S608
    )
    with transaction() as connection:
        return list(connection.execute(text(statement)).scalars())

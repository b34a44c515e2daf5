"""How far back the stored operations reach, and so which days of the rollups can still be made from them.

Rollups outlive the operations. Days whose operations were dropped keep their cells, in the zone they were cut in.
"""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from services.clock import day_start

OLD_ZONE = "old_zone_days"  # console_state: {"before": day, "zone": name, "earlier": [the same of changes before that one]}
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OldZone:
    """Days before `before` were cut in `zone`, or in one that was the reporting zone even earlier."""

    before: date
    zone: str


def stored_days(connection: Connection) -> list[date]:
    """The UTC days that have a partition, oldest first."""
    named = connection.execute(
        text("select substring(inhrelid::regclass::text from '\\d{8}$')::date from pg_inherits where inhparent = 'operations'::regclass")
    )
    return sorted(named.scalars())


def raw_from(connection: Connection) -> date | None:
    """The first UTC day whose operations are all kept; None while none were ever dropped."""
    day: date | None = connection.execute(text("select raw_from from rollup_state")).scalar()
    return day


def note_dropped(connection: Connection, first_kept: date) -> None:
    """Operations of the UTC days before `first_kept` are gone: that never becomes untrue again."""
    connection.execute(text("update rollup_state set raw_from = greatest(raw_from, :day)"), {"day": first_kept})


def first_day(connection: Connection, zone: ZoneInfo) -> date | None:
    """The first day that can be made again in the zone the days are cut in; None when every day can."""
    raw, old = raw_from(connection), old_zone(connection)
    days = [] if raw is None else [first_since(datetime.combine(raw, time.min, tzinfo=UTC), zone)]
    return max(days + ([] if old is None else [old.before]), default=None)


def first_since(moment: datetime, zone: ZoneInfo) -> date:
    """The first local day that begins at `moment` or after it."""
    day = moment.astimezone(zone).date()
    return day if day_start(day, zone) >= moment else day + DAY


def old_zone(connection: Connection) -> OldZone | None:
    """Which days kept the zone they were cut in when the reporting zone changed, if any did."""
    told = connection.execute(text("select value from console_state where key = :key"), {"key": OLD_ZONE}).scalar()
    return None if told is None else OldZone(date.fromisoformat(told["before"]), told["zone"])


def note_old_zone(connection: Connection, old: OldZone) -> None:
    """Remember that the days before `old.before` kept their zone."""
    before = connection.execute(text("select value from console_state where key = :key"), {"key": OLD_ZONE}).scalar()
    earlier = [] if before is None else [{"before": before["before"], "zone": before["zone"]}, *before["earlier"]]
    connection.execute(
        text(
            "insert into console_state (key, value) values (:key, cast(:value as jsonb))"
            " on conflict (key) do update set value = excluded.value"
        ),
        {"key": OLD_ZONE, "value": json.dumps({"before": str(old.before), "zone": old.zone, "earlier": earlier})},
    )

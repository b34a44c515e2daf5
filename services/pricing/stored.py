"""Stored calls as pricing sees them, in bounded chunks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pandas as pd
from sqlalchemy import Connection, text

from services.clock import day_start
from services.errors import BadInput
from services.rollups import kept
from services.rollups.state import zone_of
from services.telemetry.series import OTHER

DAY = timedelta(days=1)
CHUNK_ROWS = 100_000
LONGEST_DAYS = 3_700
NUMBERS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_nano", "price_version",
)  # fmt: skip
# Calls beyond the limit of series share one that names no model; what they were priced by still does.
PROVIDER = f"case when s.provider = '{OTHER}' then coalesce(v.provider, s.provider) else s.provider end"
MODEL = f"case when s.model = '{OTHER}' then coalesce(v.model, s.model) else s.model end"
FROM = f"operations o join series s on s.id = o.series_id left join price_versions v on s.model = '{OTHER}' and v.id = o.price_version"
CALLS = f"""
select o.day, o.id::text as id, o.started_at, o.series_id, {", ".join(f"o.{name}" for name in NUMBERS)}, o.cached, o.service_tier,
       {PROVIDER} as provider, {MODEL} as model
from {FROM}
where o.day >= :first and o.day <= :last and o.started_at >= :start and o.started_at < :end
  and (cast(:provider as text) is null or {PROVIDER} = :provider)
  and (cast(:model as text) is null or {MODEL} = :model or (:model like '%*' and starts_with({MODEL}, rtrim(:model, '*'))))
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Span:
    """Calls of [start, end), of one provider or model (a name, or its beginning and *) where given."""

    start: datetime
    end: datetime
    provider: str | None = None
    model: str | None = None

    @property
    def partition_days(self) -> list[date]:
        """The UTC days it touches."""
        first = self.start.astimezone(UTC).date()
        return [first + n * DAY for n in range((self.last - first).days + 1)]

    @property
    def last(self) -> date:
        """The last UTC day it touches."""
        return (self.end - timedelta(microseconds=1)).astimezone(UTC).date()


def since(connection: Connection) -> datetime | None:
    """The first instant whose calls are stored and counted in days of the zone of now: what was before cannot be corrected. None: all."""
    zone = zone_of(connection)
    first = kept.first_day(connection, zone)
    return None if first is None else day_start(first, zone)


def span(connection: Connection, first_day: date, end_day: date, provider: str | None = None, model: str | None = None) -> Span:
    """What can be corrected of days [first_day, end_day) of the reporting zone. Raises BadInput for the wrong order or too many days."""
    if first_day >= end_day:
        raise BadInput(f"The first day, {first_day}, must lie before the end, {end_day}.")
    if (end_day - first_day).days > LONGEST_DAYS:
        raise BadInput(f"That is more than {LONGEST_DAYS} days.")
    zone, possible = zone_of(connection), since(connection)
    start = day_start(first_day, zone)
    return Span(start if possible is None else max(start, possible), day_start(end_day, zone), provider or None, model or None)


def chunks(connection: Connection, of: Span, day: date | None = None) -> Iterator[pd.DataFrame]:
    """Calls of a span (of one partition day), as `services.pricing.cost.price` reads them, with day, id, series_id and price_version."""
    values = {
        "first": day or of.start.astimezone(UTC).date(),
        "last": day or of.last,
        "start": of.start,
        "end": of.end,
        "provider": of.provider,
        "model": of.model,
    }
    result = connection.execute(text(CALLS), values, execution_options={"yield_per": CHUNK_ROWS})
    for rows in result.partitions():
        calls = pd.DataFrame(rows, columns=list(result.keys()))
        calls["started_at"] = pd.to_datetime(calls["started_at"], utc=True)
        yield calls.astype(dict.fromkeys(NUMBERS, "Int64") | {"service_tier": "str", "cached": bool})


def in_words(days: Sequence[date]) -> list[str]:
    """Days that follow each other together: "2026-01-01 to 2026-01-31"."""
    runs: list[list[date]] = []
    for day in days:
        if runs and day - runs[-1][-1] == DAY:
            runs[-1][1:] = [day]
        else:
            runs.append([day])
    return [" to ".join(str(day) for day in run) for run in runs]

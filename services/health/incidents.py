"""Incidents found in the data: error bursts, and silence where there usually is traffic.

Each hour of a module is held against the same hour of the days of its kind before it, working days or weekends, as far as quarter
hours are kept: how far from their median, in their own robust spread. That follows the rhythm of a day and needs nothing to be set.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, text

from services.clock import FINE_REACH
from services.db import reading, transaction
from services.metrics.freshness import as_of, zone_of

HOUR = timedelta(hours=1)
LOOKED_AT = timedelta(days=14)  # every hour looked at has the three weeks before it
FEWEST_USUAL = 5  # hours to compare with, at least
SPREAD_OF_MAD = 1.4826  # of a normal law
BURST_Z, BURST_ERRORS, BURST_RATE, BURST_TIMES = 6.0, 10, 0.05, 3.0
SILENCE_Z, SILENCE_USUAL, SILENCE_LEFT, SILENCE_ALWAYS = 4.0, 20, 0.05, 0.9
GAP = timedelta(hours=1)  # two bad hours so close are one incident
Numbers = npt.NDArray[np.float64]
Kind = Literal["errors", "silence"]
KINDS: tuple[Kind, ...] = ("errors", "silence")
HOURS = """
select date_trunc('hour', r.bucket) as hour, s.module, sum(r.n)::bigint as n, sum(r.errors)::bigint as errors
from rollup_15m r join series s on s.id = r.series_id where r.bucket >= :start group by 1, 2
"""
PROVIDER = """
select s.provider, sum(r.errors)::bigint as errors from rollup_15m r join series s on s.id = r.series_id
where s.module = :module and r.bucket >= :start and r.bucket < :end group by 1 order by 2 desc, 1 limit 1
"""
# Of the stored operations, because rollups know error types by whole days only; the days are told so that no other partitions are opened.
ERROR_TYPE = """
select o.error_type from operations o join series s on s.id = o.series_id
where s.module = :module and o.started_at >= :start and o.started_at < :end and o.day >= :first_day and o.day <= :last_day
  and o.error_type is not null group by 1 order by count(*) desc, 1 limit 1
"""
STAYING = """
select module, kind, max(ended_at) as until from incidents where started_at < :first and ended_at > :first group by 1, 2
"""


@dataclass(frozen=True, slots=True)
class Incident:
    """`seen` errors where `expected` are usual, or `seen` operations in a silence; of `operations` in all. [started_at, ended_at).

    Where it `goes_on`, its end is only how far it was seen.
    """

    kind: Kind
    module: str
    started_at: datetime
    ended_at: datetime
    seen: int
    expected: float
    operations: int
    detail: Mapping[str, Any]
    goes_on: bool


@dataclass(frozen=True, slots=True)
class Hours:
    """Operations and errors of one module by hour, oldest first, without gaps, to the hour that is not over."""

    module: str
    starts: Sequence[datetime]
    operations: Numbers
    errors: Numbers


def find() -> dict[str, int]:
    """Look at the last days again and keep what is found there; how many. What began before these days stays, with all its hours."""
    with transaction() as connection:
        connection.execute(text("set transaction isolation level repeatable read"))
        known_until, _ = as_of(connection)
        first = (known_until - LOOKED_AT).replace(minute=0, second=0, microsecond=0)
        rows = connection.execute(text(HOURS), {"start": known_until - FINE_REACH})
        told = pd.DataFrame(rows.all(), columns=list(rows.keys()))
        zone = zone_of(connection)
        staying = {(row.module, row.kind): row.until for row in connection.execute(text(STAYING), {"first": first})}
        found = [
            one
            for hours in _modules(told, first, known_until)
            for one in incidents(hours, {kind: staying.get((hours.module, kind), first) for kind in KINDS}, known_until, zone)
        ]
        connection.execute(text("delete from incidents where started_at >= :first"), {"first": first})
        # Of one that began before, where nobody has looked for long, what lasts is found as another.
        connection.execute(text("update incidents set goes_on = false where goes_on"))
        for one in found:
            _keep(connection, one)
        connection.execute(
            text(
                "insert into console_state (key, value) values ('incidents', jsonb_build_object('at', now()))"
                " on conflict (key) do update set value = excluded.value"
            )
        )
    return {"incidents": len(found)}


def looked_at() -> datetime | None:
    """When it was last looked for incidents; None where nobody ever did, so that none found says nothing."""
    with reading() as connection:
        at = connection.execute(text("select value ->> 'at' from console_state where key = 'incidents'")).scalar()
    return None if at is None else datetime.fromisoformat(at)


def latest(days: int) -> list[Incident]:
    """Those that were not over before so many days ago, the newest first."""
    columns = ", ".join(Incident.__slots__)
    with reading() as connection:
        rows = connection.execute(
            text(f"select {columns} from incidents where ended_at > now() - make_interval(days => :days) order by started_at desc, module"),  # noqa: S608
            {"days": days},
        )
        return [Incident(**dict(row) | {"expected": float(row["expected"])}) for row in rows.mappings()]


def incidents(hours: Hours, first: Mapping[Kind, datetime], known_until: datetime, zone: ZoneInfo) -> Iterator[Incident]:
    """Of one module, in hours that begin at the `first` of a kind or later; the hour that is not over can have too many errors, but not
    be silent: a silence goes on until that hour brings traffic back.
    """
    local = [start.astimezone(zone) for start in hours.starts]
    of_kind = np.array([moment.weekday() >= 5 for moment in local])
    of_hour = np.array([moment.hour for moment in local])
    not_over = sum(start + HOUR <= known_until for start in hours.starts)
    quiet = not hours.operations[not_over:].any()
    bursts, silences = list[tuple[int, float]](), list[tuple[int, float]]()
    for place, start in enumerate(hours.starts):
        if start < min(first.values()):
            continue
        before = (of_kind[:place] == of_kind[place]) & (of_hour[:place] == of_hour[place])
        if before.sum() < FEWEST_USUAL:
            continue
        usual_n, usual_errors = hours.operations[:place][before], hours.errors[:place][before]
        n, errors = hours.operations[place], hours.errors[place]
        if start >= first["errors"] and _burst(errors, n, usual_errors, usual_n):
            bursts.append((place, float(np.median(usual_errors))))
        if place == not_over:
            quiet = bool(n <= SILENCE_LEFT * np.median(usual_n))
        elif start >= first["silence"] and _silent(n, usual_n):
            silences.append((place, float(np.median(usual_n))))
    yield from _together(hours, "errors", bursts, hours.errors, not_over)
    yield from _together(hours, "silence", silences, hours.operations, not_over - 1 if quiet else None)


def _modules(told: pd.DataFrame, first: datetime, known_until: datetime) -> Iterator[Hours]:
    """Each module from its first hour to now, hours without traffic included."""
    for module, rows in told.groupby("module"):
        index = pd.date_range(rows["hour"].min(), known_until.replace(minute=0, second=0, microsecond=0), freq="h")
        if not len(index) or index[-1] < first:
            continue
        whole = rows.set_index("hour")[["n", "errors"]].reindex(index, fill_value=0).astype("float64")
        yield Hours(str(module), [moment.to_pydatetime() for moment in index], whole["n"].to_numpy(), whole["errors"].to_numpy())


def _burst(errors: float, n: float, usual_errors: Numbers, usual_n: Numbers) -> bool:
    if errors < BURST_ERRORS or errors < BURST_RATE * n:
        return False
    usual_rate = usual_errors.sum() / max(usual_n.sum(), 1)
    return errors >= BURST_TIMES * usual_rate * n and _z(errors, usual_errors) >= BURST_Z


def _silent(n: float, usual: Numbers) -> bool:
    middle = float(np.median(usual))
    always = float((usual > 0).mean())
    return middle >= SILENCE_USUAL and n <= SILENCE_LEFT * middle and always >= SILENCE_ALWAYS and _z(n, usual) <= -SILENCE_Z


def _z(value: float, usual: Numbers) -> float:
    """How far from the median, in robust spreads; counts vary by their root at least."""
    middle = float(np.median(usual))
    spread = SPREAD_OF_MAD * float(np.median(np.abs(usual - middle)))
    return (value - middle) / max(spread, sqrt(middle), 1.0)


def _together(hours: Hours, kind: Kind, places: Sequence[tuple[int, float]], counted: Numbers, going_on: int | None) -> Iterator[Incident]:
    """Bad hours that follow each other as one incident; one goes on whose last hour is at the place `going_on`."""
    runs: list[list[tuple[int, float]]] = []
    for place, usual in places:
        if runs and hours.starts[place] - hours.starts[runs[-1][-1][0]] <= HOUR + GAP:
            runs[-1].append((place, usual))
        else:
            runs.append([(place, usual)])
    for run in runs:
        inside = [place for place, _ in run]
        yield Incident(
            kind, hours.module, hours.starts[inside[0]], hours.starts[inside[-1]] + HOUR, int(counted[inside].sum()),
            sum(usual for _, usual in run), int(hours.operations[inside].sum()), {}, inside[-1] == going_on,
        )  # fmt: skip


def _keep(connection: Connection, one: Incident) -> None:
    detail: dict[str, object] = {}
    if one.kind == "errors":
        span = {"module": one.module, "start": one.started_at, "end": one.ended_at}
        days = {"first_day": one.started_at.astimezone(UTC).date(), "last_day": one.ended_at.astimezone(UTC).date()}
        detail["provider"] = connection.execute(text(PROVIDER), span).scalar()
        detail["error_type"] = connection.execute(text(ERROR_TYPE), span | days).scalar()
    connection.execute(
        text(
            "insert into incidents (kind, module, started_at, ended_at, seen, expected, operations, detail, goes_on)"
            " values (:kind, :module, :started_at, :ended_at, :seen, :expected, :operations, cast(:detail as jsonb), :goes_on)"
        ),
        {name: getattr(one, name) for name in Incident.__slots__} | {"detail": json.dumps(detail)},
    )

"""Verify: compute every cell of a range again from the stored operations, in SQL, and compare to the unit."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from services.clock import FINE_REACH, day_start, today, utc_now
from services.db import transaction
from services.errors import BadInput
from services.rollups import kept
from services.rollups.cells import COUNTS, KEYS, SUMS
from services.rollups.state import lock, zone_of

EXAMPLES = 20
AT_ONCE = timedelta(days=7)  # moves wait while days are compared, so not for longer than these take
EXPECTED = {
    "n": "count(*)",
    "errors": "count(error_type)",
    "cached": "count(*) filter (where cached)",
    "priced": "count(cost_nano)",
    "told_tokens": "count(*) filter (where input_tokens is not null or output_tokens is not null)",
    "latency_n": "count(latency_us)",
    "ttft_n": "count(ttft_us)",
} | {column: f"sum({column})" for column in SUMS}
# The L1 distance from nothing is the number of values in a histogram.
IN_HISTOGRAM = "coalesce({name} <+> array_fill(0, array[668])::vector, 0)"
# The days are told beside the instants so that no other partitions are opened.
STORED = "started_at >= :start and started_at < :end and day >= :first_stored and day <= :last_stored"
# What sessions and feedback tell is kept for ever, so its days are compared with that.
OF_SESSIONS = {
    "rollup_session_day": (
        "day, series_id, topic, subject, cohort",
        ("n", "duration_n", "duration_us", "messages_n", "messages", "rated", "rating", "with_topic", "endless", "backwards", "overnight"),
        """count(*), count(duration_us), coalesce(sum(duration_us), 0), count(messages), coalesce(sum(messages), 0), count(rating),
        coalesce(sum(rating), 0), sum(with_topic), sum(endless), sum(backwards), sum(overnight)
        from session_contributions where {of_session}""",
    ),
    "rollup_session_hour": ("day, series_id, hour", ("n",), "count(*) from session_contributions where topic = '' and {of_session}"),
    "rollup_feedback_day": (
        "day, series_id",
        ("n", "up", "down", "rated", "rating"),
        "count(*), sum(up), sum(down), count(rating), coalesce(sum(rating), 0) from feedback_contributions where {of_feedback}",
    ),
}
STARTED = "started_at >= :start and started_at < :end"  # beside the days, because instants are what is indexed
DIFFERING = "differing_days"  # console_state: {day: cells that differed when it was compared last}, without the days that agreed
Difference = tuple[str, str, int, str, object, object]  # table, bucket, series, column, rolled up, from raw
OLDEST = "select least((select min(day) from rollup_day), (select min(day) from rollup_session_day))"


@dataclass(slots=True)
class Findings:
    """What was found so far."""

    cells: int = 0
    differences: int = 0
    examples: list[Difference] = field(default_factory=list)
    not_checked: int = 0
    checked_from: date | None = None

    def add(self, checked: int, differences: list[Difference]) -> None:
        self.cells += checked
        self.differences += len(differences)
        self.examples += differences[: EXAMPLES - len(self.examples)]


def verify(start: date | None = None, end: date | None = None) -> dict[str, object]:
    """Compare days [start, end) of the reporting zone, or without a range all that can be; the result is kept for the Health page, and
    of each day whether it differs, until it is compared again.

    Returns checked cells, differences, up to 20 examples of (table, bucket, series, column, rolled up, from raw), and how many days
    were `not_checked` because their operations are no longer all stored, with the first day that was. Raises BadInput for half a range.
    """
    if (start is None) != (end is None):
        raise BadInput("Give the first day to verify and the day after the last, or neither for everything.")
    if start is None or end is None:
        start, end = _everything()
    found = Findings()
    for days in range(0, (end - start).days, AT_ONCE.days):
        first = start + timedelta(days=days)
        _compare(first, min(first + AT_ONCE, end), found)
    result: dict[str, object] = {
        "start": str(start),
        "end": str(end),
        "verified_at": utc_now().isoformat(),
        "cells": found.cells,
        "differences": found.differences,
        "examples": found.examples,
        "not_checked": found.not_checked,
        "checked_from": found.checked_from and str(found.checked_from),
    }
    with transaction() as connection:
        _keep(connection, "verify", result)
    return result


def _everything() -> tuple[date, date]:
    """From the first day that can be checked to tomorrow, where the operations of senders whose clocks are ahead may lie."""
    with transaction() as connection:
        zone = zone_of(connection)
        end = today(zone) + timedelta(days=2)
        first = kept.first_day(connection, zone)
        if first is None:
            oldest = [connection.execute(text(OLDEST)).scalar(), *(day - kept.DAY for day in kept.stored_days(connection)[:1])]
            first = min((day for day in oldest if day is not None), default=end)
        return first, end


def _compare(start: date, end: date, found: Findings) -> None:
    """Add what is found in the days [start, end), as far as their operations are all stored."""
    with transaction() as connection:
        lock(connection, wait=True)
        compare(connection, start, end, found)


def compare(connection: Connection, start: date, end: date, found: Findings) -> None:
    """The same in the caller's transaction, under the lock."""
    zone = zone_of(connection)
    first = max(start, kept.first_day(connection, zone) or start)
    found.not_checked += (min(first, end) - start).days
    if first >= end:
        return
    found.checked_from = found.checked_from or first
    bounds = _bounds(first, end, zone)
    fine = bounds | {"start": max(day_start(first, zone), _whole_hour(utc_now() - FINE_REACH))}
    day = "(started_at at time zone :zone)::date"
    quarter = "date_bin('15 minutes', started_at, timestamptz '2000-01-01 00:00:00+00')"
    parts = [
        _cells(connection, "rollup_day", day, bounds),
        _cells(connection, "rollup_15m", quarter, fine),
        _errors(connection, day, bounds),
        _distinct(connection, day, bounds),
        *(_told(connection, table, *of_table, bounds) for table, of_table in OF_SESSIONS.items()),
    ]
    for part in parts:
        found.add(*part)
    differing = Counter(_local_day(bucket, zone) for _, differences in parts for _, bucket, *_ in differences)
    _note(connection, first, end, differing)


def _local_day(bucket: str, zone: ZoneInfo) -> date:
    """The day of a difference: its bucket, or the one that its quarter hour is in."""
    return datetime.fromisoformat(bucket).astimezone(zone).date() if ":" in bucket else date.fromisoformat(bucket)


def _note(connection: Connection, first: date, end: date, differing: Counter[date]) -> None:
    """What was just found replaces what was known of the days [first, end); of others it stays known."""
    known = connection.execute(text("select value from console_state where key = :key"), {"key": DIFFERING}).scalar() or {}
    others = {day: n for day, n in known.items() if not first <= date.fromisoformat(day) < end}
    _keep(connection, DIFFERING, others | {str(day): n for day, n in differing.items()})


def _keep(connection: Connection, key: str, value: dict[str, object]) -> None:
    connection.execute(
        text(
            "insert into console_state (key, value) values (:key, cast(:value as jsonb))"
            " on conflict (key) do update set value = excluded.value"
        ),
        {"key": key, "value": json.dumps(value, default=str)},
    )


def _bounds(first: date, last: date, zone: ZoneInfo) -> dict[str, object]:
    start, end = day_start(first, zone), day_start(last, zone)
    stored = {"first_stored": start.astimezone(UTC).date(), "last_stored": end.astimezone(UTC).date()}
    return {"start": start, "end": end, "first": first, "last": last, "zone": zone.key} | stored


def _whole_hour(moment: datetime) -> datetime:
    """Quarter hours are compared as far back as they answer, from a whole one on."""
    return moment.replace(minute=0, second=0, microsecond=0)


def _cells(connection: Connection, table: str, bucket: str, bounds: dict[str, object]) -> tuple[int, list[Difference]]:
    """Sums of raw rows against cells, both ways: what is missing, what is too much, what is different."""
    key = KEYS[table]
    first, last = (":start", ":end") if key == "bucket" else (":first", ":last")
    columns = (*COUNTS, *SUMS)
    statement = f"""
        with raw as (
            select {bucket} as {key}, series_id, {", ".join(f"{EXPECTED[c]} as {c}" for c in columns)}
            from operations where {STORED} group by 1, 2
        ), cells as (
            select {key}, series_id, {", ".join(columns)},
                   {IN_HISTOGRAM.format(name="latency_hist")} as latency_in_hist, {IN_HISTOGRAM.format(name="ttft_hist")} as ttft_in_hist
            from {table} where {key} >= {first} and {key} < {last}
        )
        select {key}, series_id, to_jsonb(raw) - array['{key}', 'series_id'] as raw,
               to_jsonb(cells) - array['{key}', 'series_id', 'latency_in_hist', 'ttft_in_hist'] as cell,
               latency_in_hist is distinct from coalesce(raw.latency_n, 0)
                   or ttft_in_hist is distinct from coalesce(raw.ttft_n, 0) as bad_hist
        from raw full join cells using ({key}, series_id)
    """  # noqa: S608 - constant names only
    rows = connection.execute(text(statement), bounds).all()
    differences: list[Difference] = []
    for row in rows:
        raw, cell = row.raw or {}, row.cell or {}
        wrong = [c for c in columns if raw.get(c) != cell.get(c)] + (["histogram"] if row.bad_hist else [])
        differences += [(table, str(row[0]), row.series_id, column, cell.get(column), raw.get(column)) for column in wrong]
    return len(rows), differences


def _errors(connection: Connection, day: str, bounds: dict[str, object]) -> tuple[int, list[Difference]]:
    statement = f"""
        with raw as (
            select {day} as day, series_id, error_type, count(*) as n from operations
            where {STORED} and error_type is not null group by 1, 2, 3
        ), cells as (select * from rollup_error where day >= :first and day < :last)
        select day, series_id, error_type, cells.n as cell, raw.n as raw from raw full join cells using (day, series_id, error_type)
    """  # noqa: S608 - constant names only
    rows = connection.execute(text(statement), bounds).all()
    return len(rows), [("rollup_error", str(r.day), r.series_id, r.error_type, r.cell, r.raw) for r in rows if r.cell != r.raw]


def _distinct(connection: Connection, day: str, bounds: dict[str, object]) -> tuple[int, list[Difference]]:
    statement = f"""
        with raw as (
            select {day} as day, series_id, 'user' as kind, count(distinct user_key) as n from operations
            where {STORED} and user_key is not null group by 1, 2
            union all
            select {day}, series_id, 'session', count(distinct session_key) from operations
            where {STORED} and session_key is not null group by 1, 2
            union all
            select day, series_id, 'session_user', count(distinct user_key) from session_contributions
            where day >= :first and day < :last and {STARTED} and user_key is not null group by 1, 2
        ), cells as (select * from rollup_distinct where day >= :first and day < :last)
        select day, series_id, kind, cells.n as cell, raw.n as raw from raw full join cells using (day, series_id, kind)
    """  # noqa: S608 - constant names only
    rows = connection.execute(text(statement), bounds).all()
    return len(rows), [("rollup_distinct", str(r.day), r.series_id, r.kind, r.cell, r.raw) for r in rows if r.cell != r.raw]


def _told(
    connection: Connection, table: str, key: str, columns: tuple[str, ...], told: str, bounds: dict[str, object]
) -> tuple[int, list[Difference]]:
    """What sessions and feedback add to their days against the cells, both ways."""
    of_range = "day >= :first and day < :last"
    told = told.format(of_session=f"{of_range} and {STARTED}", of_feedback=f"{of_range} and told_at >= :start and told_at < :end")
    numbered = ", ".join(str(place + 1) for place in range(key.count(",") + 1))
    statement = f"""
        with raw as (
            select * from (select {key}, {told} group by {numbered}) told ({key}, {", ".join(columns)})
        ), cells as (select {key}, {", ".join(columns)} from {table} where {of_range})
        select day, series_id, to_jsonb(raw) as raw, to_jsonb(cells) as cell from raw full join cells using ({key})
    """  # noqa: S608 - constants
    rows = connection.execute(text(statement), bounds).all()
    differences: list[Difference] = []
    for row in rows:
        raw, cell = row.raw or {}, row.cell or {}
        differences += [
            (table, str(row.day), row.series_id, column, cell.get(column), raw.get(column))
            for column in columns
            if raw.get(column) != cell.get(column)
        ]
    return len(rows), differences

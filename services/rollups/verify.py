"""Verify: compute every cell of a range again from the stored operations, in SQL, and compare to the unit."""

import json
from datetime import date, datetime

from sqlalchemy import Connection, text

from services.clock import FINE_REACH, day_start, utc_now
from services.db import transaction
from services.rollups.cells import COUNTS, KEYS, SUMS
from services.rollups.state import lock, zone_of

EXAMPLES = 20
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


def verify(start: date, end: date) -> dict[str, object]:
    """Compare days [start, end) of the reporting zone; the result is kept for the Health page.

    Returns checked cells, differences, and up to 20 examples of (table, bucket, series, column, rolled up, from raw).
    """
    with transaction() as connection:
        lock(connection, wait=True)
        zone = zone_of(connection)
        bounds = {"start": day_start(start, zone), "end": day_start(end, zone), "first": start, "last": end, "zone": zone.key}
        fine = bounds | {"start": max(day_start(start, zone), _whole_hour(utc_now() - FINE_REACH))}
        day = "(started_at at time zone :zone)::date"
        quarter = "date_bin('15 minutes', started_at, timestamptz '2000-01-01 00:00:00+00')"
        found = [
            _cells(connection, "rollup_day", day, bounds),
            _cells(connection, "rollup_15m", quarter, fine),
            _errors(connection, day, bounds),
            _distinct(connection, day, bounds),
        ]
        differences = [difference for _, some in found for difference in some]
        result: dict[str, object] = {
            "start": str(start),
            "end": str(end),
            "verified_at": utc_now().isoformat(),
            "cells": sum(checked for checked, _ in found),
            "differences": len(differences),
            "examples": differences[:EXAMPLES],
        }
        connection.execute(
            text(
                "insert into console_state (key, value) values ('verify', cast(:value as jsonb))"
                " on conflict (key) do update set value = excluded.value"
            ),
            {"value": json.dumps(result, default=str)},
        )
        return result


def _whole_hour(moment: datetime) -> datetime:
    """Quarter hours are compared as far back as they answer, from a whole one on."""
    return moment.replace(minute=0, second=0, microsecond=0)


def _cells(connection: Connection, table: str, bucket: str, bounds: dict[str, object]) -> tuple[int, list[object]]:
    """Sums of raw rows against cells, both ways: what is missing, what is too much, what is different."""
    key = KEYS[table]
    first, last = (":start", ":end") if key == "bucket" else (":first", ":last")
    columns = (*COUNTS, *SUMS)
    statement = f"""
        with raw as (
            select {bucket} as {key}, series_id, {", ".join(f"{EXPECTED[c]} as {c}" for c in columns)}
            from operations where started_at >= :start and started_at < :end group by 1, 2
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
    differences: list[object] = []
    for row in rows:
        raw, cell = row.raw or {}, row.cell or {}
        wrong = [c for c in columns if raw.get(c) != cell.get(c)] + (["histogram"] if row.bad_hist else [])
        differences += [(table, str(row[0]), row.series_id, column, cell.get(column), raw.get(column)) for column in wrong]
    return len(rows), differences


def _errors(connection: Connection, day: str, bounds: dict[str, object]) -> tuple[int, list[object]]:
    statement = f"""
        with raw as (
            select {day} as day, series_id, error_type, count(*) as n from operations
            where started_at >= :start and started_at < :end and error_type is not null group by 1, 2, 3
        ), cells as (select * from rollup_error where day >= :first and day < :last)
        select day, series_id, error_type, cells.n as cell, raw.n as raw from raw full join cells using (day, series_id, error_type)
    """  # noqa: S608 - constant names only
    rows = connection.execute(text(statement), bounds).all()
    return len(rows), [("rollup_error", str(r.day), r.series_id, r.error_type, r.cell, r.raw) for r in rows if r.cell != r.raw]


def _distinct(connection: Connection, day: str, bounds: dict[str, object]) -> tuple[int, list[object]]:
    statement = f"""
        with raw as (
            select {day} as day, series_id, 'user' as kind, count(distinct user_key) as n from operations
            where started_at >= :start and started_at < :end and user_key is not null group by 1, 2
            union all
            select {day}, series_id, 'session', count(distinct session_key) from operations
            where started_at >= :start and started_at < :end and session_key is not null group by 1, 2
            union all
            select day, series_id, 'session_user', count(distinct user_key) from session_contributions
            where day >= :first and day < :last and user_key is not null group by 1, 2
        ), cells as (select * from rollup_distinct where day >= :first and day < :last)
        select day, series_id, kind, cells.n as cell, raw.n as raw from raw full join cells using (day, series_id, kind)
    """  # noqa: S608 - constant names only
    rows = connection.execute(text(statement), bounds).all()
    return len(rows), [("rollup_distinct", str(r.day), r.series_id, r.kind, r.cell, r.raw) for r in rows if r.cell != r.raw]

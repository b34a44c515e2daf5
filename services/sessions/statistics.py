"""What is made of all sessions on a schedule: the last days counted again, and how many users of each week came back.

Idempotent: another run writes the same again. Days and weeks are those of the zone that the rollups are cut in.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd
from sqlalchemy import Connection, text

from services.clock import today, utc_now
from services.db import transaction
from services.errors import BadInput
from services.rollups.rebuild import sessions_again
from services.rollups.state import lock, note_move, zone_of
from services.telemetry import feedback

STATE = "session_statistics"
RECOUNTED_DAYS = 2  # today and yesterday: later tellings of earlier days are counted as they come, and verify compares them
# A user counts in each module and environment, and once in all of them ('').
RETENTION = """
with seen as (
    select distinct k.key_hash, date_trunc('week', k.day::timestamp)::date as week, s.environment, s.module
    from rollup_distinct_key k join series s on s.id = k.series_id where k.kind = 'session_user'
), scoped as (
    select distinct key_hash, week, e.environment, m.module
    from seen cross join lateral (values (''), (seen.environment)) e (environment)
    cross join lateral (values (''), (seen.module)) m (module)
), placed as (
    select environment, module, week, min(week) over (partition by environment, module, key_hash) as first_week from scoped
)
insert into session_retention (environment, module, first_week, week, users)
select environment, module, first_week, week, count(*) from placed group by 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class Retention:
    """`frame` has first_week, week (Mondays) and users; `made_at` is None before the first run."""

    frame: pd.DataFrame
    made_at: datetime | None


def make(start: date | None = None, end: date | None = None) -> dict[str, object]:
    """Count the sessions and feedback of days [start, end) again (without a range the last two), and retention of all weeks.

    Raises BadInput for half a range.
    """
    if (start is None) != (end is None):
        raise BadInput("Give both ends of the range, or neither for today and yesterday.")
    with transaction() as connection:
        zone = zone_of(connection)
    until = end or today(zone) + timedelta(days=1)
    day = start or until - timedelta(days=RECOUNTED_DAYS)
    days = 0
    while day < until:
        with transaction() as connection:
            lock(connection, wait=True)
            sessions_again(connection, day)
            if day + timedelta(days=1) == until:
                feedback.link_operations(connection)
            note_move(connection)
        day, days = day + timedelta(days=1), days + 1
    with transaction() as connection:
        weeks = _retention(connection)
    return {"days": days, "cells": weeks, "zone": zone.key}


def retention(connection: Connection, environment: str = "", module: str = "", since: date | None = None) -> Retention:
    """Users by the week of their first session and each week they had one in; '' is every environment and module."""
    found = connection.execute(
        text(
            "select first_week, week, users from session_retention where (environment, module) = (:environment, :module)"
            " and first_week >= coalesce(:since, '-infinity'::date) order by 1, 2"
        ),
        {"environment": environment, "module": module, "since": since},
    ).all()
    made_at = connection.execute(text("select value ->> 'made_at' from console_state where key = :key"), {"key": STATE}).scalar()
    return Retention(pd.DataFrame(found, columns=["first_week", "week", "users"]), made_at and datetime.fromisoformat(made_at))


def _retention(connection: Connection) -> int:
    # Two runs at once would each write all rows.
    connection.execute(text("select pg_advisory_xact_lock(hashtext(:key))"), {"key": STATE})
    connection.execute(text("delete from session_retention"))
    cells = connection.execute(text(RETENTION)).rowcount
    connection.execute(
        text(
            "insert into console_state (key, value) values (:key, cast(:value as jsonb))"
            " on conflict (key) do update set value = excluded.value"
        ),
        {"key": STATE, "value": json.dumps({"made_at": utc_now().isoformat()})},
    )
    return cells

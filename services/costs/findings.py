"""What the job finds and the page reads: suggestions that would save money, and who spends most."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
from sqlalchemy import Connection, text

from services.clock import today, utc_now
from services.costs import from_operations, from_rollups
from services.costs.from_operations import Window
from services.costs.suggestion import DAYS, LEAST_NANO, Suggestion
from services.db import reading, transaction
from services.metrics.freshness import zone_of
from services.metrics.snapshot import Snapshot
from services.pricing import current

SPENDER_DAYS = (1, 7, 30)
MOST_SPENDERS = 20
# One pass over the month; the shorter ranges are in it.
SPENDERS = """
with told as (
    select {key} as key, s.source, o.started_at, o.cost_nano from operations o join series s on s.id = o.series_id
    where o.day >= :first_day and o.started_at >= :start and o.started_at < :end and {key} is not null
), summed as (
    select key, {source} as source, days, count(*) as operations, count(*) - count(cost_nano) as unpriced, sum(cost_nano)::bigint as nano
    from told join unnest(cast(:days as smallint[])) days on started_at >= :end - make_interval(days => days)
    group by 1, 2, 3 having sum(cost_nano) > 0
), ranked as (
    select *, row_number() over (partition by days order by nano desc, key, source) as place from summed
)
insert into cost_spenders (days, kind, place, source, key, operations, unpriced, cost_nano)
select days, :kind, place, source, key, operations, unpriced, nano from ranked where place <= :most
"""
# A person is the same person in every source; a session belongs to its own.
WHO = {"user": {"key": "o.user_key", "source": "''"}, "session": {"key": "o.session_key", "source": "source"}}


@dataclass(frozen=True, slots=True)
class Found:
    """`at` is when the job last looked; None when it never has."""

    at: datetime | None
    suggestions: tuple[Suggestion, ...]


def find() -> dict[str, int]:
    """Look for everything and keep it instead of what was found before; how many of each. For a job: it reads stored operations."""
    with transaction() as connection:
        connection.execute(text("set transaction isolation level repeatable read"))
        now = connection.execute(text("select now()")).scalar_one()
        found = [one for one in suggestions(connection, now) if one.saves_nano >= LEAST_NANO]
        connection.execute(text("delete from cost_suggestions"))
        for one in found:
            connection.execute(
                text(
                    "insert into cost_suggestions (kind, module, operation, provider, model, saves_nano, evidence)"
                    " values (:kind, :module, :operation, :provider, :model, :saves_nano, cast(:evidence as jsonb))"
                ),
                {name: getattr(one, name) for name in Suggestion.__slots__} | {"evidence": json.dumps(dict(one.evidence))},
            )
        spenders = _keep_spenders(connection, Window(now - timedelta(days=DAYS), now))
        connection.execute(
            text(
                "insert into console_state (key, value) values ('cost_findings', jsonb_build_object('at', now()))"
                " on conflict (key) do update set value = excluded.value"
            )
        )
    return {"suggestions": len(found), "spenders": spenders}


def suggestions(connection: Connection, now: datetime) -> list[Suggestion]:
    """All that the last thirty days show, however little it would save."""
    window = Window(now - timedelta(days=DAYS), now)
    snapshot = Snapshot(connection, zone_of(connection))
    days = from_rollups.split_days(today(snapshot.zone) + timedelta(days=1))
    done = from_rollups.work(snapshot, days[0][0], days[1][1])
    before, recent = (from_rollups.work(snapshot, *of) for of in days)
    prices = current.prices(connection, {key[2:] for key in done}, utc_now())
    return [
        *from_rollups.cheaper_models(done, prices),
        *from_rollups.cache_collapses(before, recent, prices),
        *from_operations.repeated_prompts(connection, window),
        *from_operations.billed_retries(connection, window),
        *from_operations.batchable(connection, window),
        *from_operations.over_cliffs(connection, window),
    ]


def listing() -> Found:
    """What was found last, what saves most first."""
    with reading() as connection:
        at = connection.execute(text("select value ->> 'at' from console_state where key = 'cost_findings'")).scalar()
        columns = ", ".join(Suggestion.__slots__)
        rows = connection.execute(text(f"select {columns} from cost_suggestions order by saves_nano desc, id"))  # noqa: S608 - constants
        return Found(None if at is None else datetime.fromisoformat(at), tuple(Suggestion(**row) for row in rows.mappings()))


def top_spenders(days: int, kind: str) -> pd.DataFrame:
    """Who spent most in the last 1, 7 or 30 days: source ("" for users), key, operations, unpriced, cost_usd (Decimal), found_at."""
    with reading() as connection:
        rows = connection.execute(
            text(
                "select source, key, operations, unpriced, cost_nano / 1e9::numeric as cost_usd, found_at from cost_spenders"
                " where days = :days and kind = :kind order by place"
            ),
            {"days": days, "kind": kind},
        )
        return pd.DataFrame(rows.all(), columns=list(rows.keys()))


def _keep_spenders(connection: Connection, window: Window) -> int:
    connection.execute(text("delete from cost_spenders"))
    kept = 0
    for kind, names in WHO.items():
        asked = window.values | {"kind": kind, "days": list(SPENDER_DAYS), "most": MOST_SPENDERS}
        kept += connection.execute(text(SPENDERS.format(**names)), asked).rowcount
    return kept

"""The statistics of the FAQ: computed by a job, read from their cache, so that no reader waits for a count."""

import json
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, text

from services import metrics
from services.clock import today
from services.settings import settings

KIND = "ask.statistics"
EVERY_S = 900
KEPT_DAYS = 180
EPOCH = 2000
COUNTS = {
    "communities": "select count(*) from communities",
    "barangays": "select count(*) from communities where geographic_level = 'Bgy'",
    "municipalities": "select count(*) from communities where geographic_level = 'Mun'",
    "cities": "select count(*) from communities where geographic_level = 'City'",
    "provinces": "select count(*) from communities where geographic_level = 'Prov'",
    "regions": "select count(*) from communities where geographic_level = 'Reg'",
    "population": "select sum(population) from communities where geographic_level = 'Bgy'",
    "projects": "select count(*) from projects",
    "departments": "select count(distinct department) from projects",
    "late_projects": "select count(*) from projects where end_current > end_planned",
    "needs": "select count(*) from needs_assessments",
    "imports": "select count(*) from record_imports where state = 'done'",
    "last_import": "select max(finished_at) from record_imports where state = 'done'",
    "dead_jobs": "select count(*) from jobs where state = 'dead'",
    "synonyms": "select count(*) from ask_synonyms",
    "rated_down": "select count(*) from ask_turns where rating = 0",
    "answered_share": "select avg((source <> 'fallback')::int)::float8 from ask_turns",
}


def refresh(connection: Connection) -> dict[str, str]:
    """Compute all anew, in words, and forget questions that are older than they are kept."""
    told = {name: _words(connection.execute(text(statement)).scalar()) for name, statement in COUNTS.items()}
    told |= _of_metrics() | {"zone": settings().reporting_zone, "school_month": str(settings().school_year_month)}
    connection.execute(
        text(
            "insert into ask_statistics (name, value)"
            " select name, to_jsonb(value) from jsonb_each_text(cast(:told as jsonb)) as t (name, value)"
            " on conflict (name) do update set value = excluded.value, computed_at = clock_timestamp()"
        ),
        {"told": json.dumps(told)},
    )
    connection.execute(
        text("delete from ask_conversations where started_at < now() - make_interval(days => :days)"
             " and not exists (select 1 from ask_turns t where t.conversation_id = ask_conversations.id"
             " and t.asked_at >= now() - make_interval(days => :days))"),
        {"days": KEPT_DAYS},
    )  # fmt: skip
    connection.execute(text("delete from ask_turns where asked_at < now() - make_interval(days => :days)"), {"days": KEPT_DAYS})
    return told


def read(connection: Connection, names: Iterable[str]) -> tuple[dict[str, str], datetime | None]:
    """Those of the names that were computed, and when the oldest of them was."""
    rows = connection.execute(
        text("select name, value #>> '{}' as value, computed_at from ask_statistics where name = any(:names)"), {"names": list(names)}
    ).all()
    return {row.name: row.value for row in rows}, min((row.computed_at for row in rows), default=None)


def _of_metrics() -> dict[str, str]:
    """From the catalogue, over everything that is kept."""
    now = today(settings().zone)
    days = metrics.query(["operations"], start=date(EPOCH, 1, 1), end=now + timedelta(days=1), interval="day").frame
    busy = days.loc[days["operations"] > 0, "bucket"]
    return {
        "operations": _words(int(days["operations"].sum())),
        "sources": _words(len(metrics.values("source"))),
        "last_operation": "unknown" if busy.empty else f"{busy.iloc[-1]:%Y-%m-%d}",
    }


def _words(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, float):
        return f"{value:.0%}"
    return f"{int(str(value)):,}"

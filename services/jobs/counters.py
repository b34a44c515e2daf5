"""Counters that only grow, for whoever scrapes them. What the reconciler did is never deleted; minutes are folded into one row a kind
before they are, so no total falls."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

KEPT_DAYS = 7  # minutes older than this are folded: a scrape adds up what is left


@dataclass(frozen=True, slots=True)
class Attempts:
    """Ended attempts since the beginning: how many, and the sums of due → running and of running → ended."""

    queue: str
    kind: str
    outcome: str
    n: int
    wait_ms: int
    run_ms: int


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """Processes of a kind: how many there are, and the seconds since the last heartbeat of any (None: there is none)."""

    kind: str
    processes: int
    age_s: float | None


def attempts(connection: Connection) -> list[Attempts]:
    """One a queue, kind and outcome."""
    rows = connection.execute(
        text(
            "select queue, kind, outcome, sum(n)::bigint, sum(wait_ms)::bigint, sum(run_ms)::bigint from job_minutes"
            " group by queue, kind, outcome order by queue, kind, outcome"
        )
    )
    return [Attempts(*row) for row in rows]


def rescues(connection: Connection) -> dict[str, int]:
    """How many jobs (or processes) each action of the reconciler concerned."""
    rows = connection.execute(text("select action, sum(n)::bigint as n from job_rescues group by action order by action"))
    return {row.action: row.n for row in rows}


def heartbeats(connection: Connection) -> list[Heartbeats]:
    """One a kind of process, also where there is none."""
    rows = connection.execute(
        text(
            """
            select kind, count(id)::int, extract(epoch from clock_timestamp() - max(beat_at))::float
            from (values ('dispatcher'), ('worker')) kinds (kind) left join processes using (kind)
            group by kind order by kind
            """
        )
    )
    return [Heartbeats(kind, n, None if age_s is None else max(age_s, 0.0)) for kind, n, age_s in rows]


def fold(connection: Connection) -> int:
    """Add minutes older than a week to the row of the epoch, one a queue, kind and outcome; how many are gone."""
    gone: int = connection.execute(
        text(
            """
            with gone as (
                delete from job_minutes where minute > 'epoch' and minute < now() - make_interval(days => :kept) returning *
            ), folded as (
                insert into job_minutes as m (minute, queue, kind, outcome, n, wait_ms, run_ms)
                select 'epoch', queue, kind, outcome, sum(n), sum(wait_ms), sum(run_ms) from gone group by queue, kind, outcome
                on conflict (minute, queue, kind, outcome) do update
                    set n = m.n + excluded.n, wait_ms = m.wait_ms + excluded.wait_ms, run_ms = m.run_ms + excluded.run_ms
            )
            select count(*) from gone
            """
        ),
        {"kept": KEPT_DAYS},
    ).scalar_one()
    return gone

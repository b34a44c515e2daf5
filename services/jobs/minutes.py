"""Attempts by the minute in which they ended, for charts and counters."""

from datetime import timedelta

from sqlalchemy import Connection, text

from services.jobs import hold
from services.jobs.truth import Job


def count(connection: Connection, job: Job, outcome: str) -> None:
    """Add the attempt that ends now to its minute: in the transaction of its end, and as its last statement, for the row is shared
    by all who end within its minute."""
    waited = job.claimed_at - job.run_at if job.claimed_at else timedelta()
    connection.execute(
        text(
            f"""
            insert into job_minutes as m (minute, queue, kind, outcome, n, wait_ms, run_ms)
            select date_trunc('minute', clock_timestamp()), :queue, :kind, :outcome, 1, :wait_ms,
                   coalesce(greatest(0, extract(epoch from clock_timestamp() - cast(:claimed_at as timestamptz)) * 1000), 0)
            from (select {hold.BRIEFLY}) bounded
            on conflict (minute, queue, kind, outcome) do update
                set n = m.n + 1, wait_ms = m.wait_ms + excluded.wait_ms, run_ms = m.run_ms + excluded.run_ms
            """  # noqa: S608 - words of ours
        ),
        {
            "queue": job.queue,
            "kind": job.kind,
            "outcome": outcome,
            "wait_ms": max(0, round(waited / timedelta(milliseconds=1))),
            "claimed_at": job.claimed_at,
            "longest": hold.LONGEST,
        },
    )

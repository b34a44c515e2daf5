"""Rescue of what was left behind. Runs in the dispatcher, never as a job: a rescue that needs rescuing helps nobody."""

from sqlalchemy import Connection, text

from services.jobs import claim
from services.jobs.retry import Decision
from services.jobs.truth import Job, from_row

LOCK = 7_036_001  # only one reconciler works at a time
BATCH = 100


def alone(connection: Connection) -> bool:
    """True when no other reconciler works, until the end of the transaction."""
    return bool(connection.execute(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}).scalar_one())


def rescue(connection: Connection) -> list[tuple[Job, Decision]]:
    """End attempts whose lease ran out; the jobs and what becomes of them."""
    expired = connection.execute(
        text(
            """
            select * from jobs where state = 'running' and lease_until < clock_timestamp()
            order by lease_until limit :batch for update skip locked
            """
        ),
        {"batch": BATCH},
    ).all()
    jobs = [from_row(row) for row in expired]
    return [(job, claim.lose(connection, job)) for job in jobs]

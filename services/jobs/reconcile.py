"""Rescue of what was left behind. Runs in the dispatcher, never as a job: a rescue that needs rescuing helps nobody."""

from sqlalchemy import Connection, text

from services.jobs import claim, feed, hold, processes
from services.jobs.retry import Decision
from services.jobs.truth import Job, from_row

LOCK = 7_036_001  # only one reconciler works at a time
BATCH = 100
TOLD: dict[str, feed.Action] = {"retry": "rescued", "dead": "buried", "cancelled": "cancelled"}


def alone(connection: Connection) -> bool:
    """True when no other reconciler works, until the end of the transaction."""
    hold.briefly(connection)
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
    return [(job, _lose(connection, job)) for job in map(from_row, expired)]


def forget_silent(connection: Connection) -> None:
    """Drop processes that do not beat any more; what they ran is rescued by its lease."""
    for process in processes.forget_stale(connection):
        feed.tell(connection, "process forgotten", queue=process.queue, detail=f"{process.kind} {process.name}")


def _lose(connection: Connection, job: Job) -> Decision:
    decision = claim.lose(connection, job)
    feed.tell(connection, TOLD[decision.state], job_id=job.id, queue=job.queue, detail=f"{job.kind}, attempt {job.attempt} was lost")
    return decision

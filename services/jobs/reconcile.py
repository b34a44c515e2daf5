"""Rescue of what was left behind. Runs in the dispatcher, never as a job: a rescue that needs rescuing helps nobody."""

from sqlalchemy import Connection, text

from services.jobs import claim
from services.jobs.retry import CANCELLED, Decision, after_loss
from services.jobs.truth import COLUMNS, Job, from_row

LOCK = 7_036_001  # only one reconciler works at a time
BATCH = 100


def alone(connection: Connection) -> bool:
    """True when no other reconciler works, until the end of the transaction."""
    return bool(connection.execute(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}).scalar_one())


def rescue(connection: Connection) -> list[tuple[Job, Decision]]:
    """End attempts whose lease ran out as lost: retry with back-off, or bury what is used up or kills its workers."""
    expired = connection.execute(
        text(
            f"select {COLUMNS} from jobs where state = 'running' and lease_until < clock_timestamp()"
            " order by lease_until limit :batch for update skip locked"
        ),
        {"batch": BATCH},
    ).all()
    return [_rescue(connection, from_row(row)) for row in expired]


def _rescue(connection: Connection, job: Job) -> tuple[Job, Decision]:
    spent, losses = claim.history(connection, job)
    decision = after_loss(spent + 1, losses + 1, job.max_attempts)
    decision = CANCELLED if job.cancel_requested_at and decision.state == "retry" else decision
    claim.put_back(connection, job, decision, "lost", "Lost", "The worker vanished in the middle of the job.")
    return job, decision

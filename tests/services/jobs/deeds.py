"""What the machine of jobs reads and does at once: all rows that count, and the two ends of an attempt."""

from sqlalchemy import Connection, text

from services.db import transaction
from services.errors import BadInput, Unavailable
from services.jobs import Job, claim

SEEN = text(
    """
    select (select coalesce(jsonb_agg(jsonb_build_object('id', id,
            'state', state, 'attempt', attempt, 'lost', lost, 'asked', cancel_requested_at is not null, 'aside', discarded_at is not null,
            'token', lease_token, 'handed', state in ('queued', 'retry') and dispatched_at is not null,
            'due', state in ('queued', 'retry') and run_at <= now(), 'ended', finished_at is not null,
            'numbers', coalesce(tried.numbers, '[]'), 'ends', coalesce(tried.ends, '[]'))), '[]')
        from jobs left join lateral (
            select jsonb_agg(a.attempt order by a.attempt) numbers, jsonb_agg(a.outcome order by a.attempt) ends
            from job_attempts a where a.job_id = jobs.id) tried on true) as jobs,
        (select coalesce(sum(n), 0) from job_minutes) as counted,
        (select count(*) from processes where job_id is not null) as busy,
        (select coalesce(array_agg(key::integer), '{}') from console_state) as effects
    """
)
EMPTY = text(
    "; ".join(f"delete from {name}" for name in ("jobs", "job_limits", "job_minutes", "job_rescues", "processes", "console_state"))
)

DYING = text("select exists (select from pg_stat_activity where datname = current_database() and state like 'idle in transaction%')")


def claims_alone(job_id: int, worker: str) -> Job | None:
    with transaction() as connection:
        return claim.claim(connection, job_id, worker, 1)


def ending(connection: Connection, job: Job, how: str, effect: int) -> bool:
    """An effect, and the word how the attempt ended, in one transaction. Raises Fenced."""
    connection.execute(text("insert into console_state values (:key, '1')"), {"key": str(effect)})
    match how:
        case "done":
            claim.finish(connection, job, {"rows": 1})
        case "released":
            claim.release(connection, job)
        case "cancelled":
            claim.stopped(connection, job)
        case _:
            claim.fail(connection, job, BadInput("never") if how == "for good" else Unavailable("not now"), "Traceback ...")
    return True

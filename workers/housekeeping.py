"""The hourly broom."""

from services.accounts import sign_ins
from services.ai import cache, turns
from services.db import transaction
from services.jobs import counters, feed, standing
from services.schedules import decisions
from services.sitewide import runs
from services.telemetry import retention
from workers.running import Running


def tidy(job: Running) -> dict[str, object] | None:
    """Drop finished jobs and schedules' decisions past their keep, sign-ins that are over, and answers and telemetry that are too old."""
    jobs = _forget_jobs(job)
    with transaction() as connection:
        sign_ins.forget_old(connection)
        done: dict[str, object] = {
            "jobs": jobs,
            "decisions": decisions.forget_old(connection),
            "rescues": feed.fold(connection),
            "job_minutes": counters.fold(connection),
            "answers": cache.forget_old(connection),
            "turns": turns.forget_old(connection),
            "factoid_runs": runs.forget_old(connection),
        }
        job.finish(connection, done | retention.tidy(connection))
    return None


def _forget_jobs(job: Running) -> int:
    """Batch by batch, each a transaction of its own: however many there are, it gets on, and nobody waits for all of them."""
    jobs = 0
    while not job.stopping():
        with transaction() as connection:
            gone = standing.forget_finished(connection)
        jobs += gone
        if gone < standing.FORGOTTEN_AT_ONCE:
            break
    return jobs

"""The hourly broom."""

from services.accounts import sign_ins
from services.ai import cache, turns
from services.db import transaction
from services.jobs import standing
from services.schedules import decisions
from services.telemetry import retention
from workers.running import Running


def tidy(job: Running) -> dict[str, object] | None:
    """Drop finished jobs and schedules' decisions past their keep, sign-ins that are over, and answers and telemetry that are too old."""
    with transaction() as connection:
        sign_ins.forget_old(connection)
        kept = {"answers": cache.forget_old(connection), "turns": turns.forget_old(connection)}
        jobs = standing.forget_finished(connection)
        job.finish(connection, {"jobs": jobs, "decisions": decisions.forget_old(connection)} | kept | retention.tidy(connection))
    return None

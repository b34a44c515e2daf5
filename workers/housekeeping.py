"""The hourly broom."""

from services.accounts import sign_ins
from services.db import transaction
from services.jobs import standing
from services.schedules import decisions
from services.telemetry import retention
from workers.running import Running


def tidy(job: Running) -> dict[str, object] | None:
    """Drop finished jobs and schedules' decisions past their keep, sign-ins that are over and telemetry that is too old."""
    with transaction() as connection:
        sign_ins.forget_old(connection)
        jobs = standing.forget_finished(connection)
        job.finish(connection, {"jobs": jobs, "decisions": decisions.forget_old(connection)} | retention.tidy(connection))
    return None

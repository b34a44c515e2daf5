"""Rollup jobs: build again what raw operations say, or compare with it."""

from datetime import date, timedelta

from services.clock import today
from services.db import transaction
from services.errors import BadInput
from services.rollups.rebuild import rebuild as rebuild_rollups
from services.rollups.state import zone_of
from services.rollups.verify import verify as verify_rollups
from workers.running import Running

VERIFIED_DAYS = 2


def rebuild(job: Running) -> dict[str, object]:
    """Args: start, end (days of the reporting zone, YYYY-MM-DD), or neither for everything."""
    return rebuild_rollups(day(job, "start"), day(job, "end"), job.report, job.stopping)


def verify(job: Running) -> dict[str, object]:
    """Args: start, end (days of the reporting zone, YYYY-MM-DD), or neither for today and the day before."""
    start, end = day(job, "start"), day(job, "end")
    return verify_rollups(*(_last_days() if start is None and end is None else (start, end)))


def _last_days() -> tuple[date, date]:
    with transaction() as connection:
        end = today(zone_of(connection)) + timedelta(days=1)
    return end - timedelta(days=VERIFIED_DAYS), end


def day(job: Running, name: str) -> date | None:
    """A day that the job was given under this name, None for none; raises BadInput."""
    told = job.args.get(name)
    if told is None:
        return None
    try:
        return date.fromisoformat(str(told))
    except ValueError:
        raise BadInput(f"'{name}' must be a day such as 2026-01-31, not '{told}'.") from None

"""Rollup jobs: build again what raw operations say, or compare with it."""

from datetime import date

from services.errors import BadInput
from services.rollups.rebuild import rebuild as rebuild_rollups
from services.rollups.verify import verify as verify_rollups
from workers.running import Running


def rebuild(job: Running) -> dict[str, object]:
    """Args: start, end (days of the reporting zone, YYYY-MM-DD), or neither for everything."""
    return rebuild_rollups(_day(job, "start"), _day(job, "end"), job.report, job.stopping)


def verify(job: Running) -> dict[str, object]:
    """Args: start, end (days of the reporting zone, YYYY-MM-DD), or neither for everything that can be checked."""
    return verify_rollups(_day(job, "start"), _day(job, "end"))


def _day(job: Running, name: str) -> date | None:
    told = job.args.get(name)
    if told is None:
        return None
    try:
        return date.fromisoformat(str(told))
    except ValueError:
        raise BadInput(f"'{name}' must be a day such as 2026-01-31, not '{told}'.") from None

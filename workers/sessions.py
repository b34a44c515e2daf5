"""Statistics of sessions, on a schedule."""

from services.sessions import statistics
from workers.rollups import day
from workers.running import Running


def make(job: Running) -> dict[str, object]:
    """Args: start, end (days of the reporting zone, YYYY-MM-DD), or neither for today and yesterday."""
    return statistics.make(day(job, "start"), day(job, "end"))

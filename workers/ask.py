"""Ask's job: the statistics of its FAQ."""

from services.ask import statistics
from services.db import transaction
from workers.running import Running


def refresh(job: Running) -> dict[str, object] | None:
    """Compute them anew; readers see the old ones until all new ones are there."""
    with transaction() as connection:
        job.finish(connection, {"statistics": len(statistics.refresh(connection))})
    return None

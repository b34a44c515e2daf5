"""Sample traffic, so that an empty installation has something to look at."""

from services.db import transaction
from services.jobs import truth
from workers.running import Running


def generate(job: Running) -> dict[str, object]:
    """Send the sample through the same door as real traffic; a second run sends the same again, which counts once."""
    from services.sample import generate as generate_sample  # runs once, so its frames shall not weigh on the worker for ever

    done = generate_sample(job.report, job.stopping)
    with transaction() as connection:  # so that who returns is known before the next full hour
        truth.enqueue(connection, "sessions.statistics", {}, queue="default", dedupe_key="sample/statistics", created_by="system")
    return done

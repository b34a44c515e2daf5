"""Sample traffic, so that an empty installation has something to look at."""

from services.db import transaction
from services.jobs import truth
from workers.running import Running

SOON = ("sessions.statistics", "costs.find", "incidents.find", "rollups.verify")  # within the hour or the night they come by schedule


def generate(job: Running) -> dict[str, object]:
    """Send the sample through the same door as real traffic; a second run sends the same again, which counts once."""
    from services.sample import generate as generate_sample  # runs once, so its frames shall not weigh on the worker for ever

    done = generate_sample(job.report, job.stopping)
    if done["state"] != "arriving":
        with transaction() as connection:  # who comes to see the sample shall not wait for what is found in it
            for kind in SOON:
                truth.enqueue(connection, kind, {}, queue="default", dedupe_key=f"sample/{kind}", created_by="system")
    return done

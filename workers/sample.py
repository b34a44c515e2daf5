"""Sample traffic, so that an empty installation has something to look at."""

from workers.running import Running


def generate(job: Running) -> dict[str, object]:
    """Send the sample through the same door as real traffic; a second run sends the same again, which counts once."""
    from services.sample import generate as generate_sample  # runs once, so its frames shall not weigh on the worker for ever

    return generate_sample(job.report, job.stopping)

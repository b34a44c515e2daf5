"""Pricing jobs: price stored calls again, or take that back. A job that is lost is continued by the next attempt, day by day."""

from services.errors import BadInput
from services.pricing import reprice as repricings
from workers.running import Running


def reprice(job: Running) -> dict[str, object]:
    """Args: id of the re-pricing."""
    return repricings.apply(_id(job), job.report, job.stopping)


def reverse(job: Running) -> dict[str, object]:
    """Args: id of the re-pricing."""
    return repricings.reverse(_id(job), job.report, job.stopping)


def _id(job: Running) -> int:
    told = job.args.get("id")
    if not isinstance(told, int):
        raise BadInput(f"'id' must be the number of a re-pricing, not '{told}'.")
    return told

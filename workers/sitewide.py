"""Site-wide jobs: summaries of what changed, the slots of the factoids, and a look between them that never asks a model."""

from sqlalchemy import Connection

from services.ai import gateway
from services.db import transaction
from services.errors import BadInput
from services.sitewide import copy, editions, generation, summaries
from services.sitewide.generation import Asked
from services.sitewide.runs import Run
from workers.running import Running


def summarise(job: Running) -> dict[str, object]:
    """Args: limit (fields of a year), force. What changed since the last time, in batches."""
    if job.args.get("force") is True:
        with transaction() as connection:
            summaries.mark_all(connection, job.job.created_by)
    built = _summarised(job, _limit(job))
    return {"looked": built.looked, "changed": built.changed}


def factoids(job: Running) -> dict[str, object]:
    """Args: limit (factoids to word), force. One slot, over summaries that are brought up to date first."""
    _summarised(job, None)
    run = generation.generate(_asked(job), gateway.generate, force=job.args.get("force") is True, limit=_limit(job))
    _warm()
    return run.as_result()


def revalidate(job: Running) -> dict[str, object]:
    """Brings summaries up to date and lets an edition that still holds be fresh again; its copy is warm after it."""
    _summarised(job, None)
    run = generation.revalidate(_asked(job))
    _warm()
    return run.as_result()


def _summarised(job: Running, most: int | None) -> summaries.Built:
    return summaries.build(job.job.created_by, most=most, progress=job.report, stopping=job.stopping)


def _asked(job: Running) -> Asked:
    def finish(connection: Connection, run: Run) -> None:
        job.finish(connection, run.as_result(), None if run.edition_id is None else f"factoids/{run.edition_id}")

    return Asked(job.id, job.kind, job.job.created_by, finish)


def _warm() -> None:
    with transaction() as connection:
        edition = editions.latest(connection)
    if edition is not None:
        copy.write(edition)


def _limit(job: Running) -> int | None:
    told = job.args.get("limit")
    if told is not None and (not isinstance(told, int) or isinstance(told, bool) or told < 1):
        raise BadInput(f"'limit' must be a whole number from 1 on, not '{told}'.")
    return told

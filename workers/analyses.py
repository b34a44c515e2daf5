"""The job of every analysis: read the record, compute its facts, have them worded, keep the version."""

import random
from collections.abc import Iterable

from services import clock, records
from services.ai import gateway
from services.ai.outcomes import OUTCOMES, Outcome, Refused, Unanswered
from services.analyses import catalogue, results, vectors, wording
from services.analyses.case import Case, Facts
from services.analyses.catalogue import Analysis
from services.analyses.wording import Worded
from services.db import transaction
from services.errors import BadInput
from services.jobs import claim
from services.records import Community, Record
from services.settings import settings
from workers.running import Running

STEPS = 4
FIRST_WAIT_S = 60  # before the first retry; doubled with each
STOPPED: dict[str, object] = {"stopped": True}


def preload() -> None:
    """What calls to models need, before the worker forks."""
    gateway.preload()


def analyse(job: Running) -> dict[str, object]:
    """Args: record_id, variant; the kind of the job is that of the analysis.

    Where no model answers for now, the facts are kept in the template's words at once, and worded by a later attempt.
    """
    analysis, record_id, variant = _asked(job)
    job.report(0, STEPS, "Reading the record")
    with transaction() as connection:
        record = records.get(connection, analysis.noun, record_id)
    meaning = _meaning(analysis, record, job)
    if job.stopping():
        return STOPPED
    job.report(1, STEPS, "Computing the facts")
    facts = _facts(analysis, record, variant, meaning)
    if job.stopping():
        return STOPPED
    job.report(2, STEPS, "Finding the words")
    try:
        worded = wording.word(analysis, facts, gateway.generate, variant=variant, user=job.job.created_by, job_id=job.id)
    except Unanswered as error:
        _keep_for_now(job, analysis, record, variant, facts, wording.plainly(analysis, facts, error.outcome))
        raise _later(job, error.outcome, str(error), error.retry_after_s) from error
    except Refused as error:
        worded = wording.plainly(analysis, facts, error.outcome)
    if worded.source == "template" and OUTCOMES[worded.outcome].again and _attempts_left(job):
        _keep_for_now(job, analysis, record, variant, facts, worded)
        raise _later(job, worded.outcome, OUTCOMES[worded.outcome].words, None)
    job.report(3, STEPS, "Keeping the result")
    with transaction() as connection:
        version = results.keep(connection, analysis, record, variant, facts, worded, job.id)
        told: dict[str, object] = {"version": version, "source": worded.source, "outcome": worded.outcome, "findings": len(worded.findings)}
        job.finish(connection, told, result_ref=f"analyses/{version}")
    return told


def _asked(job: Running) -> tuple[Analysis, int, str]:
    record_id, variant = job.args.get("record_id"), job.args.get("variant", "")
    if not isinstance(record_id, int) or isinstance(record_id, bool):
        raise BadInput(f"'record_id' must be the number of a record, not '{record_id}'.")
    if not isinstance(variant, str):
        raise BadInput("'variant' must be a word.")
    return catalogue.get(job.kind, variant), record_id, variant


def _facts(analysis: Analysis, record: Record, variant: str, meaning: dict[int, list[float]]) -> Facts:
    """The peers are read while the facts are computed, so that very many of them never lie in memory together."""
    with transaction() as connection:
        peers: Iterable[Record] = records.peers(connection, record)
        return analysis.facts(Case(record, peers, clock.today(settings().zone), variant, meaning))


def _meaning(analysis: Analysis, record: Record, job: Running) -> dict[int, list[float]]:
    """Embeddings help where they can be had; without them the features speak alone."""
    if not analysis.meaning or not isinstance(record, Community) or not record.narrative:
        return {}
    with transaction() as connection:
        told = vectors.narratives(record, records.peers(connection, record))
    try:
        return vectors.of(told, lambda texts: gateway.embed(texts, module=analysis.module, operation=analysis.kind, job_id=job.id))
    except (Unanswered, Refused):
        return {}


def _keep_for_now(job: Running, analysis: Analysis, record: Record, variant: str, facts: Facts, worded: Worded) -> None:
    """Provided that this attempt still owns the job."""
    with transaction() as connection:
        claim.heartbeat(connection, job.job)
        results.keep(connection, analysis, record, variant, facts, worded, job.id)


def _attempts_left(job: Running) -> bool:
    with transaction() as connection:
        return claim.spent(connection, job.job) + 1 < job.job.max_attempts


def _later(job: Running, outcome: Outcome, words: str, asked_s: int | None) -> Unanswered:
    """Worth another attempt: from a minute on, with jitter, so that a crowd does not come back together; later where the provider asks."""
    with transaction() as connection:
        spent = claim.spent(connection, job.job)
    wait_s = FIRST_WAIT_S * 2**spent * (1 + random.random())  # noqa: S311 - no secret
    return Unanswered(outcome, words, max(int(wait_s), asked_s or 0))

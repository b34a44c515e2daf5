"""What somebody orders: an analysis of a record, unless a fresh one is there or one is under way; and what became of it."""

from dataclasses import dataclass

from sqlalchemy import Connection

from services import records
from services.accounts import audit
from services.analyses import results
from services.analyses.catalogue import ANALYSES, Analysis, get
from services.analyses.results import Result
from services.errors import BadInput, NotFound
from services.jobs import Job, control, listing, truth

TAG = "analysis"  # of every job of an analysis, and of no other


@dataclass(frozen=True, slots=True)
class Order:
    """The job of an order, and what it has made so far: a job that waits for a model keeps its facts before it has the words."""

    job: Job
    result: Result | None


def place(connection: Connection, kind: str, record_id: int, variant: str, actor: str, *, force: bool = False) -> Job | Result:
    """The job under way, or the result that is fresh; `force` makes it again nevertheless. Audited where it starts a job.

    Raises NotFound for a kind or record that there is not, BadInput for a variant or a record of another kind.
    """
    analysis = get(kind, variant)
    _refuse_others(connection, analysis, record_id)
    while True:
        standing = results.current(connection, kind, record_id, variant)
        if standing.state == "running" and standing.job is not None:
            return standing.job
        if standing.state == "fresh" and standing.result is not None and not force:
            return standing.result
        made = results.start(connection, kind, record_id, variant, actor)
        if made is not None:  # else somebody was quicker, and the next look shows theirs
            before, told = {"state": standing.state}, {"kind": kind, "variant": variant, "job": made}
            audit.record(connection, actor, "analysis.start", f"{analysis.noun} {record_id}", told, before=before, after=told)
            return truth.get(connection, made)


def cancel(actor: str, job_id: int) -> int:
    """Cancel the job of an analysis that waits, ask one that runs to stop; 0 where it has ended or is none. Audited."""
    return control.cancel(actor, ids=[job_id], tag=TAG)


def of_job(connection: Connection, job_id: int) -> Order:
    """What became of an order; raises NotFound."""
    job = listing.one(connection, job_id).job
    if job.kind not in ANALYSES:
        raise NotFound(f"Job {job_id} is no analysis.")
    return Order(job, results.of_job(connection, job_id))


def default_variant(kind: str) -> str:
    """What is meant where no variant is named; of a kind that there is not, nothing."""
    return ANALYSES[kind].variants[0] if kind in ANALYSES else ""


def _refuse_others(connection: Connection, analysis: Analysis, record_id: int) -> None:
    """A number that only records of another kind have is a mistake in the request; one that none have is a record that is not there."""
    try:
        records.content_hash(connection, analysis.noun, record_id)
    except NotFound:
        for noun in records.KINDS:
            if noun != analysis.noun and _has(connection, noun, record_id):
                raise BadInput(f"Record {record_id} is one of the {noun}; '{analysis.kind}' is of {analysis.noun}.") from None
        raise


def _has(connection: Connection, noun: str, record_id: int) -> bool:
    try:
        return bool(records.content_hash(connection, noun, record_id))
    except NotFound:
        return False

"""/api/jobs: start a job, see what became of it, cancel it, try it again. On the console's port only."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Request
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, ValidationError
from starlette.responses import Response

from console.api.access import caller, protected
from console.api.body import RawBody, decode
from console.api.errors import Json
from services.db import transaction
from services.errors import BadInput, Conflict
from services.jobs import control, kinds, listing

router = protected("jobs", session=True)
router.tags = ["jobs"]
MOST_TAGS = 20
PRINTABLE = r"^[^\x00-\x1f\x7f]{1,200}$"
FAILURE = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}}
ID = {
    "parameters": [
        {"name": "job_id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}},
    ]
}


def _written(value: object) -> object:
    """pydantic would take a number for an instant, too."""
    if value is not None and not isinstance(value, str):
        raise ValueError("must be a string such as 2026-01-31T12:00:00Z")
    return value


Word = Annotated[str, Field(pattern=PRINTABLE)]


class NewJob(BaseModel):
    """What to do. The same `dedupe_key` again, while the first job of that kind waits or runs, gives that job instead of another."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"kind": "rollups.verify", "tags": ["nightly"]}]})

    kind: str = Field(json_schema_extra={"enum": list(kinds.POSTABLE)})
    args: dict[str, Any] = Field(default_factory=dict, description=f"At most {kinds.MOST_ARGS_BYTES:,} bytes of JSON.")
    queue: str | None = Field(None, json_schema_extra={"enum": [*sorted(set(kinds.POSTABLE.values())), None]})
    priority: StrictInt = Field(100, ge=0, le=32_767, description="Lower goes first.")
    run_at: Annotated[AwareDatetime | None, BeforeValidator(_written)] = Field(None, description="Not before this instant.")
    dedupe_key: Word | None = None
    tags: list[Word] = Field(default_factory=list, max_length=MOST_TAGS)


class Failed(BaseModel):
    """What went wrong last."""

    type: str
    message: str | None


class AttemptView(BaseModel):
    """One try; `outcome` is null while it runs."""

    attempt: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    error: Failed | None


class JobView(BaseModel):
    """A job; what is secret in `args` is not shown. `state` is queued, retry, running, done, cancelled or dead."""

    id: int
    kind: str
    queue: str
    state: str
    priority: int
    tags: list[str]
    args: dict[str, Any]
    created_by: str
    created_at: datetime
    run_at: datetime
    claimed_at: datetime | None
    finished_at: datetime | None
    cancel_requested: bool
    progress: dict[str, Any] | None
    result: Any
    error: Failed | None
    max_attempts: int
    attempts: list[AttemptView]


Responses = dict[int | str, dict[str, Any]]
ONE: Responses = {200: {"model": JobView}, 404: {"description": "No such job"} | FAILURE}
CHANGED: Responses = ONE | {409: {"description": "It is not in a state that allows this"} | FAILURE}


@router.post(
    "/api/jobs",
    summary="Start a job",
    status_code=201,
    responses={201: {"model": JobView}, 200: {"model": JobView, "description": "It was there already, by its dedupe_key"}},
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": NewJob.model_json_schema()}}}},
)
def post_job(request: Request, raw: RawBody) -> Response:
    """On disk when this answers. Only kinds that may be started from outside."""
    asked = _asked(decode(request, raw))
    with transaction() as connection:
        posted = kinds.post(
            connection, asked.kind, asked.args, queue=asked.queue, priority=asked.priority, run_at=asked.run_at,
            dedupe_key=asked.dedupe_key, tags=asked.tags, created_by=caller(request).name,
        )  # fmt: skip
    return _answer(posted.id, 201 if posted.new else 200)


@router.get("/api/jobs/{job_id}", summary="What became of a job", responses=ONE, openapi_extra=ID)
def get_job(request: Request) -> Response:
    """With one entry an attempt."""
    return _answer(_id(request))


@router.post("/api/jobs/{job_id}/cancel", summary="Cancel a job", responses=CHANGED, openapi_extra=ID)
def cancel_job(request: Request) -> Response:
    """A waiting job is cancelled at once, a running one is asked to stop. Asking twice changes nothing."""
    job_id = _id(request)
    changed = control.cancel(caller(request).name, ids=[job_id])
    job = _job(job_id).job
    if not changed and job.state != "cancelled" and job.cancel_requested_at is None:
        raise Conflict(f"Job {job_id} is {job.state}: there is nothing to cancel.")
    return _answer(job_id)


@router.post("/api/jobs/{job_id}/retry", summary="Try a job again", responses=CHANGED, openapi_extra=ID)
def retry_job(request: Request) -> Response:
    """A dead or cancelled job gets another attempt, one that waits for its next attempt gets it now."""
    job_id = _id(request)
    changed = control.retry(caller(request).name, ids=[job_id])
    job = _job(job_id).job
    if not changed:
        held = job.state in ("dead", "cancelled")
        raise Conflict(f"Job {job_id} is {job.state}: " + ("another job lives under its dedupe key." if held else "it needs no retry."))
    return _answer(job_id)


def _asked(body: object) -> NewJob:
    """Raises BadInput naming the first field that cannot be used."""
    try:
        return NewJob.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(step)[:100] for step in first["loc"]) or "(body)"
        raise BadInput(f"{place}: {first['msg']}.") from None


def _id(request: Request) -> int:
    told = str(request.path_params["job_id"])
    if not (told.isascii() and told.isdigit() and len(told) < 20 and 0 < int(told) < 2**63):
        raise BadInput("A job's id is a whole number from 1 on.")
    return int(told)


def _job(job_id: int) -> listing.Whole:
    with transaction() as connection:
        return listing.one(connection, job_id)


def _answer(job_id: int, status: int = 200) -> Response:
    headers = {"cache-control": "no-store"} | ({"location": f"/api/jobs/{job_id}"} if status == 201 else {})
    return Json(_view(_job(job_id)).model_dump(mode="json"), status, headers)


def _view(whole: listing.Whole) -> JobView:
    job = whole.job
    return JobView(
        id=job.id, kind=job.kind, queue=job.queue, state=job.state, priority=job.priority, tags=job.tags, args=job.args,
        created_by=job.created_by, created_at=job.created_at, run_at=job.run_at, claimed_at=job.claimed_at, finished_at=job.finished_at,
        cancel_requested=job.cancel_requested_at is not None, progress=job.progress, result=job.result,
        error=_failed(job.error_class, job.error), max_attempts=job.max_attempts,
        attempts=[
            AttemptView(
                attempt=row.attempt, worker=row.worker, started_at=row.started_at, ended_at=row.ended_at, outcome=row.outcome,
                error=_failed(row.error_class, row.error),
            )
            for row in whole.attempts
        ],
    )  # fmt: skip


def _failed(kind: str | None, message: str | None) -> Failed | None:
    return None if kind is None and message is None else Failed(type=kind or "unknown", message=message)

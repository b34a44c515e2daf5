"""/api/analyses: start an analysis of a record, follow it, read what it found. On the console's port only."""

from datetime import datetime
from typing import Any, Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError
from starlette.datastructures import QueryParams
from starlette.responses import Response

from console.api.access import caller, protected
from console.api.body import RawBody, decode
from console.api.errors import Json
from services.ai.outcomes import Outcome
from services.analyses import advice, orders, overview
from services.analyses.catalogue import ANALYSES, NO_VARIANT
from services.analyses.overview import View
from services.analyses.results import Result, State
from services.analyses.wording import Source
from services.db import transaction
from services.errors import BadInput
from services.jobs import Job

router = protected("analyses", session=True)
router.tags = ["analyses"]
FAILURE = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}}
VARIANTS = sorted({variant for analysis in ANALYSES.values() for variant in analysis.variants if analysis.variants != NO_VARIANT})
BIGGEST = 2**63 - 1
KIND = {"name": "kind", "in": "path", "required": True, "schema": {"type": "string", "enum": list(ANALYSES)}}
NUMBER = {"in": "path", "required": True, "schema": {"type": "integer", "minimum": 1, "maximum": BIGGEST}}
VARIANT = {
    "name": "variant",
    "in": "query",
    "description": f"Of analyses that have variants; left out, it is {VARIANTS[0]}.",
    "schema": {"type": "string", "enum": VARIANTS},
}
PROGRESS: dict[str, Literal["queued", "running", "done", "failed", "cancelled"]] = {
    "queued": "queued", "retry": "queued", "running": "running", "done": "done", "dead": "failed", "cancelled": "cancelled",
}  # fmt: skip


class NewAnalysis(BaseModel):
    """Of which record. `force` makes it again though a fresh one is there."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"record_id": 17}]})

    record_id: StrictInt = Field(ge=1, le=BIGGEST)
    variant: str | None = Field(None, json_schema_extra={"enum": [*VARIANTS, None]})
    force: StrictBool = False


class NoticeView(BaseModel):
    """Why no model worded it, by name, and what to do about it."""

    outcome: Outcome
    message: str
    advice: str


class ResultView(BaseModel):
    """One version. `wording` is Markdown in the words of `source`: of the model, of the template, or of the template because a model
    said what `findings` name, which is no fact. Costs are US dollars in exact digits, null where unknown."""

    kind: str
    record_kind: str
    record_id: int
    variant: str
    facts: dict[str, Any]
    wording: str
    source: Source
    findings: list[dict[str, Any]]
    outcome: str
    notice: NoticeView | None
    model: str
    provider: str
    cost_usd: str | None
    made_at: datetime
    fresh_until: datetime


class ProgressView(BaseModel):
    """`done` steps of `total`, and which is done now."""

    done: int
    total: int
    note: str


class ErrorView(BaseModel):
    """What went wrong last."""

    type: str
    message: str
    advice: str | None


class StatusView(BaseModel):
    """An order. `state` is queued (also while it waits for another try), running, done, failed or cancelled. `result` may be there
    before it is done: facts in the template's words, while no model answers."""

    job_id: int
    status_url: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: ProgressView | None
    result: ResultView | None
    error: ErrorView | None


class StandingView(BaseModel):
    """How an analysis of a record stands. `stale_because` is record (it has changed), facts (others are computed by now) or age; `job_id`
    is of the job that runs or failed, and `result` the newest version, whatever the state."""

    state: State
    stale_because: overview.Why | None
    job_id: int | None
    status_url: str | None
    progress: ProgressView | None
    result: ResultView | None
    error: ErrorView | None


Responses = dict[int | str, dict[str, Any]]
GONE: Responses = {404: {"description": "No such analysis, record or job"} | FAILURE}


@router.post(
    "/api/analyses/{kind}",
    summary="Start an analysis",
    status_code=202,
    responses=GONE
    | {
        200: {"model": StatusView, "description": "A fresh one is there"},
        202: {"model": StatusView, "description": "It is under way; status_url tells what becomes of it"},
    },
    openapi_extra={
        "parameters": [KIND],
        "requestBody": {"required": True, "content": {"application/json": {"schema": NewAnalysis.model_json_schema()}}},
    },
)
def post_analysis(request: Request, raw: RawBody) -> Response:
    """The fresh result; or the job that makes one, on disk when this answers. One of each analysis runs at a time."""
    kind = str(request.path_params["kind"])
    asked = _asked(decode(request, raw))
    variant = orders.default_variant(kind) if asked.variant is None else asked.variant
    with transaction() as connection:
        placed = orders.place(connection, kind, asked.record_id, variant, caller(request).name, force=asked.force)
        if isinstance(placed, Result):
            return _answer(_fresh(placed))
        order = orders.of_job(connection, placed.id)
    told = _status(order.job, order.result)
    return _answer(told, 202, {"location": told.status_url})


@router.get(
    "/api/analyses/jobs/{job_id}",
    summary="What became of an analysis",
    responses=GONE | {200: {"model": StatusView}},
    openapi_extra={"parameters": [NUMBER | {"name": "job_id"}]},
)
def get_status(request: Request) -> Response:
    """Ask again until it is done, failed or cancelled."""
    job_id = _number(request, "job_id", "job")
    with transaction() as connection:
        found = orders.of_job(connection, job_id)
    return _answer(_status(found.job, found.result))


@router.get(
    "/api/analyses/{kind}/{record_id}",
    summary="An analysis of a record",
    responses=GONE | {200: {"model": StandingView}},
    openapi_extra={"parameters": [KIND, NUMBER | {"name": "record_id"}, VARIANT]},
)
def get_analysis(request: Request) -> Response:
    """How it stands, with the newest version. Starts nothing."""
    kind, record_id = str(request.path_params["kind"]), _number(request, "record_id", "record")
    variant = _variant(request.query_params, kind)
    with transaction() as connection:
        view = overview.one(connection, kind, record_id, variant)
    return _answer(_standing(view))


def _asked(body: object) -> NewAnalysis:
    """Raises BadInput naming the first field that cannot be used."""
    try:
        return NewAnalysis.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(step)[:100] for step in first["loc"]) or "(body)"
        raise BadInput(f"{place}: {first['msg']}.") from None


def _number(request: Request, name: str, noun: str) -> int:
    told = str(request.path_params[name])
    if not (told.isascii() and told.isdigit() and len(told) < 20 and 0 < int(told) <= BIGGEST):
        raise BadInput(f"A {noun}'s id is a whole number from 1 on.")
    return int(told)


def _variant(parameters: QueryParams, kind: str) -> str:
    """A misspelt parameter that is ignored would answer another question."""
    for name, _ in parameters.multi_items():
        if name != "variant" or len(parameters.getlist(name)) > 1:
            raise BadInput(f"There is no parameter '{name[:100]}', or it is there twice: there is variant, once.")
    return parameters.get("variant", orders.default_variant(kind))


def _fresh(result: Result) -> StatusView:
    return StatusView(
        job_id=result.job_id, status_url=_url(result.job_id), state="done", progress=None, result=_result(result), error=None
    )  # fmt: skip


def _status(job: Job, result: Result | None) -> StatusView:
    return StatusView(
        job_id=job.id, status_url=_url(job.id), state=PROGRESS[job.state], progress=_progress(job),
        result=None if result is None else _result(result), error=_error(job, result),
    )  # fmt: skip


def _standing(view: View) -> StandingView:
    job, result = view.standing.job, view.standing.result
    return StandingView(
        state=view.standing.state, stale_because=view.why, job_id=job and job.id, status_url=job and _url(job.id),
        progress=job and _progress(job), result=None if result is None else _result(result),
        error=job and _error(job, result if _made_by(result, job.id) else None),
    )  # fmt: skip


def _progress(job: Job) -> ProgressView | None:
    return ProgressView.model_validate(job.progress) if job.progress and job.state == "running" else None


def _error(job: Job, result: Result | None) -> ErrorView | None:
    """Of a job that ended well nothing is wrong, whatever its first tries met."""
    if job.error is None or job.state in ("done", "cancelled"):
        return None
    told = None if result is None else advice.notice(result)
    if told is not None:
        return ErrorView(type=told.outcome, message=told.words, advice=told.advice)
    return ErrorView(type=job.error_class or "unknown", message=job.error, advice=None)


def _result(result: Result) -> ResultView:
    told = advice.notice(result)
    return ResultView(
        kind=result.kind, record_kind=ANALYSES[result.kind].noun, record_id=result.record_id, variant=result.variant, facts=result.facts,
        wording=result.wording, source=result.source, findings=result.findings, outcome=result.outcome,
        notice=None if told is None else NoticeView(outcome=told.outcome, message=told.words, advice=told.advice),
        model=result.model, provider=result.provider, cost_usd=None if result.cost_usd is None else f"{result.cost_usd:f}",
        made_at=result.made_at, fresh_until=overview.fresh_until(result),
    )  # fmt: skip


def _made_by(result: Result | None, job_id: int) -> bool:
    return result is not None and result.job_id == job_id


def _url(job_id: int) -> str:
    return f"/api/analyses/jobs/{job_id}"


def _answer(told: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Json(told.model_dump(mode="json"), status, {"cache-control": "no-store"} | (headers or {}))

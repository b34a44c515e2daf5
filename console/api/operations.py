"""POST /api/operations: batches of operations and sessions, stored before they are acknowledged."""

from collections.abc import Mapping
from typing import Any, cast

from fastapi import Request
from pydantic import BaseModel, TypeAdapter
from starlette.exceptions import HTTPException
from starlette.responses import Response
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from console.api.access import CallingKey, protected
from console.api.body import RawBody, decode
from console.api.errors import Json
from services.db import transaction
from services.errors import BadInput
from services.telemetry import inbox
from services.telemetry.records import Noun, Operation, Session

router = protected("telemetry")
router.tags = ["telemetry"]
NOUNS: tuple[Noun, ...] = ("operations", "sessions")
MAX_RECORDS = 50_000


class Batch(TypedDict, total=False):
    """At least one of the two lists. A record is known by its id: sent again, it counts once."""

    operations: list[Operation]
    sessions: list[Session]


class Refused(BaseModel):
    """One record that was not taken: its list, its place there from 0, and why."""

    noun: Noun
    index: int
    field: str
    reason: str


class Receipt(BaseModel):
    """What became of a batch."""

    accepted: int
    rejected: int
    rejections: list[Refused]


def _request_schema() -> dict[str, Any]:
    schema = TypeAdapter(Batch).json_schema(ref_template="#/components/schemas/{model}")
    return {"additionalProperties": False, "minProperties": 1} | {name: part for name, part in schema.items() if name != "$defs"}


SCHEMAS = TypeAdapter(Batch).json_schema(ref_template="#/components/schemas/{model}").get("$defs", {})


@router.post(
    "/api/operations",
    summary="Send operations and sessions",
    responses={200: {"model": Receipt}, 422: {"model": Receipt, "description": "Nothing was taken"}},
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _request_schema()}}}},
)
def post_operations(request: Request, raw: RawBody, key: CallingKey) -> Response:
    """Good records are kept and bad ones listed with field and reason; all of it is on disk before the answer."""
    batch = _batch(decode(request, raw))
    accepted, refused = 0, []
    with transaction() as connection:
        for noun, records in batch.items():
            receipt = inbox.accept(
                connection, noun, records, source=key.source, environment=key.environment, door="/api/operations", first_position=0
            )
            accepted += receipt.accepted
            refused += [{"noun": noun, "index": r.position, "field": r.field, "reason": r.reason} for r in receipt.rejections]
    body = {"accepted": accepted, "rejected": len(refused), "rejections": refused}
    return Json(body, 422 if refused and not accepted else 200)


def _batch(body: object) -> Mapping[Noun, list[object]]:
    """The lists of a body that has the right shape around them; raises BadInput, and 413 for too many records."""
    if not isinstance(body, dict) or not body:
        raise BadInput('The body must be an object with "operations", "sessions" or both.')
    unknown = next((name for name in body if name not in NOUNS), None)
    if unknown is not None:
        raise BadInput(f'Unknown field "{unknown[:100]}": the body has "operations", "sessions" or both.')
    for noun, records in body.items():
        if not isinstance(records, list):
            raise BadInput(f'"{noun}" must be a list.')
    if sum(len(records) for records in body.values()) > MAX_RECORDS:
        raise HTTPException(413, f"More than {MAX_RECORDS} records in one request; send them in parts.")
    return cast("Mapping[Noun, list[object]]", body)

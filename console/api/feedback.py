"""POST /api/feedback: what people thought of a session or an operation, stored before it is acknowledged."""

from fastapi import Request
from pydantic import BaseModel, TypeAdapter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from console.api.access import CallingKey, protected
from console.api.body import RawBody, decode
from console.api.errors import Json
from services.db import transaction
from services.errors import BadInput
from services.telemetry import inbox
from services.telemetry.records import Feedback

router = protected("telemetry")
router.tags = ["telemetry"]
MAX_RECORDS = 10_000
DOOR = "/api/feedback"
ONE_OR_MANY = {
    "oneOf": [TypeAdapter(Feedback).json_schema(), {"type": "array", "minItems": 1, "items": TypeAdapter(Feedback).json_schema()}]
}


class Refused(BaseModel):
    """One piece that was not taken: its place in the list from 0, and why."""

    index: int
    field: str
    reason: str


class Taken(BaseModel):
    """What became of the feedback."""

    accepted: int
    rejected: int
    rejections: list[Refused]


@router.post(
    DOOR,
    summary="Send feedback",
    responses={200: {"model": Taken}, 422: {"model": Taken, "description": "Nothing was taken"}},
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": ONE_OR_MANY}}}},
)
def post_feedback(request: Request, raw: RawBody, key: CallingKey) -> Response:
    """One piece or a list of them: thumbs "up" or "down", a rating from 1 to 5 or both, and perhaps a comment.

    Each is about the session or the operation of an id that the same source told; one that is not known yet is kept, and finds it later.
    An id counts once, however often it is sent.
    """
    body = decode(request, raw)
    records = body if isinstance(body, list) else [body]
    if not records:
        raise BadInput("The list is empty: send at least one piece of feedback.")
    if len(records) > MAX_RECORDS:
        raise HTTPException(413, f"More than {MAX_RECORDS} pieces of feedback in one request; send them in parts.")
    with transaction() as connection:
        receipt = inbox.accept(
            connection, "feedback", records, source=key.source, environment=key.environment, door=DOOR, first_position=0
        )  # fmt: skip
    refused = [{"index": r.position, "field": r.field, "reason": r.reason} for r in receipt.rejections]
    told = {"accepted": receipt.accepted, "rejected": len(refused), "rejections": refused}
    return Json(told, 422 if refused and not receipt.accepted else 200)

"""POST /api/feedback: what somebody thought of a session or an operation, stored before it is acknowledged."""

from typing import Any

from fastapi import Request
from pydantic import BaseModel, TypeAdapter
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
DOOR = "/api/feedback"
SCHEMA: dict[str, Any] = TypeAdapter(Feedback).json_schema()


class Taken(BaseModel):
    """How many pieces were stored: one."""

    accepted: int


@router.post(
    DOOR,
    summary="Send feedback",
    responses={200: {"model": Taken}},
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": SCHEMA}}}},
)
def post_feedback(request: Request, raw: RawBody, key: CallingKey) -> Response:
    """Thumbs "up" or "down", a rating from 1 to 5 or both, and perhaps a comment, about one session or one operation.

    It is named by the id that the same source told it by; one that is not known yet is kept, and finds it later. An id of feedback counts
    once, however often it is sent.
    """
    body = decode(request, raw)
    with transaction() as connection:
        receipt = inbox.accept(connection, "feedback", [body], source=key.source, environment=key.environment, door=DOOR, first_position=0)
    for refused in receipt.rejections:  # kept with its reason by now, as any other refused telemetry
        raise BadInput(f"{refused.field}: {refused.reason}.")
    return Json({"accepted": receipt.accepted})

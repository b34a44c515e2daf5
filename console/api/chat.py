"""POST /api/chat/: one question, one answer, computed without AI. On the console's port only."""

from typing import Any, Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from console.api.access import Caller, caller, protected
from console.api.body import RawBody, decode
from console.api.errors import Json
from services.ask import chat
from services.ask.asker import Asker
from services.ask.normalise import LONGEST
from services.errors import BadInput

router = protected("ask", session=True)
router.tags = ["ask"]


class Question(BaseModel):
    """`conversation_id` as an earlier answer gave it, so that "and by region?" is understood; left out, a conversation begins."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"message": "How many barangays by region?"}]})

    message: str = Field(min_length=1, description=f"At most {LONGEST} characters.")
    conversation_id: str | None = Field(None, max_length=36)


class ColumnView(BaseModel):
    """`unit` as in the metrics catalogue, or people, php, days, percent, date, text."""

    label: str
    unit: str


class DataView(BaseModel):
    """The figures. `chart` is how they are best drawn, `link` the page that shows the same, below the console's root."""

    columns: list[ColumnView]
    rows: list[list[Any]]
    chart: Literal["bars", "lines"] | None
    link: str | None
    as_of: str | None


class AnswerView(BaseModel):
    """All text is plain: show it as text, not as markup. Each suggestion is a whole question."""

    answer: str
    source: Literal["faq", "template", "clarification", "fallback"]
    interpretation: str | None
    data: DataView | None
    suggestions: list[str]
    response_time_ms: float
    conversation_id: str


def post_chat(request: Request, raw: RawBody) -> Response:
    """From the FAQ, from the data, a question back, or a plain no with what could be asked instead. A word that means nothing stops it."""
    asked = _asked(decode(request, raw))
    reply = chat.ask(asked.message, _asker(caller(request)), asked.conversation_id)
    view = AnswerView(
        answer=reply.answer, source=reply.source, interpretation=reply.interpretation,
        data=None if reply.data is None else DataView.model_validate(reply.data), suggestions=list(reply.suggestions),
        response_time_ms=reply.response_time_ms, conversation_id=reply.conversation_id,
    )  # fmt: skip
    return Json(view.model_dump(mode="json"), headers={"cache-control": "no-store"})


# Without the slash, too: a redirect would lose the body of some clients.
for path in ("/api/chat/", "/api/chat"):
    router.add_api_route(
        path,
        post_chat,
        methods=["POST"],
        summary="Ask a question",
        include_in_schema=path.endswith("/"),
        responses={
            200: {"model": AnswerView},
            404: {
                "description": "No such conversation",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
            },
        },
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": Question.model_json_schema()}}}},
    )


def _asked(body: object) -> Question:
    try:
        return Question.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(step)[:100] for step in first["loc"]) or "(body)"
        raise BadInput(f"{place}: {first['msg']}.") from None


def _asker(found: Caller) -> Asker:
    """A key with the scope ask sees what a viewer sees; one with the scope admin, everything."""
    if found.account:
        return Asker.person(found.account)
    return Asker(found.name, "admin" if found.key and found.key.may("admin") else "viewer")

"""GET /api/metrics/export: an answer of the catalogue as a file, exactly as the Explore page shows it."""

from typing import Any

from fastapi import Request
from starlette.responses import Response

from console.api.access import caller, protected
from console.api.metrics import parameters, question
from services import metrics
from services.accounts import audit
from services.db import transaction
from services.explore import export

PATH = "/api/metrics/export"
router = protected("metrics", session=True)
router.tags = ["metrics"]
FORMAT: dict[str, Any] = {
    "name": "format",
    "in": "query",
    "required": True,
    "description": "The kind of file.",
    "schema": {"type": "string", "enum": list(export.FORMATS)},
}
FILES = {media.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}} for media in export.FORMATS.values()}


@router.get(
    PATH,
    summary="Take an answer out as a file",
    response_class=Response,
    responses={200: {"description": "The file", "content": FILES}},
    openapi_extra={"parameters": [FORMAT, *parameters()]},
)
def take_out(request: Request) -> Response:
    """The rows of GET /api/metrics/query with units in the headings; unknown is an empty cell. Who took what out is in the audit log."""
    asked = question(request.query_params, besides=("format",))
    form = request.query_params.get("format", "")
    answer = metrics.query(**asked)
    body = export.write(answer, form)
    with transaction() as connection:
        audit.record(
            connection, caller(request).name, "metrics.export", "+".join(asked["measures"]),
            {"format": form, "rows": len(answer.frame), "query": str(request.query_params)[:2_000]},
        )  # fmt: skip
    name = export.file_name("-".join(asked["measures"])[:80], asked["by"], asked["start"], asked["end"], form)
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(body, media_type=export.FORMATS[form], headers=headers)

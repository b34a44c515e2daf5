"""The FastAPI app of /api, /v1 and /metrics."""

from types import ModuleType
from typing import Any

from fastapi import FastAPI

from console.api import errors, feedback, health, operations, traces

ABOUT = (
    'Binnacle\'s JSON doors. Send Authorization: Bearer KEY. Failures read {"error": {"type", "message"}};'
    " 429 and 503 say in Retry-After how many seconds to wait. A request may be sent again: records count once by their id."
)
FAILURES = {
    400: "Unusable",
    401: "No valid key or session",
    403: "Not allowed",
    413: "Too large",
    415: "Not JSON",
    429: "Too much",
    503: "Unavailable",
}
FAILURE = {
    "type": "object",
    "description": "What went wrong.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}


class Api(FastAPI):
    """The app with its description completed: what FastAPI cannot see is added here."""

    def openapi(self) -> dict[str, Any]:
        """OpenAPI 3.1, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi())
        return self.openapi_schema


def build(*, sessions: bool) -> FastAPI:
    """The app. With `sessions`, on the console's port, a signed-in browser counts as a caller and there is something to read;
    without, on the telemetry port, there is only health and the way in, and none of what reading needs is loaded.
    """
    app = Api(title="Binnacle API", version="1", description=ABOUT, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.sessions = sessions
    errors.install(app)
    for noun in (health, operations, feedback, *(_reading() if sessions else ())):
        app.include_router(noun.router)
    app.router.routes.append(traces.route)
    return app


def _reading() -> tuple[ModuleType, ...]:
    from console.api import analyses, export, jobs, metrics, prometheus, records, reference

    return metrics, export, jobs, records, analyses, prometheus, reference


def _add_failures(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    for status, description in FAILURES.items():
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}
        if operation.get("security") and (status not in (413, 415) or "requestBody" in operation):
            responses.setdefault(str(status), {"description": description, "content": content})


def _completed(schema: dict[str, Any]) -> dict[str, Any]:
    schema["components"]["schemas"] |= operations.SCHEMAS | {"Failure": FAILURE}
    for methods in schema["paths"].values():
        for operation in methods.values():
            _add_failures(operation)
    return schema

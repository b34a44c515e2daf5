"""Every failure as `{"error": {"type", "message"}}`, with no more in it than its sender needs."""

import json

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.errors import BadInput, BinnacleError, Conflict, Forbidden, NotFound, TooMuch, Unauthenticated, Unavailable

STATUS: dict[type[BinnacleError], int] = {
    BadInput: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooMuch: 429,
    Unavailable: 503,
}
TYPES = {
    400: "bad_input",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_much",
    500: "internal",
    503: "unavailable",
}


class Json(Response):
    """JSON in ASCII: what a sender wrote comes back in error messages, lone surrogates included, and those have no UTF-8."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def answer(status: int, message: str, headers: dict[str, str] | None = None) -> Json:
    """One failure."""
    kind = TYPES.get(status, "bad_input" if status < 500 else "internal")
    return Json({"error": {"type": kind, "message": message}}, status, headers)


def install(app: FastAPI) -> None:
    """Word every failure of the app."""

    @app.exception_handler(BinnacleError)
    def _expected(_: Request, error: BinnacleError) -> Response:
        headers = {"www-authenticate": "Bearer"} if isinstance(error, Unauthenticated) else {}
        if error.retry_after_s is not None:
            headers["retry-after"] = str(error.retry_after_s)
        return answer(STATUS.get(type(error), 500), str(error), headers)

    @app.exception_handler(HTTPException)
    def _http(_: Request, error: HTTPException) -> Response:
        told = {404: "There is nothing at this path.", 405: "This path does not answer this method."}
        return answer(error.status_code, told.get(error.status_code, error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    def _unexpected(_: Request, __: Exception) -> Response:
        """Starlette raises the error again after this answer, so the server's log has it in full; the sender has nothing of it."""
        return answer(500, "Something went wrong here, not in the request.")

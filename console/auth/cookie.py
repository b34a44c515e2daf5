"""The cookie that carries a session token; JavaScript cannot read it and other sites cannot make a browser post with it."""

from starlette.requests import HTTPConnection
from starlette.responses import Response

from services.settings import settings

NAME = "binnacle_session"


def read(connection: HTTPConnection) -> str | None:
    """The presented token, not verified."""
    return connection.cookies.get(NAME)


def give(response: Response, token: str) -> None:
    """Hand a session to the browser, for as long as it is valid."""
    response.set_cookie(NAME, token, max_age=settings().session_days * 86_400, httponly=True, samesite="lax", secure=_https())


def take(response: Response) -> None:
    """Make the browser forget it."""
    response.delete_cookie(NAME, httponly=True, samesite="lax", secure=_https())


def _https() -> bool:
    return settings().console_url.startswith("https://")

"""Whose page made the browser ask."""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from services.settings import settings


def is_ours(connection: HTTPConnection) -> bool:
    """Whether the Origin header names this console. A browser sends it with every unsafe request, so its absence is a no."""
    origin = connection.headers.get("origin", "")
    return bool(origin) and _netloc(origin) in (connection.headers.get("host", ""), _netloc(settings().console_url))


def is_foreign(connection: HTTPConnection) -> bool:
    """Whether an Origin header names another site: for websockets, where programs send none."""
    return "origin" in connection.headers and not is_ours(connection)


def same_site_path(target: str | None) -> str:
    """`target` when it is a path on this console that a browser cannot read as another host, else "/"."""
    if not target or not target.startswith("/") or target.startswith(("//", "/sign-in", "/sign-out")):
        return "/"
    if "\\" in target or any(ord(character) < 0x21 or ord(character) == 0x7F for character in target):
        return "/"
    return target


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""

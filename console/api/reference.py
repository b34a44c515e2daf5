"""The API's own description: as OpenAPI, and as a page that needs no other site."""

from pathlib import Path

from fastapi import Request
from jinja2 import Environment, FileSystemLoader
from starlette.responses import HTMLResponse, Response

from console.api.access import protected
from console.api.errors import Json
from console.auth.headers import PLAIN

router = protected("admin", session=True)
router.tags = ["reference"]
_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)


@router.get("/api/openapi.json", summary="This description as OpenAPI")
def openapi(request: Request) -> Response:
    """OpenAPI 3.1."""
    return Json(request.app.openapi())


@router.get("/api/docs", summary="This description as a page", response_class=HTMLResponse)
def docs(request: Request) -> Response:
    """Plain HTML."""
    html = _TEMPLATES.get_template("reference.html").render(schema=request.app.openapi())
    return HTMLResponse(html, headers={"content-security-policy": PLAIN})

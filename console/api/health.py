"""GET /api/ai/health: open to everybody, from memory, without a token spent."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from console.api.errors import Json
from services import health

router = APIRouter(tags=["health"])
Word = Literal["up", "down"]


class Services(BaseModel):
    """The three parts."""

    gemini_api: Word
    cache: Word
    database: Word


class Health(BaseModel):
    """What a monitor needs."""

    status: Literal["healthy", "degraded", "down"]
    timestamp: str
    services: Services


async def read_health() -> Response:
    """200 while healthy or degraded, 503 when everything is down."""
    # Asynchronous, so that threads which wait for a hanging database cannot delay this answer.
    now = health.status() if health.settled() else await run_in_threadpool(health.status)
    body = {"status": now.status, "timestamp": now.timestamp.isoformat(), "services": dict(now.services)}
    return Json(body, 503 if now.status == "down" else 200, {"cache-control": "no-store"})


for path in ("/api/ai/health/", "/api/ai/health"):
    for method in ("GET", "HEAD"):
        router.add_api_route(
            path,
            read_health,
            methods=[method],
            summary="Whether the console and what it stands on are up",
            responses={200: {"model": Health}, 503: {"model": Health, "description": "Everything is down"}},
            include_in_schema=(path, method) == ("/api/ai/health/", "GET"),
        )

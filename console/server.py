"""The two ASGI apps: the browser's console, and the telemetry port without any sign-in.

Streamlit is imported only where the console is built: the telemetry port has no use for its 30 MB.
"""

import gc
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.types import ASGIApp

from console.api import app as api
from console.auth import sign_in
from console.auth.gate import Gate
from console.auth.headers import PLAIN, SecurityHeaders, for_pages
from services import health

SCRIPT = Path(__file__).parent / "app.py"
HEAVY = ("pandas", "plotly.graph_objects")


def build_ui(script: Path = SCRIPT) -> ASGIApp:
    """Streamlit behind the gate, with the API and the sign-in pages on the same port."""
    import streamlit as st

    return st.App(
        script,
        middleware=[
            Middleware(SecurityHeaders, policy=for_pages(Path(st.__file__).parent / "static" / "index.html")),
            Middleware(Gate, api=api.build(sessions=True), pages=sign_in.build()),
        ],
        lifespan=_ready,
    )


def build_api() -> ASGIApp:
    """Key-authenticated routes and health, nothing else."""
    return Starlette(
        routes=[Mount("/", api.build(sessions=False))],
        middleware=[Middleware(SecurityHeaders, policy=PLAIN)],
        lifespan=_watching,
    )


@asynccontextmanager
async def _ready(_app: object) -> AsyncIterator[None]:
    """What the first visitor would wait for is imported before, and frozen: the collector need not walk it at every run."""
    health.start()
    for name in HEAVY:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    yield


@asynccontextmanager
async def _watching(_app: object) -> AsyncIterator[None]:
    health.start()
    yield

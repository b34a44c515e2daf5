"""GET /api/factoids: always an answer, labelled."""

from collections.abc import Callable

import pytest

from services.ai import gateway
from services.db import transaction
from services.jobs import enqueue
from services.sitewide import generation, summaries
from services.sitewide.generation import Asked
from tests.console.conftest import Server
from tests.pages.test_factoids import ROWS
from tests.services.sitewide.files import bring, small

pytestmark = pytest.mark.usefixtures("database")


def test_it_always_answers(ui: Server, make_key: Callable[..., str]) -> None:
    with ui.client(key=make_key("metrics")) as client:
        told = client.get("/api/factoids")
        assert (told.status_code, told.headers["cache-control"]) == (200, "no-store")
        assert told.json()["source"] in ("primary", "stale", "static")
        assert len(told.json()["factoids"]) == 5
        assert client.get("/api/factoids?colour=red").status_code == 400
    with ui.client() as nobody:
        assert nobody.get("/api/factoids").status_code == 401
    with ui.client(key=make_key("telemetry")) as other:
        assert other.get("/api/factoids").status_code == 403


def test_factoids_come_with_their_facts_and_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    from console.api import factoids
    from services.sitewide.serving import Reader

    bring(small(*ROWS))
    summaries.build("ada")
    with transaction() as connection:
        job_id = enqueue(connection, "sitewide.factoids", queue="default")
    generation.generate(Asked(job_id or 0, "sitewide.factoids", "ada", lambda _connection, _run: None), gateway.generate)
    told = factoids._view(Reader().read()).model_dump(mode="json")
    assert (told["source"], told["reason"]) == ("primary", None)
    first = told["factoids"][0]
    assert first["by"] == "template"
    assert first["sources"][0]["field"] == first["field"]
    assert len(first["sources"][0]["sha256"]) == 64
    assert first["facts"]["year"] == first["year"]

"""GET /api/ai/health, as monitors read it."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.console.conftest import Server
from tests.system import wait_for


@pytest.mark.parametrize("server", ["ui", "telemetry_port"])
@pytest.mark.parametrize("path", ["/api/ai/health", "/api/ai/health/"])
def test_it_answers_everybody_exactly(request: pytest.FixtureRequest, database: None, server: str, path: str) -> None:
    found: Server = request.getfixturevalue(server)
    with found.client() as client:
        # It asks its parts every five seconds: what a test before told of Gemini may still be known.
        wait_for(lambda: client.get(path).json()["services"]["gemini_api"] == "down", "that nobody has called Gemini", 15)
        answer = client.get(path)
        assert client.head(path).status_code == 200
    body = answer.json()
    assert answer.status_code == 200
    assert list(body) == ["status", "timestamp", "services"]
    assert body["services"] == {"gemini_api": "down", "cache": "up", "database": "up"}
    assert body["status"] == "degraded"
    assert abs(datetime.now(UTC) - datetime.fromisoformat(body["timestamp"])) < timedelta(seconds=5)
    assert answer.headers["cache-control"] == "no-store"

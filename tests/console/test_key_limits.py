"""A key over its limit is told so in the words of each door."""

import httpx
import pytest
from sqlalchemy import text

from services.accounts import keys
from services.db import transaction
from tests.console.conftest import Server

pytestmark = pytest.mark.usefixtures("database")
BATCH = {"operations": [{"id": "1", "started_at": "2026-01-05T10:00:00Z"}]}


@pytest.fixture
def used_up(database: None) -> str:
    """A key that has one request left in this minute, and none in the next."""
    with transaction() as connection:
        made = keys.create(connection, "tutor", ["telemetry"], rate_per_minute=2)
        connection.execute(
            text(
                "insert into api_key_uses select id, date_trunc('minute', now()) + n * interval '1 minute', 2 - (n = 0)::int"
                " from api_keys, generate_series(0, 1) n"
            )
        )
    return made


def refused(answer: httpx.Response) -> bool:
    return answer.status_code == 429 and 1 <= int(answer.headers["retry-after"]) <= 60


@pytest.mark.parametrize("server", ["ui", "telemetry_port"])
@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/api/operations", BATCH, lambda told: told["error"]["type"] == "too_much" and told["error"]["message"]),
        ("/v1/traces", {"resourceSpans": []}, lambda told: told["code"] == 8 and told["message"]),
    ],
)
def test_it_is_told_to_wait_and_stays_refused(
    server: str, path: str, body: object, said: object, used_up: str, request: pytest.FixtureRequest
) -> None:
    port: Server = request.getfixturevalue(server)
    with port.client(key=used_up, origin=False) as client:
        answers = [client.post(path, json=body) for _ in range(4)]
    assert [answer.status_code for answer in answers[-3:]] == [429, 429, 429]
    assert all(refused(answer) for answer in answers[1:])
    assert "2 requests a minute" in said(answers[-1].json())  # type: ignore[operator]


def test_nothing_of_a_refused_request_is_stored(ui: Server, used_up: str) -> None:
    with ui.client(key=used_up, origin=False) as client:
        answers = [client.post("/api/operations", json=BATCH) for _ in range(3)]
    taken = sum(answer.status_code == 200 for answer in answers)
    with transaction() as connection:
        assert connection.execute(text("select coalesce(sum(row_count), 0) from telemetry_inbox")).scalar_one() == taken
    assert taken <= 1

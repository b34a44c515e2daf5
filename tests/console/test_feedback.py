"""POST /api/feedback: keys of the right scope, one or many, once, refused in words."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from services.db import transaction
from tests.console.conftest import Server
from tests.traffic import move_all

pytestmark = pytest.mark.usefixtures("database")
GOOD = {"id": "f1", "session_id": "s1", "thumbs": "down", "rating": 2, "comment": "<script>alert(1)</script> too long"}


def stored() -> list[tuple[str, int, str]]:
    move_all()
    with transaction() as connection:
        rows = connection.execute(text("select source, thumbs, comment from feedback order by told_at, comment"))
        return [(row.source, row.thumbs, row.comment) for row in rows]


@pytest.mark.parametrize("port", ["ui", "telemetry_port"])
def test_it_keeps_what_is_said_once(request: pytest.FixtureRequest, port: str, make_key: Callable[..., str]) -> None:
    server: Server = request.getfixturevalue(port)
    with server.client(key=make_key("telemetry")) as client:
        for _ in range(2):
            answer = client.post("/api/feedback", json=GOOD)
            assert (answer.status_code, answer.json()) == (200, {"accepted": 1})
    assert stored() == [("tutor", -1, GOOD["comment"])]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([GOOD], "(record)"),
        ("up", "(record)"),
        (GOOD | {"rating": 9}, "rating: "),
        (GOOD | {"operation_id": "o"}, "tell one of session_id and operation_id"),
        ({"id": "f", "session_id": "s"}, "neither thumbs nor a rating"),
    ],
)
def test_it_names_what_is_no_feedback(ui: Server, make_key: Callable[..., str], body: object, says: str) -> None:
    with ui.client(key=make_key("telemetry")) as client:
        answer = client.post("/api/feedback", json=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "bad_input")
    assert says in answer.json()["error"]["message"]
    assert stored() == []
    with transaction() as connection:
        assert connection.execute(text("select noun, door from telemetry_rejected")).all() == [("feedback", "/api/feedback")]


@pytest.mark.parametrize(("scope", "status"), [("metrics", 403), (None, 401)])
def test_it_takes_feedback_from_keys_that_may_send_telemetry_only(
    ui: Server, make_key: Callable[..., str], session: str, scope: str | None, status: int
) -> None:
    with ui.client(session, key=make_key(scope) if scope else None) as client:
        assert client.post("/api/feedback", json=GOOD).status_code == status

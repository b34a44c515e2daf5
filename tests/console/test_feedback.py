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
            assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "rejected": 0, "rejections": []})
    assert stored() == [("tutor", -1, GOOD["comment"])]


def test_it_takes_many_and_names_those_it_refuses(ui: Server, make_key: Callable[..., str]) -> None:
    with ui.client(key=make_key("telemetry")) as client:
        answer = client.post("/api/feedback", json=[GOOD, {"id": "f2", "session_id": "s", "rating": 9}])
        refused = client.post("/api/feedback", json={"id": "f3", "thumbs": "up"})
    told = answer.json()
    assert (answer.status_code, told["accepted"], told["rejected"]) == (200, 1, 1)
    assert (told["rejections"][0]["index"], told["rejections"][0]["field"]) == (1, "rating")
    assert (refused.status_code, refused.json()["rejections"][0]["field"]) == (422, "session_id")


@pytest.mark.parametrize(("body", "status"), [([], 400), ("up", 422), (None, 400), ([GOOD] * 10_001, 413)])
def test_it_refuses_what_is_no_feedback(ui: Server, make_key: Callable[..., str], body: object, status: int) -> None:
    with ui.client(key=make_key("telemetry")) as client:
        assert client.post("/api/feedback", json=body).status_code == status
    assert stored() == []


@pytest.mark.parametrize(("scope", "status"), [("metrics", 403), (None, 401)])
def test_it_takes_feedback_from_keys_that_may_send_telemetry_only(
    ui: Server, make_key: Callable[..., str], session: str, scope: str | None, status: int
) -> None:
    with ui.client(session, key=make_key(scope) if scope else None) as client:
        assert client.post("/api/feedback", json=GOOD).status_code == status

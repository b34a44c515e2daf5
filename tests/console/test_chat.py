"""POST /api/chat/: questions over HTTP by keys and by people, and who may ask what."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.console.conftest import Server
from tests.services.ask import world

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def client(ui: Server, make_key: Callable[..., str]) -> Iterator[httpx.Client]:
    """With a key that may ask, and something to ask about."""
    world.fill()
    with ui.client(key=make_key("ask")) as made:
        yield made


def test_it_answers_with_everything_that_it_promises(client: httpx.Client) -> None:
    told = client.post("/api/chat/", json={"message": "How many barangays by region?"})
    assert told.status_code == 200
    body = told.json()
    assert set(body) == {"answer", "source", "interpretation", "data", "suggestions", "response_time_ms", "conversation_id"}
    assert (body["source"], body["data"]["rows"][0]) == ("template", ["Region I (Ilocos Region)", 48])
    assert body["data"]["columns"] == [{"label": "region", "unit": "text"}, {"label": "communities", "unit": "count"}]
    assert 0 < body["response_time_ms"] < 10_000
    then = client.post("/api/chat", json={"message": "and by province?", "conversation_id": body["conversation_id"]}).json()
    assert then["interpretation"] == "number of communities · by province · level barangays"
    sources = {client.post("/api/chat/", json={"message": message}).json()["source"] for message in ("help", "Burgos", "what is love")}
    assert sources == {"faq", "clarification", "fallback"}


def test_it_refuses_who_may_not_and_what_cannot_be_asked(
    ui: Server, client: httpx.Client, make_key: Callable[..., str], session: str
) -> None:
    asked = {"message": "how many staff by unit"}
    with ExitStack() as stack:
        person, elsewhere, reader, nobody, admin = (
            stack.enter_context(one)
            for one in (
                ui.client(session=session), ui.client(session=session, origin=False), ui.client(key=make_key("metrics")), ui.client(),
                ui.client(key=make_key("admin")),
            )
        )  # fmt: skip
        assert [one.post("/api/chat/", json=asked).json()["source"] for one in (client, person, admin)] == [
            "fallback",
            "template",
            "template",
        ]
        assert [one.post("/api/chat/", json=asked).status_code for one in (elsewhere, reader, nobody)] == [403, 403, 401]
        mine = client.post("/api/chat/", json={"message": "help"}).json()["conversation_id"]
        assert person.post("/api/chat/", json={"message": "help", "conversation_id": mine}).status_code == 404
    told = {"message": "help"}
    bodies: tuple[object, ...] = (
        {},
        {"message": ""},
        {"message": "x" * 501},
        told | {"more": 1},
        {"message": 7},
        told | {"conversation_id": "no"},
        [],
    )
    for body in bodies:
        refused = client.post("/api/chat/", json=body)
        assert (refused.status_code, refused.json()["error"]["type"]) == (400, "bad_input"), body


def test_it_is_limited_by_the_minute(client: httpx.Client) -> None:
    told = [client.post("/api/chat/", json={"message": "help"}) for _ in range(61)]
    assert [one.status_code for one in told[:60]] == [200] * 60
    assert told[60].status_code == 429
    assert 0 < int(told[60].headers["retry-after"]) <= 60


def test_the_telemetry_port_answers_no_questions(telemetry_port: Server, make_key: Callable[..., str]) -> None:
    with telemetry_port.client(key=make_key("ask")) as client:
        assert client.post("/api/chat/", json={"message": "help"}).status_code == 404

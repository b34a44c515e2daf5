"""Who may call the API: every protected route, on both ports."""

from collections.abc import Callable

import pytest

from console.api import app
from services.accounts import keys
from services.db import transaction
from tests.console.conftest import Server

pytestmark = pytest.mark.usefixtures("database")
OPEN = {"/api/ai/health", "/api/ai/health/"}


def protected_routes() -> list[tuple[str, str]]:
    """(method, path) of everything the app answers besides health."""
    found = []
    for path, methods in app.build(sessions=True).openapi()["paths"].items():
        found += [(method.upper(), path) for method in methods if path not in OPEN]
    return sorted(found)


@pytest.fixture(params=["ui", "telemetry_port"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the two processes, as far as it has the route in question."""
    found: Server = request.getfixturevalue(request.param)
    return found


EVERYWHERE = [("ui", method, path) for method, path in protected_routes()] + [("telemetry_port", "POST", "/api/operations")]


def test_it_knows_its_routes() -> None:
    """A new route has to be added here, and so passes through the refusals below."""
    assert protected_routes() == [
        ("GET", "/api/analyses/jobs/{job_id}"),
        ("GET", "/api/analyses/{kind}/{record_id}"),
        ("GET", "/api/docs"),
        ("GET", "/api/factoids"),
        ("GET", "/api/jobs/{job_id}"),
        ("GET", "/api/metrics/export"),
        ("GET", "/api/metrics/query"),
        ("GET", "/api/openapi.json"),
        ("GET", "/api/records/communities"),
        ("GET", "/api/records/communities/{record_id}"),
        ("GET", "/api/records/projects"),
        ("GET", "/api/records/projects/{record_id}"),
        ("GET", "/metrics"),
        ("POST", "/api/analyses/{kind}"),
        ("POST", "/api/chat/"),
        ("POST", "/api/feedback"),
        ("POST", "/api/jobs"),
        ("POST", "/api/jobs/{job_id}/cancel"),
        ("POST", "/api/jobs/{job_id}/retry"),
        ("POST", "/api/operations"),
    ]


@pytest.mark.parametrize(("server", "method", "path"), EVERYWHERE, indirect=["server"])
def test_it_refuses_everybody_without_a_good_key(server: Server, make_key: Callable[..., str], method: str, path: str) -> None:
    good = make_key("admin")
    with transaction() as connection:
        revoked = keys.create(connection, "old", ["admin"])
        keys.revoke(connection, "old")
    wrong = [
        "",
        "Bearer",
        "Bearer x",
        f"Basic {good}",
        good,
        f"Bearer {good}x",
        f"Bearer {good[:-1]}",
        f"Bearer {revoked}",
        "Bearer \xff",
    ]
    with server.client("junk") as client:
        for value in wrong:
            answer = client.request(method, path, headers={b"authorization": value.encode("latin-1")} if value else {})
            assert (answer.status_code, answer.json()["error"]["type"]) == (401, "unauthenticated"), value
            assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("server", "method", "path"), EVERYWHERE, indirect=["server"])
def test_it_refuses_keys_without_the_scope(server: Server, make_key: Callable[..., str], method: str, path: str) -> None:
    scopes = dict.fromkeys(("/api/operations", "/api/feedback"), "telemetry")
    scopes |= dict.fromkeys(("/api/metrics/query", "/api/metrics/export", "/api/factoids", "/metrics"), "metrics")
    scopes |= {"/api/chat/": "ask"}
    nouns = [noun for noun in ("analyses", "jobs", "records") if path.startswith(f"/api/{noun}")]
    needed = nouns[0] if nouns else scopes.get(path, "admin")
    others = [scope for scope in ("telemetry", "metrics", "jobs", "records", "analyses", "ask") if scope != needed]
    with server.client(key=make_key(*others)) as client:
        answer = client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "forbidden")
    with server.client(key=make_key("admin")) as client:
        assert client.request(method, path).status_code not in (401, 403)


def test_it_never_falls_back_from_a_bad_key_to_the_browsers_session(ui: Server, session: str) -> None:
    with ui.client(session) as client:
        assert client.get("/api/openapi.json").status_code == 200
        assert client.get("/api/openapi.json", headers={"authorization": "Bearer x"}).status_code == 401


def test_it_takes_no_telemetry_from_a_browsers_session(ui: Server, session: str) -> None:
    with ui.client(session) as client:
        assert client.post("/api/operations", json={"operations": []}).status_code == 401


def test_it_offers_nothing_to_read_on_the_telemetry_port(telemetry_port: Server, make_key: Callable[..., str]) -> None:
    with telemetry_port.client(key=make_key("admin")) as client:
        for path in ("/api/docs", "/api/openapi.json", "/api/metrics/query?measures=cost&start=2026-01-01&end=2026-01-02"):
            assert client.get(path).status_code == 404


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/operations"), ("POST", "/api/ai/health/")])
def test_it_answers_a_wrong_method_in_json(server: Server, method: str, path: str) -> None:
    with server.client() as client:
        answer = client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["type"]) == (405, "method_not_allowed")


def test_it_shows_its_description_as_a_page_without_any_other_site(ui: Server, session: str) -> None:
    with ui.client(session) as client:
        page = client.get("/api/docs")
        schema = client.get("/api/openapi.json").json()
    assert page.headers["content-type"].startswith("text/html")
    for path in schema["paths"]:
        assert path in page.text
    for name in schema["components"]["schemas"]:
        assert f'id="{name}"' in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "<script" not in page.text

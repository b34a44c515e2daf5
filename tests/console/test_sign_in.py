"""The sign-in pages over HTTP."""

import pytest
from sqlalchemy import text

from services.accounts import accounts, links, sign_ins
from services.db import transaction
from tests.console.conftest import PASSWORD, Server

pytestmark = pytest.mark.usefixtures("database")
NEW = "another long password"


def who(token: str | None) -> accounts.Account | None:
    with transaction() as connection:
        return sign_ins.who(connection, token or "")


def test_it_signs_in_with_a_cookie_that_scripts_cannot_read(ui: Server, session: str) -> None:
    with ui.client() as client:
        answer = client.post("/sign-in", data={"name": "Jane", "password": PASSWORD, "next": "/cost?range=7d"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/cost?range=7d")
        given = answer.headers["set-cookie"].lower()
        assert "httponly" in given
        assert "samesite=lax" in given
        assert "max-age=1209600" in given
        assert "secure" not in given
        assert client.get("/cost").status_code == 200
        assert client.get("/sign-in?next=/cost").headers["location"] == "/cost"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/sign-in?next=/sign-in",
        "/sign-out",
        "",
    ],
)
def test_it_redirects_nowhere_but_here(ui: Server, session: str, target: str) -> None:
    with ui.client() as client:
        assert client.post("/sign-in", data={"name": "jane", "password": PASSWORD, "next": target}).headers["location"] == "/"
        assert client.get("/sign-in", params={"next": target}).headers["location"] == "/"


def test_it_says_the_same_whatever_was_wrong_and_escapes_what_was_typed(ui: Server, session: str) -> None:
    with ui.client() as client:
        unknown = client.post("/sign-in", data={"name": "<script>x</script>", "password": "p"})
        wrong = client.post("/sign-in", data={"name": "jane", "password": "p"})
        missing = client.post("/sign-in", data={"next": "/"})
    for answer in (unknown, wrong, missing):
        assert answer.status_code == 401
        assert sign_ins.REFUSED in answer.text
        assert "set-cookie" not in answer.headers
    assert "<script>" not in unknown.text
    assert "&lt;script&gt;" in unknown.text


def test_it_slows_guessing_down(ui: Server, session: str) -> None:
    with ui.client() as client:
        codes = [client.post("/sign-in", data={"name": "jane", "password": f"{n}"}).status_code for n in range(6)]
        answer = client.post("/sign-in", data={"name": "jane", "password": PASSWORD}, headers={"x-forwarded-for": "192.0.2.7"})
    assert codes == [401] * 5 + [429]
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 60
    assert "Too many failed attempts" in answer.text


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://[", "https://127.0.0.1"])
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/account"])
def test_it_refuses_forms_of_other_sites(ui: Server, session: str, path: str, origin: str | None) -> None:
    with ui.client(session, origin=False) as client:
        answer = client.post(path, data={"name": "jane", "password": PASSWORD}, headers={"origin": origin} if origin else {})
    assert answer.status_code == 403
    assert "another site" in answer.text
    assert "set-cookie" not in answer.headers
    assert who(session) is not None


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"x" * 20_000, "application/x-www-form-urlencoded"),
        (b"name=a&name=b", "application/x-www-form-urlencoded"),
        (b"name=%ff", "application/x-www-form-urlencoded"),
        (b"name=\xff", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % n for n in range(50)), "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"", "multipart/form-data; boundary=x"),
    ],
)
def test_it_refuses_forms_it_cannot_read(ui: Server, session: str, body: bytes, content_type: str) -> None:
    with ui.client(session) as client:
        for path in ("/sign-in", "/account"):
            answer = client.post(path, content=body, headers={"content-type": content_type})
            assert (answer.status_code, "form" in answer.text) == (400, True), path


def test_it_opens_the_console_once_by_a_link(ui: Server) -> None:
    with transaction() as connection:
        token = links.mint(connection)
    with ui.client() as first, ui.client() as second:
        assert first.head("/sign-in/link", params={"token": token}).status_code == 200  # a preview does not use it up
        opened = first.get("/sign-in/link", params={"token": token})
        assert (opened.status_code, opened.headers["location"], opened.headers["cache-control"]) == (303, "/", "no-store")
        assert first.get("/").status_code == 200
        again = second.get("/sign-in/link", params={"token": token})
        assert again.status_code == 401
        assert "used already" in again.text
        assert "set-cookie" not in again.headers
        assert first.get("/sign-in/link", params={"token": token}).headers["location"] == "/"
        assert second.get("/sign-in/link").status_code == 401


def test_it_signs_out_in_the_database_too(ui: Server, session: str) -> None:
    with ui.client(session) as client:
        assert client.get("/sign-out").headers["location"] == "/account"
        assert who(session) is not None
        answer = client.post("/sign-out")
    assert answer.headers["location"] == "/sign-in"
    assert 'binnacle_session=""' in answer.headers["set-cookie"]
    assert who(session) is None


def test_it_sets_a_first_password_and_name_after_a_link(ui: Server) -> None:
    with transaction() as connection:
        token = links.use(connection, links.mint(connection))
    with ui.client(token) as client:
        assert "Set a password" in client.get("/account").text
        answer = client.post("/account", data={"name": "Boss", "new_password": NEW, "new_password_again": NEW})
        assert answer.headers["location"] == "/account?saved"
        assert "Saved." in client.get("/account?saved").text
    assert who(sign_ins.sign_in("boss", NEW, "192.0.2.1")) == who(token)


def test_a_freed_name_is_refused_with_all_that_it_opened(ui: Server) -> None:
    with transaction() as connection:
        admin = links.use(connection, links.mint(connection))
        bob = sign_ins.begin(connection, accounts.create(connection, "bob", "viewer"))
    with ui.client(admin) as first, ui.client(bob) as second:
        asked = first.post("/api/chat/", json={"message": "accounts by role"}).json()
        assert first.post("/account", data={"name": "jane"}).status_code == 303
        for name, status, told in (("admin", 409, "choose another"), ("system", 400, "choose another")):
            answer = second.post("/account", data={"name": name})
            assert (answer.status_code, told in answer.text) == (status, True)
        again = {"message": "help", "conversation_id": asked["conversation_id"]}
        assert second.post("/api/chat/", json=again).status_code == 404
        assert first.post("/api/chat/", json=again).status_code == 200, "it goes on under another name"
        assert first.post("/account", data={"name": "admin"}).status_code == 303, "one's own name may be had back"
    with transaction() as connection:
        link = sign_ins.who(connection, links.use(connection, links.mint(connection)))
    assert link == who(admin)


def test_it_changes_a_password_only_for_who_knows_the_old_one(ui: Server, session: str) -> None:
    with transaction() as connection:
        other = sign_ins.begin(connection, accounts.by_name(connection, "jane"))
    fields = {"name": "jane", "new_password": NEW, "new_password_again": NEW}
    with ui.client(session) as client:
        assert client.post("/account", data=fields).status_code == 401
        assert client.post("/account", data=fields | {"current_password": "wrong"}).status_code == 401
        assert who(other) is not None
        assert client.post("/account", data=fields | {"current_password": PASSWORD}).status_code == 303
        assert client.get("/account").status_code == 200
    assert who(other) is None
    with transaction() as connection:
        assert connection.execute(text("select count(*) from sign_ins")).scalar_one() == 1
        assert connection.execute(text("select actor, action from audit order by id")).all() == [("jane", "account.password")]


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"new_password": NEW, "new_password_again": NEW + "x"}, 400, "differ"),
        ({"new_password": "short", "new_password_again": "short"}, 400, "12 to 1024"),
        ({"name": "not a name"}, 400, "A name has"),
        ({"name": "joe"}, 409, "already an account"),
    ],
)
def test_it_changes_nothing_when_a_part_cannot_be_used(ui: Server, session: str, fields: dict[str, str], status: int, told: str) -> None:
    with transaction() as connection:
        accounts.create(connection, "joe", "viewer")
    with ui.client(session) as client:
        answer = client.post("/account", data={"name": "jane", "current_password": PASSWORD} | fields)
    assert answer.status_code == status
    assert told in answer.text
    with transaction() as connection:
        assert accounts.password_matches(connection, "jane", PASSWORD) is not None


def test_it_keeps_these_pages_out_of_caches(ui: Server, session: str) -> None:
    with ui.client() as stranger, ui.client(session) as client:
        for answer in (stranger.get("/sign-in"), stranger.get("/"), client.get("/account"), client.get("/sign-in")):
            assert answer.headers["cache-control"] == "no-store"

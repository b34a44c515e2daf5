"""POST /api/operations: what is kept, what is refused and how it is said."""

import gzip
import json
import random
from collections.abc import Callable, Iterator
from http.client import HTTPConnection

import httpx
import pytest
from sqlalchemy import text

from services.db import transaction
from services.telemetry.move import move_once
from tests.console.conftest import Server

pytestmark = pytest.mark.usefixtures("database")
GOOD = {"id": "1", "started_at": "2026-01-05T10:00:00Z", "module": "chat", "model": "m", "input_tokens": 10, "output_tokens": 2}


@pytest.fixture
def client(ui: Server, make_key: Callable[..., str]) -> Iterator[httpx.Client]:
    """A sender with a key."""
    with ui.client(key=make_key("telemetry"), origin=False) as made:
        yield made


def post(client: httpx.Client, body: bytes | Iterator[bytes], **headers: str) -> httpx.Response:
    return client.post("/api/operations", content=body, headers={"content-type": "application/json"} | headers)


def scalar(statement: str) -> object:
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


def test_it_has_stored_a_batch_when_it_answers(client: httpx.Client) -> None:
    session = {"id": "s", "started_at": "2026-01-05T10:00:00Z", "rating": 5, "topics": ["physics"]}
    answer = client.post("/api/operations", json={"operations": [GOOD, GOOD | {"id": "2"}], "sessions": [session]})
    assert (answer.status_code, answer.json()) == (200, {"accepted": 3, "rejected": 0, "rejections": []})
    assert scalar("select sum(row_count) from telemetry_inbox where source = 'tutor' and door = '/api/operations'") == 3


def test_it_counts_a_batch_once_however_often_it_is_posted(client: httpx.Client) -> None:
    batch = {"operations": [GOOD | {"id": str(n)} for n in range(50)]}
    for _ in range(3):
        assert client.post("/api/operations", json=batch).json()["accepted"] == 50
        move_once()
    assert scalar("select count(*) from operations") == 50
    assert scalar("select sum(n) from rollup_day") == 50
    assert scalar("select environment from series") == "staging"


def test_it_keeps_good_records_and_names_what_is_wrong_with_the_others(client: httpx.Client) -> None:
    bad: list[tuple[object, str]] = [
        ({"started_at": GOOD["started_at"]}, "id"),
        ({"id": "2"}, "started_at"),
        (GOOD | {"input_tokens": -1}, "input_tokens"),
        (GOOD | {"input_tokens": "10"}, "input_tokens"),
        (GOOD | {"cache_read_tokens": 11}, "cache_read_tokens"),
        (GOOD | {"started_at": "2999-01-01T00:00:00Z"}, "started_at"),
        (GOOD | {"started_at": "1999-01-01T00:00:00Z"}, "started_at"),
        (GOOD | {"started_at": "2026-01-05T10:00:00"}, "started_at"),
        (GOOD | {"colour": "blue"}, "colour"),
        (GOOD | {"a\x00b": 1}, "a\\x00b"),
        (GOOD | {"\ud800": 1}, "(record)"),
        (GOOD | {"model": "\x00"}, "model"),
        (GOOD | {"model": "\ud800"}, "model"),
        (7, "(record)"),
        (None, "(record)"),
        ([], "(record)"),
    ]
    answer = post(client, json.dumps({"operations": [GOOD, *(record for record, _ in bad)], "sessions": [{"id": "s"}]}).encode())
    told = answer.json()
    assert (answer.status_code, told["accepted"], told["rejected"]) == (200, 1, len(bad) + 1)
    assert [(r["noun"], r["index"], r["field"]) for r in told["rejections"]] == [
        *(("operations", index, field) for index, (_, field) in enumerate(bad, 1)),
        ("sessions", 0, "started_at"),
    ]
    assert all(r["reason"] for r in told["rejections"])
    assert scalar("select count(*) from telemetry_rejected") == len(bad) + 1


def test_it_answers_422_when_nothing_could_be_taken(client: httpx.Client) -> None:
    answer = client.post("/api/operations", json={"operations": [{}]})
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected"]) == (422, 0, 1)


@pytest.mark.parametrize("body", [{"operations": []}, {"operations": [], "sessions": []}])
def test_it_takes_an_empty_batch(client: httpx.Client, body: object) -> None:
    assert client.post("/api/operations", json=body).json() == {"accepted": 0, "rejected": 0, "rejections": []}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "line 1, column 1"),
        (b'{"operations": [\n  {"id": }\n]}', "line 2, column 10"),
        (b'{"operations": [', "line 1, column 17"),
        (b'{"operations": [NaN]}', "NaN is not JSON"),
        (b'{"operations": [-Infinity]}', "-Infinity is not JSON"),
        (b'{"operations": [1e999]}', "1e999 is too large"),
        (b'{"operations": [' + b"1" * 5000 + b"]}", "too many digits"),
        (b'\xff\xfe{"', "not UTF-8: byte 0"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"operations": [{"id": "1", "id": "2"}]}', "'id' twice"),
        (b"[]", "must be an object"),
        (b"{}", "must be an object"),
        (b"null", "must be an object"),
        (b'{"operation": []}', 'Unknown field "operation"'),
        (b'{"\\ud800": []}', "Unknown field"),
        (b'{"operations": {}}', '"operations" must be a list'),
        (b'{"sessions": null}', '"sessions" must be a list'),
        (random.Random(7).randbytes(10 * 1024 * 1024), "not UTF-8"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_it_says_where_a_body_is_broken(client: httpx.Client, body: bytes, told: str) -> None:
    answer = post(client, body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "bad_input")
    assert told in answer.json()["error"]["message"]
    assert len(answer.content) < 500
    assert scalar("select count(*) from telemetry_inbox") == 0


def test_it_bounds_bodies_however_they_come(client: httpx.Client) -> None:
    limit = 10 * 1024 * 1024
    bodies: list[tuple[bytes | Iterator[bytes], str]] = [
        (b" " * (limit + 1), "identity"),
        ((b" " * 65_536 for _ in range(200)), "identity"),
        (gzip.compress(b" " * 300_000_000, 9), "gzip"),
        (gzip.compress(b" " * limit, mtime=0) + gzip.compress(b" "), "gzip"),
        (b'{"operations":[' + b"0," * 50_000 + b"0]}", "identity"),
    ]
    for body, encoding in bodies:
        answer = post(client, body, **{"content-encoding": encoding})
        assert (answer.status_code, answer.json()["error"]["type"]) == (413, "too_large")


def test_it_refuses_by_the_declared_length_before_anything_arrives(ui: Server, make_key: Callable[..., str]) -> None:
    for length, statuses in ((str(11 * 1024 * 1024), {413}), ("9" * 18, {413}), ("9" * 30, {400, 413})):
        connection = HTTPConnection("127.0.0.1", ui.port, timeout=10)
        connection.putrequest("POST", "/api/operations")
        for name, value in (("authorization", f"Bearer {make_key('telemetry')}"), ("content-length", length)):
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status in statuses
        connection.close()
        with transaction() as database:
            database.execute(text("delete from api_keys"))


def test_it_reads_gzip_in_one_or_more_members(client: httpx.Client) -> None:
    body = json.dumps({"operations": [GOOD]}).encode()
    for packed in (gzip.compress(body, mtime=0), gzip.compress(body[:9]) + gzip.compress(body[9:])):
        assert post(client, packed, **{"content-encoding": "gzip"}).json()["accepted"] == 1


@pytest.mark.parametrize(
    ("body", "headers", "status", "told"),
    [
        (gzip.compress(b'{"operations": []}', mtime=0)[:-4], {"content-encoding": "gzip"}, 400, "cut short"),
        (b"plain", {"content-encoding": "gzip"}, 400, "not gzip"),
        (b"{}", {"content-encoding": "br"}, 415, "gzip"),
        (b"{}", {"content-type": "text/plain"}, 415, "application/json"),
    ],
)
def test_it_refuses_encodings_it_cannot_read(client: httpx.Client, body: bytes, headers: dict[str, str], status: int, told: str) -> None:
    answer = post(client, body, **headers)
    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]


def test_it_asks_to_wait_while_too_much_is_waiting(client: httpx.Client) -> None:
    with transaction() as connection:
        connection.execute(
            text("insert into telemetry_inbox (noun, source, door, row_count, payload) values ('operations', 's', 'd', 2000000000, '')")
        )
    answer = client.post("/api/operations", json={"operations": [GOOD]})
    assert (answer.status_code, answer.json()["error"]["type"]) == (429, "too_much")
    assert int(answer.headers["retry-after"]) > 0


def test_it_says_nothing_of_what_broke_inside(client: httpx.Client) -> None:
    with transaction() as connection:
        connection.execute(text("alter table telemetry_inbox rename to elsewhere"))
    try:
        answer = client.post("/api/operations", json={"operations": [GOOD]})
    finally:
        with transaction() as connection:
            connection.execute(text("alter table elsewhere rename to telemetry_inbox"))
    assert answer.json() == {"error": {"type": "internal", "message": "Something went wrong here, not in the request."}}
    assert answer.status_code == 500

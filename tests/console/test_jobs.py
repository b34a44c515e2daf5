"""/api/jobs: who may start what, what is told of it, and what may still be changed."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from services.accounts import accounts, audit, sign_ins
from services.clock import utc_now
from services.db import transaction
from services.errors import BadInput, BinnacleError
from services.jobs import claim, enqueue, kinds
from tests.console.conftest import Server
from workers import registry

pytestmark = pytest.mark.usefixtures("database")
KIND = "rollups.verify"


@pytest.fixture
def client(ui: Server, make_key: Callable[..., str]) -> Iterator[httpx.Client]:
    """An app with a key."""
    with ui.client(key=make_key("jobs"), origin=False) as made:
        yield made


def signed_in(ui: Server, role: str) -> httpx.Client:
    with transaction() as connection:
        return ui.client(sign_ins.begin(connection, accounts.create(connection, role, role)))


def scalar(statement: str) -> object:
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


def broken(error: BinnacleError) -> int:
    """A job of which an attempt failed."""
    with transaction() as connection:
        made = enqueue(connection, KIND, {"day": "2026-01-05", "api_key": "hidden"}, queue="default", max_attempts=2)
        assert made
        job = claim.claim(connection, made, "w")
        assert job
        claim.fail(connection, job, error, "Traceback: secret path")
    return made


def test_it_starts_a_job_that_is_on_disk_when_it_answers(client: httpx.Client) -> None:
    due = utc_now() + timedelta(hours=1)
    told = {"kind": KIND, "args": {"start": "2026-01-05", "token": "x"}, "priority": 7, "run_at": due.isoformat(), "tags": ["b", "a"]}
    answer = client.post("/api/jobs", json=told)
    job = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"/api/jobs/{job['id']}")
    assert (job["kind"], job["queue"], job["state"], job["priority"], sorted(job["tags"])) == (KIND, "default", "queued", 7, ["a", "b"])
    assert (job["args"], job["created_by"], job["attempts"]) == ({"start": "2026-01-05", "token": "…"}, "key:jobs", [])
    assert scalar("select args ->> 'token' from jobs") == "x"
    assert client.get(f"/api/jobs/{job['id']}").json() == job


def test_it_takes_any_offset(client: httpx.Client) -> None:
    job = client.post("/api/jobs", json={"kind": KIND, "run_at": "2030-01-22T21:30:00+22:44"}).json()
    assert job["run_at"] == "2030-01-21T22:46:00Z"


def test_it_gives_the_job_that_is_there_by_its_key(client: httpx.Client) -> None:
    first, second, other = (client.post("/api/jobs", json={"kind": kind, "dedupe_key": "k"}) for kind in (KIND, KIND, "housekeeping"))
    assert [answer.status_code for answer in (first, second, other)] == [201, 200, 201]
    assert first.json()["id"] == second.json()["id"] != other.json()["id"]
    assert scalar("select count(*) from audit where action = 'job.start'") == 2, "a repeat starts nothing"
    with transaction() as connection:
        assert enqueue(connection, KIND, queue="default", dedupe_key="k"), "keys from outside stand in nobody's way"


def test_it_is_audited_who_started_which_job(ui: Server, client: httpx.Client) -> None:
    with signed_in(ui, "operator") as person:
        ids = [one.post("/api/jobs", json={"kind": KIND, "args": {"token": "hidden"}}).json()["id"] for one in (client, person)]
    with transaction() as connection:
        mine, theirs = reversed(audit.listing(connection, action="job"))
    assert (mine.actor, mine.action, mine.subject) == ("key:jobs", "job.start", f"job {ids[0]}")
    assert (mine.before, mine.after, mine.detail) == (None, {"state": "queued"}, {"kind": KIND, "queue": "default"})
    assert (theirs.actor, theirs.subject) == ("operator", f"job {ids[1]}")


@pytest.mark.parametrize("kind", ["telemetry.move", "pricing.reprice", "nope", "", "k" * 500])
def test_it_starts_nothing_that_is_not_named(client: httpx.Client, kind: str) -> None:
    answer = client.post("/api/jobs", json={"kind": kind})
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "forbidden")
    assert "cannot be started from outside: there are rollups.verify" in answer.json()["error"]["message"]
    assert scalar("select count(*) from jobs") == 0


def test_it_names_only_kinds_that_somebody_does() -> None:
    assert {kind: registry.KINDS[kind].queue for kind in kinds.POSTABLE} == kinds.POSTABLE


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ([], "(body)"),
        ({}, "kind"),
        ({"kind": 1}, "kind"),
        ({"kind": KIND, "args": []}, "args"),
        ({"kind": KIND, "args": {"a": "\x00"}}, "NUL"),
        ({"kind": KIND, "args": {"a": "\ud800"}}, "surrogate"),
        ({"kind": KIND, "args": {"a": "x" * 70_000}}, "65,536 bytes"),
        ({"kind": KIND, "queue": "rollups"}, "no queue 'rollups'"),
        ({"kind": KIND, "priority": -1}, "priority"),
        ({"kind": KIND, "priority": 40_000}, "priority"),
        ({"kind": KIND, "priority": "7"}, "priority"),
        ({"kind": KIND, "priority": True}, "priority"),
        ({"kind": KIND, "run_at": 5}, "run_at"),
        ({"kind": KIND, "run_at": "tomorrow"}, "run_at"),
        ({"kind": KIND, "run_at": "2026-01-05T10:00:00"}, "run_at"),
        ({"kind": KIND, "run_at": "0001-01-01T00:00:00+23:00"}, "calendar"),
        ({"kind": KIND, "dedupe_key": ""}, "dedupe_key"),
        ({"kind": KIND, "dedupe_key": "a\x00"}, "dedupe_key"),
        ({"kind": KIND, "tags": "a"}, "tags"),
        ({"kind": KIND, "tags": ["a\n"]}, "tags.0"),
        ({"kind": KIND, "tags": [f"{n}" for n in range(21)]}, "tags"),
        ({"kind": KIND, "colour": "red"}, "colour"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_it_names_what_it_cannot_use(client: httpx.Client, told: object, field: str) -> None:
    answer = client.post("/api/jobs", content=json.dumps(told))
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "bad_input")
    assert field in answer.json()["error"]["message"]
    assert scalar("select count(*) from jobs") == 0


def test_it_tells_what_became_of_each_attempt(client: httpx.Client) -> None:
    job = client.get(f"/api/jobs/{broken(BadInput('No such day.'))}").json()
    assert (job["state"], job["args"]["api_key"], job["error"]) == ("dead", "…", {"type": "BadInput", "message": "No such day."})
    (attempt,) = job["attempts"]
    assert (attempt["worker"], attempt["outcome"]) == ("w", "failed")
    assert "secret path" not in str(job)


@pytest.mark.parametrize(
    ("path", "status"), [("x", 400), ("0", 400), ("-1", 400), ("1.5", 400), ("9" * 30, 400), ("²", 400), ("7", 404), (f"{2**63 - 1}", 404)]
)
@pytest.mark.parametrize("action", ["", "/cancel", "/retry"])
def test_it_knows_no_other_jobs(client: httpx.Client, path: str, status: int, action: str) -> None:
    answer = client.request("POST" if action else "GET", f"/api/jobs/{path}{action}")
    assert answer.status_code == status


def test_it_cancels_what_waits_and_asks_what_runs_to_stop(client: httpx.Client) -> None:
    waits, runs = (client.post("/api/jobs", json={"kind": KIND}).json()["id"] for _ in range(2))
    with transaction() as connection:
        job = claim.claim(connection, runs, "w")
    for _ in range(2):
        assert client.post(f"/api/jobs/{waits}/cancel").json()["state"] == "cancelled"
        asked = client.post(f"/api/jobs/{runs}/cancel").json()
        assert (asked["state"], asked["cancel_requested"]) == ("running", True)
    assert scalar("select count(*) from audit where actor = 'key:jobs' and action = 'job.cancel'") == 2
    with transaction() as connection:
        assert job
        claim.finish(connection, job)
    done = broken(BadInput("no"))
    answer = client.post(f"/api/jobs/{done}/cancel")
    assert (answer.status_code, answer.json()["error"]["message"]) == (409, f"Job {done} is dead: there is nothing to cancel.")


def test_it_tries_a_dead_job_again_but_none_that_lives(client: httpx.Client) -> None:
    dead = broken(BadInput("no"))
    again = client.post(f"/api/jobs/{dead}/retry")
    assert (again.status_code, again.json()["state"]) == (200, "retry")
    assert scalar("select actor from audit where action = 'job.retry'") == "key:jobs"
    answer = client.post(f"/api/jobs/{dead}/retry")
    assert (answer.status_code, answer.json()["error"]["type"]) == (409, "conflict")


@pytest.mark.parametrize(("role", "acts"), [("viewer", False), ("analyst", False), ("operator", True), ("admin", True)])
def test_people_read_and_operators_act(ui: Server, role: str, acts: bool) -> None:
    dead = broken(BadInput("no"))
    with signed_in(ui, role) as client:
        assert client.get(f"/api/jobs/{dead}").json()["state"] == "dead"
        for path, body in ((f"/api/jobs/{dead}/retry", None), (f"/api/jobs/{dead}/cancel", None), ("/api/jobs", {"kind": KIND})):
            assert (client.post(path, json=body).status_code == 403) is not acts
    assert scalar("select count(*) from audit where action like 'job.%'") == (3 if acts else 0)


def test_another_site_makes_a_browser_do_nothing(ui: Server) -> None:
    with signed_in(ui, "operator") as client:
        answer = client.post("/api/jobs", json={"kind": KIND}, headers={"origin": "http://evil.example"})
    assert answer.status_code == 403
    assert scalar("select count(*) from jobs") == 0


def test_the_telemetry_port_knows_nothing_of_it(telemetry_port: Server, make_key: Callable[..., str]) -> None:
    with telemetry_port.client(key=make_key("admin")) as client:
        assert client.post("/api/jobs", json={"kind": KIND}).status_code == 404
        assert client.get("/metrics").status_code == 404

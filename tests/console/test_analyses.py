"""/api/analyses: who may start what, what is told while it runs, what it found, and every way in which it did not."""

import json
from collections.abc import Callable, Iterator
from unittest.mock import patch

import httpx
import pytest
from sqlalchemy import text

from console.api import app
from services.accounts import accounts, sign_ins
from services.ai.outcomes import OUTCOMES, Outcome
from services.analyses import advice, orders, results
from services.db import transaction
from services.errors import NotFound
from services.jobs import enqueue
from tests.console.conftest import Server
from tests.orders import End, broken, claimed, communities, finished, project, run

pytestmark = pytest.mark.usefixtures("database")
KIND = "validate-community"
FAILED = [outcome for outcome in OUTCOMES if outcome not in advice.WORDED]


@pytest.fixture
def place(database: None) -> int:
    return communities("Adams", "Bacarra")[0]


@pytest.fixture
def client(ui: Server, make_key: Callable[..., str]) -> Iterator[httpx.Client]:
    """An app with a key."""
    with ui.client(key=make_key("analyses"), origin=False) as made:
        yield made


def signed_in(ui: Server, role: str) -> httpx.Client:
    with transaction() as connection:
        return ui.client(sign_ins.begin(connection, accounts.create(connection, role, role)))


def scalar(statement: str) -> object:
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


def test_it_starts_follows_and_gives_the_result(client: httpx.Client, place: int) -> None:
    answer = client.post(f"/api/analyses/{KIND}", json={"record_id": place})
    told = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == told["status_url"] == f"/api/analyses/jobs/{told['job_id']}"
    assert (told["state"], told["progress"], told["result"], told["error"]) == ("queued", None, None, None)
    job = claimed(told["job_id"])
    with transaction() as connection:
        connection.execute(text('update jobs set progress = \'{"done": 1, "total": 4, "note": "Computing the facts"}\''))
    running = client.get(told["status_url"]).json()
    assert (running["state"], running["progress"]) == ("running", {"done": 1, "total": 4, "note": "Computing the facts"})
    finished(job)
    done = client.get(told["status_url"]).json()
    result = done["result"]
    assert (done["state"], done["progress"], done["error"]) == ("done", None, None)
    assert (result["kind"], result["record_kind"], result["record_id"], result["variant"]) == (KIND, "communities", place, "")
    assert result["facts"]["record_name"] == "Adams"
    assert result["wording"].startswith("# Validation of Adams")
    assert (result["source"], result["outcome"], result["model"], result["cost_usd"]) == ("template", "template", "template", "0.000000000")
    assert result["notice"]["message"] == OUTCOMES["template"].words
    assert result["fresh_until"] > result["made_at"]
    assert scalar("select actor || ' ' || subject from audit where action = 'analysis.start'") == f"key:analyses communities {place}"


def test_it_gives_what_is_fresh_at_once_unless_forced(client: httpx.Client, place: int) -> None:
    first = run(KIND, place)
    answer = client.post(f"/api/analyses/{KIND}", json={"record_id": place})
    told = answer.json()
    assert (answer.status_code, told["state"], told["job_id"], told["result"]["record_id"]) == (200, "done", first, place)
    assert client.get(told["status_url"]).json() == told
    assert scalar("select count(*) from jobs") == 1
    again = client.post(f"/api/analyses/{KIND}", json={"record_id": place, "force": True})
    assert (again.status_code, again.json()["job_id"] != first) == (202, True)


def test_it_joins_the_one_that_is_under_way(client: httpx.Client, place: int) -> None:
    first, second = (client.post(f"/api/analyses/{KIND}", json={"record_id": place}).json() for _ in range(2))
    assert first["job_id"] == second["job_id"]
    assert scalar("select count(*) from audit where action = 'analysis.start'") == 1


@pytest.mark.parametrize("kind", ["similar-communities", "classify-needs"])
def test_communities_have_three(client: httpx.Client, place: int, kind: str) -> None:
    assert client.post(f"/api/analyses/{kind}", json={"record_id": place}).status_code == 202


@pytest.mark.parametrize(
    ("kind", "told", "meant"),
    [
        ("project-risks", {}, ""),
        ("project-forecast", {}, ""),
        ("project-anomalies", {}, ""),
        ("project-report", {}, "comprehensive"),
        ("project-report", {"variant": "executive"}, "executive"),
        ("project-report", {"variant": "technical"}, "technical"),
    ],
)
def test_projects_have_four_and_three_reports(client: httpx.Client, kind: str, told: dict[str, str], meant: str) -> None:
    answer = client.post(f"/api/analyses/{kind}", json={"record_id": project()} | told)
    assert answer.status_code == 202
    assert scalar("select args ->> 'variant' from jobs") == meant


@pytest.mark.parametrize(
    ("kind", "told", "words"),
    [
        (KIND, [], "(body)"),
        (KIND, {}, "record_id"),
        (KIND, {"record_id": "1"}, "record_id"),
        (KIND, {"record_id": True}, "record_id"),
        (KIND, {"record_id": 0}, "record_id"),
        (KIND, {"record_id": 2**63}, "record_id"),
        (KIND, {"record_id": 1, "variant": 1}, "variant"),
        (KIND, {"record_id": 1, "variant": "executive"}, "has no variants"),
        (KIND, {"record_id": 1, "force": "yes"}, "force"),
        (KIND, {"record_id": 1, "colour": "red"}, "colour"),
        ("project-report", {"record_id": 1, "variant": "long"}, "comprehensive, executive, technical"),
        ("project-risks", {"record_id": 2}, "Record 2 is one of the communities; 'project-risks' is of projects."),
    ],
    ids=lambda value: str(value)[:40],
)
def test_it_names_what_it_cannot_use(client: httpx.Client, place: int, kind: str, told: object, words: str) -> None:
    project()
    answer = client.post(f"/api/analyses/{kind}", content=json.dumps(told))
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "bad_input")
    assert words in answer.json()["error"]["message"]
    assert scalar("select count(*) from jobs") == 0


def test_it_knows_no_other_kinds_and_records(client: httpx.Client, place: int) -> None:
    answer = client.post("/api/analyses/horoscope", json={"record_id": place})
    assert answer.status_code == 404
    assert "There is no analysis 'horoscope': there are validate-community, similar-communities" in answer.json()["error"]["message"]
    answer = client.post(f"/api/analyses/{KIND}", json={"record_id": 99})
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "There is no record 99 among the communities.")
    assert client.get(f"/api/analyses/{KIND}/99").status_code == 404
    assert client.get(f"/api/analyses/horoscope/{place}").status_code == 404


@pytest.mark.parametrize(("path", "status"), [("x", 400), ("0", 400), ("1.5", 400), ("9" * 30, 400), ("7", 404), (f"{2**63 - 1}", 404)])
@pytest.mark.parametrize("before", ["jobs", KIND])
def test_it_knows_no_other_numbers(client: httpx.Client, before: str, path: str, status: int) -> None:
    assert client.get(f"/api/analyses/{before}/{path}").status_code == status


def test_it_follows_no_other_jobs(client: httpx.Client) -> None:
    with transaction() as connection:
        other = enqueue(connection, "housekeeping", queue="default")
    assert client.get(f"/api/analyses/jobs/{other}").json()["error"]["message"] == f"Job {other} is no analysis."


def test_it_reads_how_an_analysis_stands(client: httpx.Client, place: int) -> None:
    path = f"/api/analyses/{KIND}/{place}"
    assert client.get(path).json()["state"] == "missing"
    job = run(KIND, place)
    told = client.get(path).json()
    assert (told["state"], told["stale_because"], told["job_id"], told["result"]["kind"]) == ("fresh", None, None, KIND)
    with transaction() as connection:
        connection.execute(text("update analyses set made_at = now() - interval '25 hours'"))
    told = client.get(path).json()
    assert (told["state"], told["stale_because"]) == ("stale", "age")
    with transaction() as connection:
        connection.execute(text("update communities set content_hash = 'another'"))
    assert client.get(path).json()["stale_because"] == "record"
    with transaction() as connection:
        connection.execute(text("update communities set content_hash = (select content_hash from analyses)"))
        connection.execute(text("update analyses set schema_version = 0"))
    assert client.get(path).json()["stale_because"] == "facts"
    second = client.post(f"/api/analyses/{KIND}", json={"record_id": place}).json()["job_id"]
    told = client.get(path).json()
    assert (told["state"], told["status_url"], told["job_id"] > job) == ("running", f"/api/analyses/jobs/{second}", True)


def test_it_reads_variants(client: httpx.Client) -> None:
    made = project()
    run("project-report", made, "executive")
    path = f"/api/analyses/project-report/{made}"
    assert client.get(path, params={"variant": "executive"}).json()["result"]["variant"] == "executive"
    assert client.get(path).json()["state"] == "missing"
    for wrong in ("variant=long", "colour=red", "variant=executive&variant=technical"):
        assert client.get(f"{path}?{wrong}").status_code == 400


def test_it_says_why_it_failed(client: httpx.Client, place: int) -> None:
    made = client.post(f"/api/analyses/{KIND}", json={"record_id": place}).json()
    broken(made["job_id"], NotFound("There is no record 1 among the communities."))
    told = client.get(made["status_url"]).json()
    assert (told["state"], told["error"]["type"]) == ("failed", "NotFound")
    assert told["error"]["message"] == "There is no record 1 among the communities."
    standing = client.get(f"/api/analyses/{KIND}/{place}").json()
    assert (standing["state"], standing["error"], standing["job_id"]) == ("failed", told["error"], made["job_id"])
    again = client.post(f"/api/analyses/{KIND}", json={"record_id": place})
    assert (again.status_code, again.json()["job_id"] > made["job_id"]) == (202, True)


@pytest.mark.parametrize("outcome", FAILED)
def test_it_names_every_way_in_which_no_model_worded_it(client: httpx.Client, place: int, outcome: Outcome) -> None:
    run(KIND, place, end=End(outcome))
    told = client.get(f"/api/analyses/{KIND}/{place}").json()["result"]
    assert told["wording"].startswith("# Validation of Adams")
    assert told["notice"] == {"outcome": outcome, "message": OUTCOMES[outcome].words, "advice": advice.ADVICE[outcome]}
    assert told["notice"]["advice"]


def test_a_job_that_waits_for_a_model_has_its_facts_and_the_reason(client: httpx.Client, place: int) -> None:
    made = client.post(f"/api/analyses/{KIND}", json={"record_id": place}).json()
    run(KIND, place, end=End("rate_limited"), ends=False)
    told = client.get(made["status_url"]).json()
    assert (told["state"], told["result"]["source"]) == ("queued", "template")
    assert (told["error"]["type"], told["error"]["message"]) == ("rate_limited", "The provider asks to wait.")
    assert client.post(f"/api/analyses/{KIND}", json={"record_id": place}).json()["result"] == told["result"]


def test_it_gives_a_models_words_with_its_cost_or_says_that_nobody_knows(client: httpx.Client, place: int) -> None:
    run(KIND, place, end=End("answered", "model", "gemini-x", 1_230_000))
    told = client.get(f"/api/analyses/{KIND}/{place}").json()["result"]
    assert (told["source"], told["model"], told["notice"], told["cost_usd"]) == ("model", "gemini-x", None, "0.001230000")
    run(KIND, place, end=End("answered", "replaced", "gemini-x", None))
    told = client.get(f"/api/analyses/{KIND}/{place}").json()["result"]
    assert (told["source"], told["cost_usd"]) == ("replaced", None)
    assert told["findings"][0]["token"] == "37"


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("analyst", True), ("operator", True), ("admin", True)])
def test_viewers_read_and_others_start(ui: Server, place: int, role: str, may: bool) -> None:
    made = run(KIND, place)
    with signed_in(ui, role) as browser:
        assert browser.get(f"/api/analyses/{KIND}/{place}").status_code == 200
        assert browser.get(f"/api/analyses/jobs/{made}").status_code == 200
        answer = browser.post(f"/api/analyses/{KIND}", json={"record_id": place, "force": True})
    assert answer.status_code == (202 if may else 403)
    assert scalar("select count(*) from audit where action = 'analysis.start'") == (1 if may else 0)


def test_it_starts_nothing_for_another_site(ui: Server, place: int, session: str) -> None:
    with ui.client(session, origin=False) as browser:
        assert browser.post(f"/api/analyses/{KIND}", json={"record_id": place}).status_code == 403
    assert scalar("select count(*) from jobs") == 0


def test_each_outcome_has_an_advice() -> None:
    assert set(advice.ADVICE) == set(FAILED)
    assert all(words.endswith(".") for words in advice.ADVICE.values())


def test_who_comes_second_joins_who_came_first(place: int) -> None:
    """Between the look and the order somebody else orders the same."""
    told = results.current

    def late(*args: object) -> results.Standing:
        standing = told(*args)  # type: ignore[arg-type]
        if not hasattr(late, "called"):
            late.called = True  # type: ignore[attr-defined]
            with transaction() as other:
                results.start(other, KIND, place, "", "somebody")
        return standing

    with patch.object(results, "current", late), transaction() as connection:
        placed = orders.place(connection, KIND, place, "", "me")
    assert getattr(placed, "created_by", None) == "somebody"


def test_the_description_names_kinds_and_variants() -> None:
    operation = app.build(sessions=True).openapi()["paths"]["/api/analyses/{kind}"]["post"]
    assert operation["parameters"][0]["schema"]["enum"][0] == KIND
    assert {"200", "202", "400", "401", "403", "404"} <= set(operation["responses"])

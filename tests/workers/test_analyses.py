"""The jobs of analyses, called as the wrapper calls them."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from services.ai import gateway
from services.ai.outcomes import Outcome, Refused, Unanswered
from services.ai.request import Completion, Request
from services.analyses import results
from services.analyses.catalogue import ANALYSES
from services.analyses.results import Standing, current, start
from services.analyses.wording import Wording
from services.db import transaction
from services.errors import BadInput, NotFound
from services.jobs import claim, get
from services.jobs.claim import Fenced
from tests.services.analyses.files import community, project, projects
from tests.services.analyses.stored import store
from workers import analyses, registry
from workers.running import Running

pytestmark = pytest.mark.usefixtures("database")
Generate = Callable[[Request], Completion]


@pytest.fixture(autouse=True)
def records(database: None) -> None:
    with transaction() as connection:
        store(connection, [community(number, narrative=f"We need water {'x' * number}") for number in range(1, 14)])
        store(connection, projects()[:40])


def claimed(kind: str, variant: str = "", record_id: int = 1) -> Running:
    with transaction() as connection:
        job_id = start(connection, kind, record_id, variant, "ada")
        assert job_id is not None
        job = claim.claim(connection, job_id, "tester")
    assert job is not None
    return Running(job)


def standing(kind: str, variant: str = "") -> Standing:
    with transaction() as connection:
        return current(connection, kind, 1, variant)


def says(outcome: Outcome = "answered", parsed: Wording | None = None) -> Generate:
    def generate(request: Request) -> Completion:
        assert request.fallback is not None
        name = "m" if parsed else "template"
        return Completion(request.fallback(), parsed, name, name, cached=False, cost_nano=5, ledger_ids=(), outcome=outcome)

    return generate


def raises(error: Exception) -> Generate:
    def generate(request: Request) -> Completion:
        raise error

    return generate


@pytest.mark.parametrize("kind", ANALYSES)
def test_every_kind_is_done(kind: str) -> None:
    variant = ANALYSES[kind].variants[0]
    job = claimed(kind, variant)
    assert registry.handler(kind) is analyses.analyse
    assert registry.KINDS[kind].queue == results.QUEUE
    told = analyses.analyse(job)
    assert (told["source"], job.finished) == ("template", True)
    held = standing(kind, variant)
    assert (held.state, held.job) == ("fresh", None)
    assert held.result is not None
    assert held.result.wording.startswith("# ")
    assert job.take_progress() == {"done": 3, "total": 4, "note": "Keeping the result"}
    with transaction() as connection:
        assert get(connection, job.id).result_ref == f"analyses/{held.result.id}"


def test_a_model_words_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "generate", says(parsed=Wording(summary="Barangay 1 is fine.", points=[])))
    assert analyses.analyse(claimed("validate-community"))["source"] == "model"
    held = standing("validate-community").result
    assert held is not None
    assert "Barangay 1 is fine." in held.wording
    assert (held.cost_nano, held.model) == (5, "m")


def test_what_is_no_fact_is_replaced_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "generate", says(parsed=Wording(summary="Barangay 1 has 77 schools.", points=[])))
    told = analyses.analyse(claimed("validate-community"))
    assert (told["source"], told["findings"]) == ("replaced", 1)
    held = standing("validate-community").result
    assert held is not None
    assert held.findings == [{"start": 15, "end": 17, "token": "77", "kind": "number", "reason": "No fact has this value."}]
    with transaction() as connection:
        assert results.sources(connection) == {"replaced": 1}


@pytest.mark.parametrize("generate", [says("overloaded"), raises(Unanswered("rate_limited", "Wait.", 300))])
def test_facts_are_there_while_a_model_is_waited_for(monkeypatch: pytest.MonkeyPatch, generate: Generate) -> None:
    monkeypatch.setattr(gateway, "generate", generate)
    job = claimed("validate-community")
    with pytest.raises(Unanswered) as raised:
        analyses.analyse(job)
    assert raised.value.retry_after_s is not None
    assert 60 <= raised.value.retry_after_s <= 300
    held = standing("validate-community")
    assert (held.state, held.holds) == ("running", True)
    with transaction() as connection:
        assert claim.fail(connection, job.job, raised.value, "").state == "retry"


def test_the_wait_doubles_and_the_last_attempt_takes_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "generate", says("timed_out"))
    job = claimed("validate-community")
    waits = []
    for _ in range(3):
        with pytest.raises(Unanswered) as raised:
            analyses.analyse(job)
        waits.append(raised.value.retry_after_s or 0)
        with transaction() as connection:
            claim.fail(connection, job.job, raised.value, "")
            connection.execute(text("update jobs set run_at = now() where id = :id"), {"id": job.id})
            again = claim.claim(connection, job.id, "tester")
        assert again is not None
        job = Running(again)
    assert [60 * 2**n <= wait <= 120 * 2**n for n, wait in enumerate(waits)] == [True] * 3
    assert analyses.analyse(job)["outcome"] == "timed_out"
    with transaction() as connection:
        assert len(results.history(connection, "validate-community", 1)) == 1


def test_a_refusal_is_no_reason_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "generate", raises(Refused("budget_gone", "No money.")))
    assert analyses.analyse(claimed("project-risks"))["outcome"] == "budget_gone"


def test_a_lost_attempt_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "generate", says("overloaded"))
    job = claimed("validate-community")
    with transaction() as connection:
        claim.release(connection, job.job)
    with pytest.raises(Fenced):
        analyses.analyse(job)
    assert standing("validate-community").result is None


@pytest.mark.parametrize("asks", [1, 2])
def test_it_stops_between_its_steps(monkeypatch: pytest.MonkeyPatch, asks: int) -> None:
    job = claimed("validate-community")
    answers = iter([False] * (asks - 1) + [True])
    monkeypatch.setattr(job, "stopping", lambda: next(answers))
    assert analyses.analyse(job) == {"stopped": True}
    assert standing("validate-community").result is None


def test_narratives_are_compared_where_they_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def embed(texts: list[str], **_: object) -> gateway.Embeddings:
        return gateway.Embeddings([[float(len(told)), 1.0] for told in texts], "small", "p", 1, ())

    monkeypatch.setattr(gateway, "embed", embed)
    analyses.analyse(claimed("similar-communities"))
    held = standing("similar-communities").result
    assert held is not None
    assert held.facts["narrative_used"] is True


@pytest.mark.parametrize(
    ("told", "error", "reason"),
    [
        ({"record_id": "one"}, BadInput, "'record_id' must be"),
        ({"record_id": True}, BadInput, "'record_id' must be"),
        ({"record_id": 1, "variant": 3}, BadInput, "'variant' must be"),
        ({"record_id": 1, "variant": "x"}, BadInput, "has no variants"),
        ({"record_id": 999}, NotFound, "no record 999"),
    ],
)
def test_it_refuses_what_it_cannot_do(told: dict[str, object], error: type[Exception], reason: str) -> None:
    job = claimed("validate-community")
    job.args = told
    with pytest.raises(error, match=reason):
        analyses.analyse(job)


def test_an_empty_project_is_done() -> None:
    with transaction() as connection:
        store(connection, [project(999, name="?")])
    told = analyses.analyse(claimed("project-report", "comprehensive", 999))
    assert told["source"] == "template"


def test_what_models_need_is_loaded_once_before_a_worker_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(gateway, "preload", lambda: loaded.append("gateway"))
    registry.preload(results.QUEUE)
    assert loaded == ["gateway"]
    registry.preload("rollups")
    assert loaded == ["gateway"]

"""The jobs of re-pricing, called as the wrapper calls them."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from services.clock import utc_now
from services.db import transaction
from services.errors import BadInput, NotFound
from services.jobs import Job, claim
from services.pricing import overrides, reprice
from tests.traffic import arrive, operation
from workers import pricing, registry
from workers.running import Running

pytestmark = pytest.mark.usefixtures("database")


def asked(kind: str) -> Running:
    """The job of that kind that was asked for, claimed."""
    with transaction() as connection:
        job_id = connection.execute(text("select id from jobs where kind = :kind and state = 'queued'"), {"kind": kind}).scalar_one()
        job = claim.claim(connection, job_id, "tester")
    assert job is not None
    assert job.queue == registry.KINDS[kind].queue
    return Running(job)


def cost_nano() -> object:
    with transaction() as connection:
        return connection.execute(text("select sum(cost_nano) from rollup_day")).scalar_one()


@pytest.fixture
def requested() -> int:
    """A re-pricing of one call by a contract."""
    now = utc_now()
    arrive([operation("one", now, input_tokens=1_000_000, output_tokens=0)])
    with transaction() as connection:
        contract = overrides.candidate(
            model="gpt-5-mini", units={"input": "1", "output": "0"}, effective_from=now - timedelta(days=1), source="contract"
        )
        first = now.date() - timedelta(days=1)
        return reprice.request(connection, first, first + timedelta(days=3), candidate=contract, actor="ada")


def test_it_reprices_and_takes_it_back(requested: int) -> None:
    before = cost_nano()
    job = asked("pricing.reprice")
    assert registry.handler("pricing.reprice") is pricing.reprice
    result = pricing.reprice(job)
    assert (result["state"], result["operations"], result["after_usd"]) == ("applied", 1, "1.000000000")
    progress = job.take_progress()
    assert progress is not None
    assert progress["done"] == progress["total"] > 0
    assert cost_nano() == 1_000_000_000 != before

    with transaction() as connection:
        reprice.request_reverse(connection, requested, "ada")
    assert registry.handler("pricing.reverse") is pricing.reverse
    result = pricing.reverse(asked("pricing.reverse"))
    assert (result["state"], result["restored"], result["left"]) == ("reversed", 1, 0)
    assert cost_nano() == before


def test_it_stops_when_its_worker_goes_down(requested: int) -> None:
    before = cost_nano()
    job = asked("pricing.reprice")
    job.fenced = True
    assert pricing.reprice(job)["stopped"] is True
    assert job.told_to_stop
    assert cost_nano() == before


@pytest.mark.parametrize(
    ("told", "error", "reason"), [({"id": "one"}, BadInput, "'id' must be"), ({"id": 99}, NotFound, "no re-pricing 99")]
)
def test_it_refuses_a_repricing_that_is_none(requested: int, told: dict[str, object], error: type[Exception], reason: str) -> None:
    for handler in (pricing.reprice, pricing.reverse):
        job = Running(asked_job())
        job.args = told
        with pytest.raises(error, match=reason):
            handler(job)


def asked_job() -> Job:
    """Any claimed job."""
    with transaction() as connection:
        job_id = connection.execute(text("insert into jobs (kind, queue) values ('pricing.reprice', 'default') returning id")).scalar_one()
        job = claim.claim(connection, job_id, "tester")
    assert job is not None
    return job

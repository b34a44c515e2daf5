"""The site-wide jobs, called as the wrapper calls them."""

import pytest

from services.db import transaction
from services.errors import BadInput
from services.jobs import claim, enqueue, get
from services.sitewide import copy, editions, runs, summaries
from tests.pages.test_factoids import ROWS
from tests.services.sitewide.files import bring, small
from workers import registry, sitewide
from workers.running import Running

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def figures(database: None) -> None:
    bring(small(*ROWS))


def claimed(kind: str, **args: object) -> Running:
    with transaction() as connection:
        job_id = enqueue(connection, kind, args, queue="default", created_by="ada")
        assert job_id is not None
        job = claim.claim(connection, job_id, "tester")
    assert job is not None
    return Running(job)


def test_every_kind_has_its_handler() -> None:
    assert registry.handler("sitewide.summaries") is sitewide.summarise
    assert registry.handler("sitewide.factoids") is sitewide.factoids
    assert registry.handler("sitewide.revalidate") is sitewide.revalidate


def test_summaries_are_made_of_what_changed() -> None:
    assert sitewide.summarise(claimed("sitewide.summaries", limit=2)) == {"looked": 2, "changed": 2}
    assert sitewide.summarise(claimed("sitewide.summaries")) == {"looked": 4, "changed": 4}
    assert sitewide.summarise(claimed("sitewide.summaries")) == {"looked": 0, "changed": 0}
    assert sitewide.summarise(claimed("sitewide.summaries", force=True)) == {"looked": 6, "changed": 0}


def test_a_slot_summarises_publishes_and_warms() -> None:
    job = claimed("sitewide.factoids")
    assert sitewide.factoids(job)["decision"] == "generated"
    with transaction() as connection:
        edition = editions.latest(connection)
        assert edition is not None
        assert get(connection, job.id).result_ref == f"factoids/{edition.id}"
        assert get(connection, job.id).state == "done"
        assert summaries.pending(connection) == 0
    assert copy.read() == edition


def test_a_look_between_slots_lets_it_hold_again() -> None:
    sitewide.factoids(claimed("sitewide.factoids"))
    assert sitewide.revalidate(claimed("sitewide.revalidate"))["decision"] == "unchanged"
    bring(small(*(row + "9" for row in ROWS)))
    assert sitewide.revalidate(claimed("sitewide.revalidate"))["decision"] == "waits for its slot"
    assert sitewide.factoids(claimed("sitewide.factoids"))["decision"] == "generated"
    with transaction() as connection:
        told = [slot.run.decision for slot in runs.listing(connection)]
    assert told == ["generated", "waits for its slot", "unchanged", "generated"]


@pytest.mark.parametrize("limit", [0, -1, "5", True, 1.5])
def test_a_limit_is_a_whole_number(limit: object) -> None:
    with pytest.raises(BadInput, match="whole number"):
        sitewide.summarise(claimed("sitewide.summaries", limit=limit))

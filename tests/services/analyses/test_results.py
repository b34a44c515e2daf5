"""Results of analyses: versions, whether they hold, and how a new one is started."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from services.analyses import catalogue, results, vectors
from services.analyses.case import Case
from services.analyses.results import State, current, history, keep, start
from services.analyses.wording import plainly
from services.clock import utc_now
from services.db import transaction
from services.errors import BadInput, NotFound
from services.jobs import claim, get
from tests.services.analyses.files import community, project
from tests.services.analyses.stored import store

KIND = "validate-community"
ANALYSIS = catalogue.get(KIND)
pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def connection(database: None) -> Iterator[Connection]:
    with transaction() as connection:
        store(connection, [community(1), community(2), project(1)])
        yield connection


def version(connection: Connection, job_id: int) -> int:
    facts = ANALYSIS.facts(Case(community(1), [], utc_now().date()))
    return keep(connection, ANALYSIS, community(1), "", facts, plainly(ANALYSIS, facts, "template"), job_id)


def state(connection: Connection) -> State:
    return current(connection, KIND, 1).state


def aged(connection: Connection, hours: int) -> None:
    connection.execute(text("update analyses set made_at = made_at - make_interval(hours => :hours)"), {"hours": hours})


def ended(connection: Connection, job_id: int, how: str) -> None:
    connection.execute(text("update jobs set state = :how, error = 'The model is gone.' where id = :id"), {"how": how, "id": job_id})


def test_its_states(connection: Connection) -> None:
    assert state(connection) == "missing"
    job_id = start(connection, KIND, 1, "", "ada")
    assert job_id is not None
    assert start(connection, KIND, 1, "", "bob") is None
    standing = current(connection, KIND, 1)
    assert (standing.state, standing.result) == ("running", None)
    assert standing.job is not None
    assert standing.job.id == job_id
    ended(connection, job_id, "dead")
    standing = current(connection, KIND, 1)
    assert (standing.state, standing.reason) == ("failed", "The model is gone.")
    version(connection, job_id)
    assert state(connection) == "fresh"
    aged(connection, 23)
    assert state(connection) == "fresh"
    aged(connection, 2)
    assert state(connection) == "stale"
    again = start(connection, KIND, 1, "", "ada")
    assert again is not None
    ended(connection, again, "cancelled")
    assert state(connection) == "stale"
    last = start(connection, KIND, 1, "", "ada")
    assert last is not None
    ended(connection, last, "dead")
    standing = current(connection, KIND, 1)
    assert (standing.state, standing.holds) == ("failed", False)
    assert standing.result is not None


def test_a_changed_record_makes_it_stale(connection: Connection) -> None:
    version(connection, 1)
    connection.execute(text("update communities set content_hash = 'other' where id = 1"))
    assert state(connection) == "stale"


def test_other_facts_make_it_stale(connection: Connection) -> None:
    version(connection, 1)
    connection.execute(text("update analyses set schema_version = 0"))
    assert state(connection) == "stale"
    assert results.facts_of(history(connection, KIND, 1)[0]) is None


def test_its_job_is_what_it_should_be(connection: Connection) -> None:
    job_id = start(connection, "project-report", 1, "executive", "ada")
    assert job_id is not None
    job = get(connection, job_id)
    assert (job.kind, job.queue, job.max_attempts, job.created_by) == ("project-report", "default", 4, "ada")
    assert job.args == {"record_id": 1, "variant": "executive"}
    assert (job.dedupe_key, job.cause_type, job.cause_id) == ("analysis/project-report/1/executive", "projects", "1")
    assert start(connection, "project-report", 1, "technical", "ada") is not None


def test_it_refuses_what_is_not_there(connection: Connection) -> None:
    with pytest.raises(NotFound, match="no record 99"):
        start(connection, KIND, 99, "", "ada")
    with pytest.raises(NotFound, match="no record 99"):
        current(connection, KIND, 99)
    with pytest.raises(NotFound, match="no analysis"):
        current(connection, "horoscope", 1)
    with pytest.raises(BadInput, match="is comprehensive"):
        start(connection, "project-report", 1, "", "ada")
    assert connection.execute(text("select count(*) from jobs")).scalar_one() == 0


def test_it_keeps_versions_and_one_a_job(connection: Connection) -> None:
    first = version(connection, 1)
    assert version(connection, 1) == first
    for job_id in range(2, 30):
        version(connection, job_id)
    kept = history(connection, KIND, 1)
    assert [one.job_id for one in kept] == list(range(29, 9, -1))
    assert results.facts_of(kept[0]) == ANALYSIS.facts(Case(community(1), [], utc_now().date()))
    assert kept[0].wording == ANALYSIS.render(results.facts_of(kept[0]))
    assert results.sources(connection) == {"template": 20}
    assert results.sources(connection, "project-risks") == {}


def test_a_running_analysis_shows_what_was_there(connection: Connection) -> None:
    version(connection, 1)
    job_id = start(connection, KIND, 1, "", "ada")
    assert job_id is not None
    assert claim.claim(connection, job_id, "tester") is not None
    standing = current(connection, KIND, 1)
    assert (standing.state, standing.holds) == ("running", True)
    assert standing.result is not None


class Meaning:
    """An embedding model that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.vectors: list[list[float]] = []
        self.model = "small"

    def __call__(self, texts: list[str]) -> "Meaning":
        self.asked.append(texts)
        self.vectors = [[float(len(told)), 1.0] for told in texts]
        return self


def test_vectors_are_made_once_a_text(database: None) -> None:
    place, peers = (
        community(1, narrative="water  is short"),
        [community(2), community(3, narrative="roads"), community(4, narrative="roads")],
    )
    told = vectors.narratives(place, peers)
    assert told == {1: "water is short", 3: "roads", 4: "roads"}
    meaning = Meaning()
    made = vectors.of(told, meaning)
    assert made == {1: [14.0, 1.0], 3: [5.0, 1.0], 4: [5.0, 1.0]}
    assert meaning.asked == [["water is short"], ["roads"]]
    assert vectors.of(told, meaning) == made
    assert meaning.asked[2:] == [["water is short"]]
    assert vectors.narratives(community(1), peers) == {}
    assert vectors.narratives(place, [community(2)]) == {}
    assert vectors.of({}, meaning) == {}

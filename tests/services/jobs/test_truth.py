from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from services.db import transaction
from services.db.listen import Listener
from services.errors import BadInput, NotFound
from services.jobs import Job, cancel, claim, enqueue, get, live

pytestmark = pytest.mark.usefixtures("database")


def queued(**told: object) -> int:
    with transaction() as connection:
        job_id = enqueue(connection, "housekeeping", queue="default", **told)  # type: ignore[arg-type]
    assert job_id is not None
    return job_id


def read(job_id: int) -> Job:
    with transaction() as connection:
        return get(connection, job_id)


def cause_that_fails() -> None:
    with transaction() as connection:
        assert enqueue(connection, "housekeeping", queue="default")
        raise ZeroDivisionError


def test_it_keeps_what_it_is_told() -> None:
    due = datetime(2031, 5, 6, 7, 8, tzinfo=UTC)
    job = read(queued(args={"days": [1, None]}, priority=7, run_at=due, max_attempts=9, cause=("schedule", 12), created_by="alice"))

    assert (job.kind, job.queue, job.state, job.attempt) == ("housekeeping", "default", "queued", 0)
    assert (job.args, job.priority, job.run_at, job.max_attempts) == ({"days": [1, None]}, 7, due, 9)
    assert (job.cause_type, job.cause_id, job.created_by) == ("schedule", "12", "alice")


def test_it_leaves_nothing_when_its_cause_is_rolled_back() -> None:
    with pytest.raises(ZeroDivisionError):
        cause_that_fails()

    with transaction() as connection:
        assert live(connection, "housekeeping") == []


def test_it_wakes_the_dispatcher_at_commit() -> None:
    listener = Listener("jobs")
    queued()

    assert listener.wait(2.0)
    assert not listener.wait(0.01)
    listener.close()


def test_it_lets_one_of_many_with_the_same_key_live() -> None:
    together = Barrier(20)

    def one(_: int) -> int | None:
        together.wait(10)
        with transaction() as connection:
            return enqueue(connection, "telemetry.move", queue="rollups", dedupe_key="telemetry.move")

    with ThreadPoolExecutor(20) as pool:
        made = [job_id for job_id in pool.map(one, range(20)) if job_id is not None]

    assert len(made) == 1
    with transaction() as connection:
        assert [job.id for job in live(connection, "telemetry.move")] == made


def test_it_accepts_a_key_again_once_its_job_has_ended() -> None:
    first = queued(dedupe_key="broom")
    with transaction() as connection:
        assert enqueue(connection, "housekeeping", queue="default", dedupe_key="broom") is None
        cancel(connection, first)

    assert queued(dedupe_key="broom") > first


def test_it_cancels_a_waiting_job_at_once_and_asks_a_running_one() -> None:
    waiting, running = queued(), queued()
    with transaction() as connection:
        job = claim.claim(connection, running, "tester")
        assert job is not None
        assert cancel(connection, waiting).state == "cancelled"
        assert cancel(connection, running).state == "running"
        assert claim.heartbeat(connection, job)

    assert read(waiting).finished_at is not None
    assert read(running).finished_at is None


def test_it_leaves_a_finished_job_as_it_is_when_cancelled() -> None:
    job_id = queued()
    with transaction() as connection:
        job = claim.claim(connection, job_id, "tester")
        assert job is not None
        claim.finish(connection, job)

    with transaction() as connection:
        assert cancel(connection, job_id).state == "done"


def test_it_says_so_when_there_is_no_such_job() -> None:
    with transaction() as connection, pytest.raises(NotFound, match="no job 404"):
        get(connection, 404)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"kind": ""}, "needs a kind"),
        ({"queue": ""}, "needs a kind and a queue"),
        ({"priority": -1}, "priority must be"),
        ({"max_attempts": 0}, "1 to 1000 attempts"),
        ({"tags": ["x" * 101]}, "20 tags of 1 to 100"),
        ({"tags": [f"tag {number}" for number in range(21)]}, "20 tags of 1 to 100"),
        ({"run_at": datetime(2026, 1, 1)}, "say its zone"),
        ({"args": {"when": datetime.now(UTC)}}, "plain JSON"),
        ({"args": {"share": float("nan")}}, "plain JSON"),
        ({"args": {"text": "a\0b"}}, "NUL"),
        ({"args": {"text": "a\\\0b"}}, "NUL"),
        ({"args": {"text": "half \ud83d"}}, "surrogate"),
    ],
)
def test_it_refuses_what_no_job_can_have(told: dict[str, object], reason: str) -> None:
    with transaction() as connection, pytest.raises(BadInput, match=reason):
        enqueue(connection, **({"kind": "housekeeping", "queue": "default"} | told))  # type: ignore[arg-type]


def test_it_is_not_claimed_before_it_is_due() -> None:
    job_id = queued(run_at=datetime.now(UTC) + timedelta(hours=1))

    with transaction() as connection:
        assert claim.claim(connection, job_id, "tester") is None


def test_it_tells_a_nul_from_words_about_one() -> None:
    job = read(queued(args={"path": "C:\\u0000", "words": "é 😀"}))
    assert job.args == {"path": "C:\\u0000", "words": "é 😀"}

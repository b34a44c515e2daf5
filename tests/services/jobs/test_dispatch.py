from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from services.db import transaction
from services.jobs import claim, dispatch, enqueue, get, hold
from services.jobs.dispatch import WINDOW, Handover
from tests.crash import hurried, standing_still

pytestmark = pytest.mark.usefixtures("database")


def queued(count: int = 1, queue: str = "default", **told: object) -> list[int]:
    with transaction() as connection:
        made = [enqueue(connection, "housekeeping", queue=queue, **told) for _ in range(count)]  # type: ignore[arg-type]
    return [job_id for job_id in made if job_id is not None]


def taken(queue: str = "default") -> list[Handover]:
    with transaction() as connection:
        return dispatch.take(connection, queue)


def hand_over_to_nobody() -> None:
    with transaction() as connection:
        assert dispatch.take(connection, "default")
        raise ConnectionError


def test_it_takes_the_most_urgent_due_jobs_of_its_queue() -> None:
    usual = queued(2)
    urgent = queued(1, priority=1)
    queued(1, queue="rollups")
    queued(1, run_at=datetime.now(UTC) + timedelta(minutes=1))

    assert [handover.id for handover in taken()] == urgent + usual
    assert taken() == []


def test_it_keeps_the_rest_back_until_workers_catch_up() -> None:
    queued(WINDOW + 5)
    first = taken()
    assert (len(first), taken()) == (WINDOW, [])

    with transaction() as connection:
        for handover in first[:3]:
            claim.claim(connection, handover.id, "tester")

    assert len(taken()) == 3


def test_it_gives_no_job_to_two_dispatchers() -> None:
    queued(40)
    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(lambda _: taken(), range(4)))

    ids = [handover.id for share in shares for handover in share]
    assert len(ids) == len(set(ids)) == 40


def test_it_takes_nothing_when_the_handover_fails() -> None:
    (job_id,) = queued()
    with pytest.raises(ConnectionError):
        hand_over_to_nobody()

    assert [handover.id for handover in taken()] == [job_id]


def test_it_dispatches_again_under_a_new_name_what_was_forgotten() -> None:
    queued(2)
    waiting, running = taken()
    with transaction() as connection:
        claim.claim(connection, running.id, "tester")
        assert dispatch.unclaimed(connection, 30.0) == []
        assert dispatch.unclaimed(connection, 0.0) == [waiting]
        dispatch.take_back(connection, [waiting, running])

    (again,) = taken()
    assert (again.id, again.seq) == (waiting.id, 2)
    with transaction() as connection:
        dispatch.take_back(connection, [waiting])  # an answer about the first message comes too late
        assert get(connection, waiting.id).dispatched_at is not None


def test_it_hands_a_retry_over_again_when_it_is_due() -> None:
    queued()
    (first,) = taken()
    with transaction() as connection:
        job = claim.claim(connection, first.id, "tester")
        assert job is not None
        claim.fail(connection, job, ValueError("once"), "")
    assert taken() == []
    with transaction() as connection:
        connection.execute(text("update jobs set run_at = now()"))

    assert [(handover.id, handover.seq) for handover in taken()] == [(first.id, 2)]


def test_a_dispatcher_that_stands_still_keeps_its_jobs_from_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "LONGEST", "200ms")
    (job_id,) = queued()
    with standing_still() as frozen:
        assert [handover.id for handover in dispatch.take(frozen, "default")] == [job_id]
        with hurried() as connection:  # its message is out already
            claim.claim(connection, job_id, "tester")
    with transaction() as connection:
        assert get(connection, job_id).state == "running"

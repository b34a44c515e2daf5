from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from services.clock import utc_now
from services.db import transaction
from services.errors import BadInput
from services.jobs import claim, enqueue, get, processes, standing
from services.jobs.processes import Process
from services.telemetry import inbox

pytestmark = pytest.mark.usefixtures("database")


def arrive() -> None:
    with transaction() as connection:
        inbox.accept(connection, "operations", [{"id": "a", "started_at": utc_now().isoformat()}], source="test", door="api")


def wanted_move() -> int | None:
    with transaction() as connection:
        return standing.want_move(connection)


def test_it_wants_no_move_while_nothing_waits() -> None:
    assert wanted_move() is None


def test_it_wants_one_move_while_something_waits() -> None:
    arrive()
    made = wanted_move()
    assert made is not None
    assert wanted_move() is None

    with transaction() as connection:
        job = claim.claim(connection, made, "tester")
        assert job is not None
        assert standing.want_move(connection) is None
        claim.finish(connection, job)

    assert wanted_move() is not None


def test_it_waits_a_little_after_a_move_that_died() -> None:
    arrive()
    made = wanted_move()
    assert made is not None
    with transaction() as connection:
        job = claim.claim(connection, made, "tester")
        assert job is not None
        claim.fail(connection, job, BadInput("a batch nobody can read"), "")

    second = wanted_move()
    assert second is not None
    with transaction() as connection:
        assert get(connection, second).run_at > datetime.now(UTC) + timedelta(seconds=20)


def test_it_forgets_jobs_past_their_keep() -> None:
    with transaction() as connection:
        for state, days in (("done", 29), ("done", 31), ("cancelled", 31), ("dead", 31), ("dead", 91)):
            job_id = enqueue(connection, "housekeeping", {"case": f"{state} {days}"}, queue="default")
            connection.execute(
                text("update jobs set state = :state, finished_at = now() - make_interval(days => :days) where id = :id"),
                {"id": job_id, "state": state, "days": days},
            )
        enqueue(connection, "housekeeping", {"case": "live"}, queue="default")

        assert standing.forget_finished(connection) == 3
        kept = set(connection.execute(text("select args ->> 'case' from jobs")).scalars())

    assert kept == {"done 29", "dead 31", "live"}


def test_it_keeps_a_list_of_who_is_at_work() -> None:
    process, silent = Process("worker", "default"), Process("dispatcher")
    with transaction() as connection:
        processes.beat(connection, process)
        processes.beat(connection, silent)
        connection.execute(text("update processes set beat_at = now() - interval '2 minutes'"))
        processes.beat(connection, process)
        assert processes.forget_stale(connection) == [silent]
        rows = connection.execute(text("select id, kind, queue, pid from processes")).all()
        assert [tuple(row) for row in rows] == [(process.id, "worker", "default", process.pid)]
        processes.leave(connection, process)
        assert connection.execute(text("select count(*) from processes")).scalar_one() == 0

    assert Process("worker").name != Process("worker").name


def test_it_forgets_a_batch_at_a_time_and_leaves_what_an_operator_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "FORGOTTEN_AT_ONCE", 2)
    with transaction() as connection:
        ids = [enqueue(connection, "housekeeping", queue="default") for _ in range(5)]
        connection.execute(text("update jobs set state = 'dead', finished_at = now() - interval '91 days' + id * interval '1 s'"))
    with transaction() as operator:
        operator.execute(text("select from jobs where id = :id for update"), {"id": ids[0]})
        with transaction() as connection:
            assert [standing.forget_finished(connection) for _ in range(3)] == [2, 2, 0]
        operator.execute(text("update jobs set state = 'retry' where id = :id"), {"id": ids[0]})
    with transaction() as connection:
        assert standing.forget_finished(connection) == 0
        assert get(connection, ids[0] or 0).state == "retry"

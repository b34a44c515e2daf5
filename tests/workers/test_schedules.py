"""The dispatcher looks at the schedules, and gets on with its work when that fails."""

import pytest
from redis import Redis
from sqlalchemy import text

from services import schedules
from services.db import transaction
from services.jobs import get
from tests.workers.conftest import queued
from workers.dispatch import Dispatcher

pytestmark = pytest.mark.usefixtures("database")


def dispatched(job_id: int) -> bool:
    with transaction() as connection:
        return get(connection, job_id).dispatched_at is not None


def test_what_is_due_is_handed_over_in_the_same_pass(redis: Redis) -> None:
    dispatcher = Dispatcher(redis)
    dispatcher._pass()
    with transaction() as connection:
        assert {"housekeeping", "verify"} <= {line.schedule.name for line in schedules.listing(connection)}
        connection.execute(text("update schedules set decided_until = now() - interval '1 hour' where name = 'housekeeping'"))
    dispatcher._due_at.clear()
    dispatcher._pass()
    with transaction() as connection:
        (decided,) = schedules.overview(connection, "housekeeping").last
    assert decided.word == "run"
    assert dispatched(decided.job_id or 0)


def test_a_tick_that_fails_does_not_stop_dispatching(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> int:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(schedules, "tick", fail)
    dispatcher, waiting = Dispatcher(redis), queued()
    dispatcher._pass()
    dispatcher._pass()

    assert dispatched(waiting)
    assert caplog.text.count("RuntimeError: no such luck") == 1

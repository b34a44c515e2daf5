"""Postgres or Redis goes away and comes back: everybody waits, nobody exits, nothing is lost."""

import os

from tests.workers.cable import Cable
from tests.workers.conftest import Crew, holding_up_housekeeping, outcomes, queued, state, until


def test_it_goes_on_after_redis_was_away(crew: Crew) -> None:
    cable = Cable(os.environ["REDIS_URL"])
    crew.muster(dispatcher=0)
    dispatcher, worker = (crew.hire(role, REDIS_URL=cable.url) for role in ("dispatcher", "default"))
    with holding_up_housekeeping():
        running = queued()
        until(lambda: outcomes(running) == [None])
        cable.pull()
        waiting = [queued() for _ in range(3)]
    until(lambda: state(running) == "done")
    cable.plug()

    until(lambda: all(state(job_id) == "done" for job_id in waiting), 30)
    assert all(outcomes(job_id) == ["done"] for job_id in [running, *waiting])
    assert dispatcher.poll() is None
    assert worker.poll() is None


def test_it_goes_on_after_postgres_was_away(crew: Crew) -> None:
    cable = Cable(os.environ["DATABASE_URL"])
    crew.muster(dispatcher=0)
    dispatcher, worker = (crew.hire(role, DATABASE_URL=cable.url) for role in ("dispatcher", "default"))
    with holding_up_housekeeping():
        job_id = queued()
        until(lambda: outcomes(job_id) == [None])
        cable.pull()
    waiting = queued()
    until(lambda: dispatcher.poll() is None and state(waiting) == "queued")
    cable.plug()

    until(lambda: state(job_id) == state(waiting) == "done", 30)
    assert outcomes(job_id)[-1] == "done"
    assert outcomes(job_id).count("done") == 1
    assert dispatcher.poll() is None
    assert worker.poll() is None

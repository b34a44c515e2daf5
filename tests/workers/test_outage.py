"""Postgres or Redis goes away and comes back: everybody waits, nobody exits, nothing is lost."""

import os
import time
from threading import Thread

import pytest
from rq.job import Job as Message

from services.db import forget
from services.jobs.dispatch import Handover
from services.jobs.processes import Process
from services.settings import settings
from tests.workers.cable import Cable
from tests.workers.conftest import Crew, holding_up_housekeeping, outcomes, queued, state, until
from workers import queues
from workers.worker import JobWorker, leave


def test_it_waits_for_redis_and_goes_on_after_it_was_away(crew: Crew) -> None:
    cable = Cable(os.environ["REDIS_URL"])
    cable.pull()
    crew.muster(dispatcher=0)
    dispatcher, worker = (crew.hire(role, REDIS_URL=cable.url) for role in ("dispatcher", "default"))
    with holding_up_housekeeping():
        running = queued()
        cable.plug()
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
    time.sleep(1.5)
    assert state(waiting) == "queued"
    cable.plug()

    until(lambda: state(job_id) == state(waiting) == "done", 30)
    assert outcomes(job_id)[-1] == "done"
    assert outcomes(job_id).count("done") == 1
    assert dispatcher.poll() is None
    assert worker.poll() is None


def test_it_takes_no_message_while_postgres_is_away(stack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    cable = Cable(os.environ["DATABASE_URL"])
    redis = queues.connect()
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("DATABASE_URL", cable.url)
        forget()
        settings.cache_clear()
        worker = JobWorker(queues.queue(redis, "default"), Process("worker", "default"))
        cable.pull()
        waiting = Thread(target=worker.check_for_suspension, args=(False,), daemon=True)
        waiting.start()
        waiting.join(1.0)
        assert waiting.is_alive(), "whoever reaches Postgres would have had to wait for this one to give its message up"
        cable.plug()
        waiting.join(10)
        assert not waiting.is_alive()
    leave(worker._process)
    forget()
    settings.cache_clear()
    redis.close()


def test_it_keeps_watching_a_running_job_while_redis_is_away(stack: None) -> None:
    cable = Cable(os.environ["REDIS_URL"])
    redis = queues.connect()
    redis.connection_pool.connection_kwargs["port"] = int(cable.url.rsplit(":", 1)[1].split("/")[0])
    queues.hand_over(redis, [Handover(404, "housekeeping", "default", 1)])
    worker = JobWorker(queues.queue(redis, "default"), Process("worker", "default"))
    message = Message.fetch("j404-1", connection=redis, serializer="json")
    worker.register_birth()
    worker.prepare_execution(message)
    worker.maintain_heartbeats(message)
    cable.pull()

    worker.set_current_job_working_time(12.0)  # RQ does both every ten seconds, and would give the running job up
    worker.maintain_heartbeats(message)
    assert worker.current_job_working_time == 12.0
    redis.close()

"""kill -9 of anything, at the worst moment: the job still ends, and ends once."""

import signal
import time

import psutil
from redis import Redis

from services.jobs.claim import LEASE_S
from tests.workers.conftest import Crew, holding_up_housekeeping, horse_of, lease_runs_out, outcomes, queued, read, state, until


def test_it_runs_a_job_again_whose_process_was_killed_without_waiting_for_the_lease(crew: Crew) -> None:
    _, (worker,) = crew.muster(default=1)
    with holding_up_housekeeping():
        job_id = queued()
        until(lambda: outcomes(job_id) == [None])
        at = time.monotonic()
        horse_of(worker).kill()
        until(lambda: outcomes(job_id) == ["lost", None])
        assert time.monotonic() - at < LEASE_S / 2

    until(lambda: state(job_id) == "done")
    assert outcomes(job_id) == ["lost", "done"]


def test_it_runs_a_job_again_whose_worker_was_killed_and_leaves_no_orphan(crew: Crew) -> None:
    _, (worker,) = crew.muster(default=1)
    with holding_up_housekeeping():
        job_id = queued()
        until(lambda: outcomes(job_id) == [None])
        orphan = horse_of(worker)
        worker.kill()
        psutil.wait_procs([orphan], timeout=2)
        assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
        assert state(job_id) == "running"
        lease_runs_out()
        crew.muster(default=1)
        until(lambda: outcomes(job_id) == ["lost", None])

    until(lambda: state(job_id) == "done")
    assert outcomes(job_id) == ["lost", "done"]


def test_it_needs_no_dispatcher_to_finish_and_loses_nothing_meanwhile(crew: Crew) -> None:
    (dispatcher,), _ = crew.muster(default=1)
    with holding_up_housekeeping():
        running = queued()
        until(lambda: outcomes(running) == [None])
        dispatcher.kill()
        dispatcher.wait()
        waiting = queued()
    until(lambda: state(running) == "done")
    assert state(waiting) == "queued"

    crew.muster(default=1)
    until(lambda: state(waiting) == "done")
    assert outcomes(running) == outcomes(waiting) == ["done"]


def test_it_fences_a_process_that_slept_past_its_lease(crew: Crew) -> None:
    _, (sleeper,) = crew.muster(default=1)
    with holding_up_housekeeping():
        job_id = queued()
        until(lambda: outcomes(job_id) == [None])
        zombie = horse_of(sleeper)
        sleeper.send_signal(signal.SIGSTOP)
        zombie.send_signal(signal.SIGSTOP)
        lease_runs_out()
        crew.hire("default")
        until(lambda: outcomes(job_id) == ["lost", None])
        owner = read(job_id).lease_token
        zombie.send_signal(signal.SIGCONT)
        sleeper.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        assert read(job_id).lease_token == owner

    until(lambda: state(job_id) == "done")
    psutil.wait_procs([zombie], timeout=5)
    assert outcomes(job_id) == ["lost", "done"]


def test_it_survives_redis_losing_all_it_knew_and_messages_that_come_twice(crew: Crew, redis: Redis) -> None:
    crew.muster()
    jobs = [queued() for _ in range(12)]
    until(lambda: all(read(job_id).dispatched_at for job_id in jobs))
    redis.flushall()
    until(lambda: all(read(job_id).dispatch_seq == 2 for job_id in jobs))
    redis.rpush("rq:queue:default", f"j{jobs[0]}-2", f"j{jobs[1]}-2", "j404-1")

    crew.muster(default=1)
    until(lambda: all(state(job_id) == "done" for job_id in jobs) and redis.llen("rq:queue:default") == 0)
    assert all(outcomes(job_id) == ["done"] for job_id in jobs)

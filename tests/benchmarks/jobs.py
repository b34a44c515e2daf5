"""How soon a job runs, how many run a second beside plain RQ on the same Redis, and how fast the list of a million is."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from redis import Redis
from rq import Queue
from rq.registry import FinishedJobRegistry
from sqlalchemy import text

from services.db import forget, transaction
from services.db.migrate import upgrade
from services.jobs import enqueue
from services.settings import ROOT, settings
from tests.benchmarks import finished_jobs, noop
from tests.benchmarks.figure import Figure, percentile
from tests.faults.oracle import scalar
from tests.faults.plant import Crew, Plant
from tests.system import Console, wait_for

PICKED_UP = 120
WORKERS = 2
NO_OPS = 600
ROUNDS = 12
CLAIMS = 300


def measure(size: int) -> Iterator[Figure]:
    """job_pickup_p95_ms, job_list_p95_ms, job_claim_p95_ms, jobs_per_s."""
    with Console.running() as console, _connected(console.environment):
        waits_ms = _waits_ms()
        beside: dict[str, float | str] = {"p50": percentile(waits_ms, 0.5), "jobs": float(PICKED_UP)}
        yield Figure("job_pickup_p95_ms", percentile(waits_ms, 0.95), "ms", "≤", 300, beside)
        finished_jobs.fill(size)
        taken = finished_jobs.list_ms(ROUNDS)
        every = [ms for times in taken.values() for ms in times]
        slowest: dict[str, float | str] = dict(list(finished_jobs.worst(taken))[:4])
        yield Figure("job_list_p95_ms", percentile(every, 0.95), "ms", "≤", 200, _beside(size, every) | slowest)
        claimed_ms = finished_jobs.claim_ms(CLAIMS)
        yield Figure("job_claim_p95_ms", percentile(claimed_ms, 0.95), "ms", "≤", 10, _beside(size, claimed_ms))
    yield _throughput()


def _beside(size: int, taken_ms: list[float]) -> dict[str, float | str]:
    return {"jobs": float(size), "p50": percentile(taken_ms, 0.5)}


@contextmanager
def _connected(environment: dict[str, str]) -> Iterator[None]:
    """This process on those stores."""
    with patch.dict(os.environ, environment):
        forget()
        settings.cache_clear()
        yield
        forget()
    settings.cache_clear()


def _waits_ms() -> list[float]:
    """From the commit of a job to the beginning of its attempt, on a console that has nothing else to do; both by this machine's clock."""
    chance = random.Random(19)
    committed: dict[int, float] = {}
    for _ in range(PICKED_UP):
        with transaction() as connection:
            job_id = enqueue(connection, "housekeeping", queue="default")
        assert job_id is not None
        committed[job_id] = time.time()
        wait_for(lambda: scalar("select count(*) from jobs where state <> 'done' and kind = 'housekeeping'") == 0, "its end")
        time.sleep(chance.uniform(0.05, 0.3))
    with transaction() as connection:
        rows = connection.execute(text("select job_id, extract(epoch from started_at)::float8 from job_attempts where attempt = 1"))
        return [(began - committed[job_id]) * 1_000 for job_id, began in rows if job_id in committed]


def _throughput() -> Figure:
    """Jobs that do nothing, by two workers each, one after the other on the same stores."""
    plant = Plant()
    plant.start_postgres()
    plant.start_redis()
    try:
        with _connected({"DATABASE_URL": plant.database_url, "REDIS_URL": plant.redis_url}):
            upgrade()
            ours, plain = _ours_per_s(), _plain_per_s(plant.redis_url)
    finally:
        plant.close()
    return Figure("jobs_per_s", ours, "/s", "≥", 20, {"plain RQ": plain, "share": ours / plain, "workers": float(WORKERS)})


def _ours_per_s() -> float:
    crew = Crew(1, WORKERS)
    try:
        _do_ours(20)
        return NO_OPS / _do_ours(NO_OPS)
    finally:
        crew.dismiss()


def _do_ours(jobs: int) -> float:
    began = time.perf_counter()
    with transaction() as connection:
        for _ in range(jobs):
            enqueue(connection, "fault.nothing", queue="default")
    unfinished = "select count(*) from jobs where kind = 'fault.nothing' and state <> 'done'"
    wait_for(lambda: scalar(unfinished) == 0, "the end of all jobs", 300)
    return time.perf_counter() - began


def _plain_per_s(url: str) -> float:
    redis = Redis.from_url(url)
    queue = Queue("plain", connection=redis)
    command = [sys.executable, "-m", "rq.cli", "worker", "plain", "--url", url, "--quiet"]
    workers = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) for _ in range(WORKERS)]
    try:
        _do_plain(queue, 20)
        return NO_OPS / _do_plain(queue, NO_OPS)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(20)
        redis.close()


def _do_plain(queue: Queue, jobs: int) -> float:
    registry = FinishedJobRegistry(queue=queue)
    before, began = registry.count, time.perf_counter()
    queue.enqueue_many([Queue.prepare_data(noop.nothing, args=[number]) for number in range(jobs)])
    wait_for(lambda: registry.count == before + jobs, "the end of all plain jobs", 300)
    return time.perf_counter() - began

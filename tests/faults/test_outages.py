"""Redis loses its memory, Postgres restarts, connections end in the middle of a commit: under load, and nobody restarts us."""

import time
from collections.abc import Callable

from services.db import transaction
from services.jobs import enqueue
from tests.faults.commits import CommitCutter
from tests.faults.oracle import Customers, Oracle, scalar
from tests.faults.plant import Crew, Plant
from tests.faults.report import Fault, scale
from tests.system import wait_for

MOST_S = 30.0
CUT_EVERY = 25
PER_S = 5


def done(keys: set[str], oracle: Oracle) -> bool:
    return keys <= oracle.effects().keys()


def test_redis_lost(plant: Plant, oracle: Oracle, muster: Callable[..., Crew], fault: Fault) -> None:
    times, down_s = scale(1, 3), scale(2, 30)
    crew = muster(dispatchers=2, workers=3)
    before = [process.pid for process in crew.of("dispatcher") + crew.of("default")]
    customers = Customers(oracle, plant.database_url, PER_S, lambda _: {"pause_s": 0.02})
    customers.start()
    first_s, drained_s, while_down = [], [], []
    for _ in range(times):
        time.sleep(scale(1, 5))
        plant.lose_redis()
        known = len(oracle.acknowledged())
        time.sleep(down_s)
        while_down.append(len(oracle.acknowledged()) - known)
        plant.start_redis()
        waiting = set(oracle.acknowledged())
        first_s.append(_goes_on_after(oracle))
        drained_s.append(first_s[-1] + _drained_after(waiting, oracle))
    customers.stop()
    oracle.wait_until_quiet(60)
    fault.done = f"Redis killed and emptied {times} times, down {down_s} s each, at {PER_S} jobs/s"
    fault.finds("lost", oracle.lost(), "=", 0)
    fault.finds("effects twice", oracle.twice(), "=", 0)
    fault.finds("works again after s, worst", max(first_s))
    fault.finds("drained after s, worst", max(drained_s), "≤", MOST_S)
    fault.finds("enqueues refused", customers.refused, "=", 0)
    fault.finds("enqueued while down, least", min(while_down), "≥", PER_S * down_s / 2)
    fault.finds("slowest enqueue s", customers.slowest_s)
    fault.finds("restarted", len(set(before) - {process.pid for process in crew.of("dispatcher") + crew.of("default")}), "=", 0)
    fault.holds()


def test_postgres_restarted(plant: Plant, oracle: Oracle, muster: Callable[..., Crew], fault: Fault) -> None:
    times = scale(1, 3)
    cable = CommitCutter(plant.database_url)
    crew = muster(dispatchers=2, workers=2, DATABASE_URL=cable.url, LEASE_S="6")
    before = [process.pid for process in crew.of("dispatcher") + crew.of("default")]
    customers = Customers(oracle, cable.url, 8, lambda _: {"pause_s": 0.02})
    customers.start()
    recovered_s = []
    for number in range(times):
        cable.every = CUT_EVERY
        time.sleep(scale(3, 30))
        cable.every = 0
        plant.stop_postgres()
        time.sleep(scale(1, 5))
        plant.start_postgres()
        recovered_s.append(_recovered_after(f"fresh{number}", oracle))
    customers.stop()
    oracle.wait_until_quiet(60)
    fault.done = (
        f"Postgres restarted {times} times (immediate shutdown), one in {CUT_EVERY} messages of commits cut "
        f"({cable.cut['before']} before it arrived, {cable.cut['after']} before its answer did), at 8 jobs/s"
    )
    fault.finds("commits cut", sum(cable.cut.values()), "≥", scale(2, 60))
    fault.finds("acknowledged", len(oracle.acknowledged()))
    fault.finds("enqueues in doubt", customers.refused)
    fault.finds("lost", oracle.lost(), "=", 0)
    fault.finds("effects twice", oracle.twice(), "=", 0)
    fault.finds("works again after s, worst", max(recovered_s), "≤", MOST_S)
    fault.finds("attempts lost", scalar("select count(*) from job_attempts where outcome = 'lost'"))
    fault.finds("restarted", len(set(before) - {process.pid for process in crew.of("dispatcher") + crew.of("default")}), "=", 0)
    fault.holds()


def _goes_on_after(oracle: Oracle) -> float:
    """Seconds until another job is done."""
    began, known = time.monotonic(), oracle.effects().total()
    wait_for(lambda: oracle.effects().total() > known, "the first job after the outage", 90)
    return time.monotonic() - began


def _drained_after(keys: set[str], oracle: Oracle) -> float:
    """Seconds until all of these are done."""
    began = time.monotonic()
    wait_for(lambda: done(keys, oracle), "the end of everything enqueued before", 90)
    return time.monotonic() - began


def _recovered_after(key: str, oracle: Oracle) -> float:
    """Seconds until a job that is enqueued now is done."""
    began = time.monotonic()
    with transaction() as connection:
        enqueue(connection, "fault.effect", {"key": key, "pause_s": 0}, queue="default", max_attempts=1_000)
    oracle.acknowledge(key)
    wait_for(lambda: done({key}, oracle), "the first job after the outage", 90)
    return time.monotonic() - began

"""SIGKILL of workers, of the processes that run their jobs, of both and of dispatchers, at random moments under load."""

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.faults.oracle import Customers, Oracle, scalar
from tests.faults.plant import Crew, Plant, Process, horses
from tests.faults.report import SEED, Fault, scale

LEASE_S = "4"
VICTIMS = ("worker", "horse", "both", "dispatcher")
AIM_S = 0.5


def test_kills(plant: Plant, oracle: Oracle, muster: Callable[..., Crew], fault: Fault) -> None:
    kills, jobs, per_s = scale(8, 200), scale(120, 5_000), scale(20, 17)
    chance = random.Random(SEED)
    pauses_s = [chance.uniform(0, 0.12) for _ in range(jobs)]
    crew = muster(dispatchers=2, workers=3, LEASE_S=LEASE_S)
    crew.keep()
    customers = Customers(oracle, plant.database_url, per_s, lambda number: {"pause_s": pauses_s[number]})
    customers.most = jobs
    customers.start()
    killed: Counter[str] = Counter()
    while killed.total() < kills:
        time.sleep(chance.uniform(0.4, 1.2) * jobs / per_s / kills)  # the last one shortly before the last job
        if kill(crew, victim := chance.choice(VICTIMS), chance):
            killed[victim] += 1
    customers.join()
    drained_s = oracle.wait_until_quiet(60)
    fault.done = f"{kills} SIGKILLs over {jobs} jobs ({', '.join(f'{victim} {killed[victim]}' for victim in VICTIMS)}), seed {SEED}"
    fault.finds("acknowledged", len(oracle.acknowledged()), "=", jobs)
    fault.finds("lost", oracle.lost(), "=", 0)
    fault.finds("effects twice", oracle.twice(), "=", 0)
    cut = scalar("select count(*) from job_attempts where outcome = 'lost'")
    fault.finds("attempts cut", cut)
    fault.finds("billed beyond the attempts cut", max(0, oracle.billed() - jobs - cut), "=", 0)
    fault.finds("drained after s", drained_s)
    fault.holds()


def kill(crew: Crew, victim: str, chance: random.Random) -> bool:
    """Kill one of those; one that has a job in hand, if there is any soon."""
    if victim == "dispatcher":
        return _end(chance.choice(crew.of("dispatcher") or [None]))
    deadline = time.monotonic() + AIM_S
    while not (busy := [(worker, running) for worker in crew.of("default") if (running := horses(worker))]):
        if time.monotonic() > deadline:
            return victim == "worker" and _end(chance.choice(crew.of("default") or [None]))
        time.sleep(0.005)
    worker, running = chance.choice(busy)
    gone = False
    if victim in ("horse", "both"):
        for horse in running:
            with suppress(psutil.NoSuchProcess):
                horse.kill()
                gone = True
    return _end(worker) if victim in ("worker", "both") else gone


def _end(process: Process | None) -> bool:
    if process is None:
        return False
    process.kill()
    return True

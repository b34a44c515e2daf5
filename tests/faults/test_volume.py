"""A table full of finished jobs slows neither its list nor the claim of the next job."""

from tests.benchmarks import finished_jobs
from tests.benchmarks.figure import percentile
from tests.faults.oracle import Oracle
from tests.faults.report import Fault, scale

CROWDED = scale(5, 1)  # the short run shares the machine with other tests


def test_a_million_finished_jobs(oracle: Oracle, fault: Fault) -> None:
    jobs = scale(20_000, 1_000_000)
    finished_jobs.fill(jobs)
    taken = finished_jobs.list_ms(rounds=scale(3, 20))
    claimed_ms = finished_jobs.claim_ms(scale(50, 500))
    every = [ms for times in taken.values() for ms in times]
    slowest, middle_ms = next(finished_jobs.worst(taken))
    fault.done = f"{jobs} finished jobs; {len(taken)} lists by filter, with their count and the next page; the slowest: {slowest}"
    fault.finds("list and filter p95 ms", percentile(every, 0.95), "≤", 200 * CROWDED)
    fault.finds("slowest list, median ms", middle_ms, "≤", 200 * CROWDED)
    fault.finds("claim p95 ms", percentile(claimed_ms, 0.95), "≤", 10 * CROWDED)
    fault.holds()

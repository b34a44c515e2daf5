"""`python -m tests.faults.entry dispatch|work QUEUE`: `python -m workers`, with the jobs of the fault tests and a clock of their own.

LEASE_S in the environment shortens the lease, and with it how often a job beats, and how often and after how long others look for it.
"""

import os
import sys
from functools import partial

from services.jobs import claim
from services.jobs.processes import Process
from workers import __main__ as ours
from workers import dispatch, registry, running, worker
from workers.registry import Kind

KINDS = {
    "fault.effect": Kind("tests.faults.kinds:effect", "default", 60, frequent=True),
    "fault.nothing": Kind("tests.faults.kinds:nothing", "default", 60, frequent=True),
    "fault.poison": Kind("tests.faults.kinds:poison", "default", 60, frequent=True),
}


def shorten(lease_s: float) -> None:
    """Everything that waits for a lease, in proportion."""
    claim.LEASE_S = lease_s  # type: ignore[assignment]
    claim.BEAT_S = lease_s / 3  # type: ignore[assignment]
    running.TICK_S = min(running.TICK_S, lease_s / 10)
    dispatch.RECONCILE_S = min(dispatch.RECONCILE_S, lease_s / 4)
    dispatch.UNCLAIMED_S = lease_s


def call_host(name: str) -> None:
    """Where no namespace may be made, a name must do."""
    for module in (dispatch, worker):
        vars(module)["Process"] = partial(Process, host=name)


if __name__ == "__main__":
    registry.KINDS.update(KINDS)
    if "LEASE_S" in os.environ:
        shorten(float(os.environ["LEASE_S"]))
    if "HOST_NAME" in os.environ:
        call_host(os.environ["HOST_NAME"])
    sys.exit(ours.main())

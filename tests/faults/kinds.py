"""What the workers do in a fault test: a provider that bills, a row that may exist once, and a note of what happened to whom."""

import os
import signal
import time
import urllib.request
from pathlib import Path

from sqlalchemy import text

from services.db import transaction
from services.jobs.claim import Fenced
from workers.running import Running

STEP_S = 0.05


def effect(job: Running) -> dict[str, object] | None:
    """Args: key, pause_s, heeds (stops when told to), slow_once (only the first attempt pauses)."""
    note("began", job)
    _pay(job)
    until = time.monotonic() + (0.0 if job.args.get("slow_once") and job.attempt > 1 else float(job.args["pause_s"]))
    while (left_s := until - time.monotonic()) > 0:
        if job.args.get("heeds") and job.stopping():
            return None
        time.sleep(min(STEP_S, left_s))
    try:
        with transaction() as connection:
            connection.execute(
                text("insert into effects (key, attempt, pid) values (:key, :attempt, :pid)"),
                {"key": job.args["key"], "attempt": job.attempt, "pid": os.getpid()},
            )
            job.finish(connection, {"key": job.args["key"]})
    except Fenced:
        note("fenced", job)
        raise
    return None


def nothing(_job: Running) -> None:
    """As fast as it gets."""


def poison(job: Running) -> None:
    """Whoever takes it, dies."""
    note("began", job)
    os.kill(os.getpid(), signal.SIGKILL)


def note(what: str, job: Running) -> None:
    """One line of one write: `what key attempt pid`."""
    with Path(os.environ["NOTES"]).open("ab", buffering=0) as notes:
        notes.write(f"{what} {job.args['key']} {job.attempt} {os.getpid()}\n".encode())


def _pay(job: Running) -> None:
    """The side effect that no transaction can take back."""
    with urllib.request.urlopen(os.environ["PROVIDER"], data=f"{job.args['key']} {job.attempt}".encode(), timeout=10):  # noqa: S310 - ours
        pass

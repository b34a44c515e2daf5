"""The one wrapper around every job: claim, run, and one fenced ending. RQ calls `run` in a fresh process with the id of a job."""

import logging
import os
import signal
import time
import traceback
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TypeVar

from rq import get_current_job
from sqlalchemy import Connection

from services.db import transaction
from services.errors import Unavailable
from services.jobs import claim
from services.jobs.claim import Fenced
from services.jobs.truth import as_json
from workers import registry
from workers.running import Heart, Running, draining

INSIST_S = 30.0

Answer = TypeVar("Answer")
log = logging.getLogger("jobs")


class Attempt:
    """Catches whatever a handler raises, exits and time-outs too: it must end in the job's row, or the job would look lost."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._error: BaseException | None = None
        self._trace = ""
        self.result: dict[str, object] | None = None

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        signal.alarm(0)  # RQ's time limit is for the handler, not for writing down how it ended
        if error is not None:
            self._error, self._trace = error, "".join(traceback.format_exception(error))
        return True

    @property
    def settled(self) -> bool:
        """The handler has finished the job itself. What failed after that may have undone it, with the rest of its transaction."""
        return self._running.finished and self._error is None

    def write(self, connection: Connection) -> str:
        """Write how it ended; the words for the log. Raises Fenced."""
        job = self._running.job
        if self._error is not None:
            decision = claim.fail(connection, job, self._error, self._trace)
            again = f"again in {decision.delay_s:.1f} s" if decision.state == "retry" else decision.state
            return f"failed with {type(self._error).__name__}: {self._error}; {again}"
        if not self._running.told_to_stop:
            claim.finish(connection, job, self.result)
            return "done"
        if self._running.cancelled:
            claim.stopped(connection, job, self.result)
            return "cancelled"
        claim.release(connection, job)
        return "given back"


def run(job_id: int) -> None:
    """Do the job if it is there to be done; a message that comes twice, or too late, does nothing."""
    message = get_current_job()
    worker = (message.worker_name if message else None) or "unknown"
    if draining():
        return  # unclaimed: the dispatcher notices and hands it over again
    job = insist(partial(claim.claim, job_id=job_id, worker=worker, pid=os.getpid()))
    if job is None:
        return
    what, began = f"{job.kind} {job.id} attempt {job.attempt}", time.monotonic()
    running = Running(job)
    heart = Heart(running)
    heart.start()
    with Attempt(running) as attempt:
        attempt.result = registry.handler(job.kind)(running)
        as_json(attempt.result)
    heart.stop()
    try:
        told = "done" if attempt.settled else insist(attempt.write)
        log.info("%s: %s, %.2f s", what, told, time.monotonic() - began)
    except Fenced:
        log.warning("%s: its lease was lost, nothing is written", what)
    except Unavailable as error:
        log.warning("%s: its end could not be written, so its lease will expire: %s", what, error)


def insist(step: Callable[[Connection], Answer]) -> Answer:
    """Run `step` in a transaction, again and again while Postgres is away. Only for steps that are safe to repeat."""
    deadline = time.monotonic() + INSIST_S
    while True:
        try:
            with transaction() as connection:
                return step(connection)
        except Unavailable:
            if time.monotonic() > deadline or draining():
                raise
        time.sleep(0.5)

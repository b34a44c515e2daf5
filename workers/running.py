"""A job while it runs, as its handler sees it; and the heart that beats for it."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection

from services.db import transaction
from services.errors import Unavailable
from services.jobs import Job, claim
from services.jobs.claim import Fenced
from services.jobs.truth import clean

TICK_S = 0.25
REPORT_S = 1.0  # progress reaches the database at most this often
LOOK_S = 2.0  # how often the heart looks whether somebody cancelled the job
LONGEST_NOTE = 500
GRACE_S = 5.0  # how long a job may take to stop when it is cancelled or its worker goes down

log = logging.getLogger("jobs")


class Running:
    """`report` progress, ask `stopping` between steps, and return early when it says so."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.id, self.kind, self.args, self.attempt = job.id, job.kind, job.args, job.attempt
        self.finished = False
        self.told_to_stop = False
        self.cancelled = False
        self.fenced = False
        self._progress: dict[str, Any] | None = None

    def report(self, done: int, total: int, note: str = "") -> None:
        """How far the job is; shown within a second or two."""
        self._progress = {"done": done, "total": total, "note": clean(note, LONGEST_NOTE)}

    def stopping(self) -> bool:
        """True when the job was cancelled, lost its lease or its worker goes down: stop at a clean point."""
        self.told_to_stop = self.told_to_stop or self.fenced or self.cancelled or draining()
        return self.told_to_stop

    def finish(self, connection: Connection, result: dict[str, object] | None = None, result_ref: str | None = None) -> None:
        """Finish the job in the transaction of its effects, as the last thing in it, so that both count exactly once. Raises Fenced."""
        claim.finish(connection, self.job, result, result_ref)
        self.finished = True

    def take_progress(self) -> dict[str, Any] | None:
        """What was reported since the last call."""
        progress, self._progress = self._progress, None
        return progress


class Heart(threading.Thread):
    """Keeps the lease of a running job, on a connection of its own, until `stop`."""

    def __init__(self, running: Running) -> None:
        super().__init__(name=f"heart of job {running.id}", daemon=True)
        self._running = running
        self._over = threading.Event()
        self._beat_at = self._reported_at = self._looked_at = time.monotonic()
        self._told_since: float | None = None

    def run(self) -> None:
        while not self._over.wait(TICK_S) and not self._running.fenced:
            now = time.monotonic()
            if now - self._reported_at >= REPORT_S:
                self._reported_at = now
                self._beat(self._running.take_progress())
            if now - self._looked_at >= LOOK_S:
                self._ask(claim.asked)
            if draining() or self._running.cancelled:
                self._told_since = self._told_since or now
                if now - self._told_since > GRACE_S:
                    self._end()

    def stop(self) -> None:
        self._over.set()

    def _beat(self, progress: dict[str, Any] | None) -> None:
        if progress is None and time.monotonic() - self._beat_at < claim.BEAT_S:
            return
        if self._ask(partial(claim.heartbeat, progress=progress)):
            self._beat_at = time.monotonic()

    def _ask(self, step: Callable[[Connection, Job], bool]) -> bool:
        """Learn whether the job was cancelled or lost; False when nobody could say."""
        try:
            with transaction() as connection:
                self._running.cancelled = step(connection, self._running.job)
            self._looked_at = time.monotonic()
        except Fenced:
            self._running.fenced = not self._over.is_set()
        except Unavailable as error:
            log.warning("job %s: no heartbeat: %s", self._running.id, error)
            return False
        except Exception:
            log.exception("job %s: no heartbeat", self._running.id)  # a heart that stops for good would lose the job
            return False
        return True

    def _end(self) -> None:
        """The handler does not stop by itself: end the attempt and this process, whatever the handler is waiting for."""
        end, told = (claim.stopped, "stopped") if self._running.cancelled else (claim.release, "given back, its worker goes down")
        try:
            with transaction() as connection:
                end(connection, self._running.job)
            log.info("job %s: %s", self._running.id, told)
        except (Fenced, Unavailable) as error:
            log.warning("job %s: not %s: %s", self._running.id, told, error)
        os._exit(0)


def draining() -> bool:
    """True once the worker was asked to end. The job's process keeps SIGTERM blocked, so it stays pending for whoever asks,
    even while the handler is deep inside a driver and no Python signal handler would run."""
    return signal.SIGTERM in signal.sigpending()

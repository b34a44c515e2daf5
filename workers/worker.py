"""The worker of one queue: plain RQ, forking for each job, with the edges that lose or burn jobs filed off."""

import ctypes
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.job import Job as Message

from services.db import hang_up, transaction
from services.errors import Unavailable
from services.jobs import claim, processes
from services.jobs.processes import Process
from workers import queues, registry

WORKER_TTL_S = 25  # RQ blocks 15 s less than this for a message, so the worker beats every 10 s
STOPS = (signal.SIGTERM, signal.SIGINT)
QUIET_POLL_S = 2.0
OVERDUE_S = 15.0  # a job's process ends itself within a few seconds of being asked; what still lives then hangs
PR_SET_PDEATHSIG = 1

log = logging.getLogger("workers")


class JobWorker(Worker):
    """One queue a process: only then does RQ move a message instead of popping it."""

    max_connection_wait_time = 2.0  # RQ's own back-off would sleep a minute after Redis is back

    def __init__(self, queue: Queue, process: Process) -> None:
        super().__init__(
            [queue],
            name=process.name,
            connection=queue.connection,
            serializer="json",
            worker_ttl=WORKER_TTL_S,
            job_monitoring_interval=processes.BEAT_S,
            log_job_description=False,
            work_horse_killed_handler=self._give_up,
        )
        self._process = process
        self._beat_at: float | None = None
        self._quiet = False

    @property
    def stop_requested(self) -> bool:
        return self._shutdown_requested_date is not None

    def register_birth(self) -> None:
        """The name is this process's own: what an earlier life of it left in Redis is no namesake."""
        self.connection.delete(self.key)
        super().register_birth()  # type: ignore[no-untyped-call]

    def subscribe(self) -> None:
        """No control channel: nothing is steered through Redis, and no thread is alive when the worker forks."""

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        super().heartbeat(timeout, pipeline)
        if not self.is_horse and (self._beat_at is None or time.monotonic() - self._beat_at >= processes.BEAT_S - 1):
            self._beat_at = time.monotonic()
            self._quiet = beat(self._process)

    def check_for_suspension(self, burst: bool) -> None:  # noqa: ARG002 - RQ's signature
        """While an operator wants this worker quiet, or Postgres is away, take no message. One taken meanwhile is refused by the claim."""
        if self._beat_at is None:
            self.heartbeat()
        while self._quiet and not self.stop_requested:
            time.sleep(QUIET_POLL_S)
            self._beat_at = None
            self.heartbeat()

    def execute_job(self, job: Message, queue: Queue) -> None:
        """Only messages of ours: RQ would import and call any function that a message names, for whoever may write to Redis."""
        if queues.is_ours(job):
            super().execute_job(job, queue)
        else:
            log.error("refused message %s: it asks for something else than a job", job.id)
            queue.intermediate_queue.remove(job.id)

    def maintain_heartbeats(self, job: Message) -> None:
        """A running job outlives Redis: its truth and its lease are elsewhere."""
        try:
            super().maintain_heartbeats(job)
        except RedisError as error:
            log.warning("no heartbeat to Redis: %s", error)
            self._quiet = beat(self._process)
        if self._is_overdue(job):
            log.warning("job %s was asked to stop or lost its lease, and hangs: its process is ended", job.args[0])
            self.kill_horse()

    def fork_work_horse(self, job: Message, queue: Queue) -> None:
        """SIGTERM is blocked over the fork: the parent's waits a moment, and the job's process finds its own pending whenever it looks."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        super().fork_work_horse(job, queue)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def setup_work_horse_signals(self) -> None:
        """In the job's process: end with the parent, and leave SIGTERM pending for `running.draining`."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        die_with_parent(self._process.pid)

    def handle_warm_shutdown_request(self) -> None:
        """Pass the request on to the running job, which stops at a clean point or gives its job back."""
        if self.horse_pid:
            with suppress(ProcessLookupError):  # it ended just now
                os.kill(self.horse_pid, signal.SIGTERM)

    def request_force_stop(self, _signal: int, _frame: FrameType | None) -> None:
        """Asked twice, it goes no faster: the job's process gives up within seconds anyway, and killing it would burn the attempt."""
        log.warning("asked to stop again: the running job is about to end or to be given back")

    def set_current_job_working_time(self, current_job_working_time: float, pipeline: Pipeline | None = None) -> None:  # noqa: ARG002
        """Not kept in Redis either: a worker that waits for its job's process must not leave it alone because Redis is away."""
        self.current_job_working_time = current_job_working_time

    def set_shutdown_requested_date(self) -> None:
        """Not kept in Redis: nobody reads it, and Redis may be what is going down."""

    def _is_overdue(self, message: Message) -> bool:
        try:
            with transaction() as connection:
                return claim.overdue(connection, int(message.args[0]), self.name, self.horse_pid, OVERDUE_S)
        except Unavailable:
            return False
        finally:
            hang_up()

    def _give_up(self, message: Message, *_: object) -> None:
        """The job's process is dead: if it was to stop it has, and else its lease need not run out first."""
        job_id = int(message.args[0])
        try:
            with transaction() as connection:
                if not claim.stopped_hard(connection, job_id, self.name):
                    claim.abandon(connection, job_id, self.name)
        except Unavailable as error:
            log.warning("job %s died and waits for its lease: %s", job_id, error)
        hang_up()


def work(queue_name: str) -> int:
    """Work until asked to stop; comes back by itself when Redis or Postgres does."""
    registry.preload(queue_name)
    gc.collect()
    gc.freeze()  # what is loaded now is shared with every job's process
    # A move makes objects by the hundred thousand that live until it ends: looking through them again and again took a fifth of its time.
    gc.set_threshold(50_000, 20, 20)
    process = Process("worker", queue_name)
    log.info("working on %s as %s", queue_name, process.name)
    try:
        while not _work_once(queue_name, process):
            time.sleep(0.5)
    finally:
        leave(process)
    return 0


def _work_once(queue_name: str, process: Process) -> bool:
    """One life of an RQ worker; True when it ended because it was asked to."""
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    redis = queues.connect(timeout_s=WORKER_TTL_S)  # longer than RQ blocks
    try:
        _wait_for(redis, process)
        worker = JobWorker(queues.queue(redis, queue_name), process)
        try:
            worker.work(logging_level="WARNING")
        finally:
            stopped = worker.stop_requested
    except RedisError as error:
        log.warning("Redis went away: %s", error)
        return False
    return stopped


def _wait_for(redis: Redis, process: Process) -> None:
    pause_s = 0.25
    while True:
        beat(process)
        try:
            redis.ping()
        except RedisError as error:
            log.warning("waiting for Redis: %s", error)
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 2.0)
        else:
            return


def beat(process: Process) -> bool:
    """Beat, and close the connection again: none may be open when the worker forks. True when no job is to be taken: an operator
    said so, or Postgres does not answer, and whoever still reaches it had better take the next message."""
    quiet = True
    with _undisturbed():
        try:
            with transaction() as connection:
                quiet = processes.beat(connection, process)
        except Unavailable as error:
            log.warning("no heartbeat to Postgres: %s", error)
        hang_up()
    return quiet


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A request to stop waits: RQ's handler raises, and the pool swallows what is raised while it closes a connection."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def leave(process: Process) -> None:
    """Take the process off the list; if that fails, its silence does."""
    try:
        with transaction() as connection:
            processes.leave(connection, process)
    except Unavailable as error:
        log.warning("not taken off the list: %s", error)


def die_with_parent(parent: int) -> None:
    """Without its worker nobody watches this process, and another one does its job soon. Beyond Linux the fence must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def _exit(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)

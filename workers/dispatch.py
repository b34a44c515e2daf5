"""The dispatcher: makes standing work, hands due jobs to RQ, and rescues what was left behind. Any number may run."""

import logging
import signal
import time
from collections.abc import Callable
from types import FrameType

from redis import Redis
from redis.exceptions import RedisError

from services import schedules
from services.ai import lost
from services.db import transaction
from services.db.listen import Listener
from services.errors import Unavailable
from services.jobs import dispatch, processes, reconcile, standing
from services.jobs.processes import Process
from workers import queues, registry

POLL_S = 1.0
SPACING_S = 0.05  # a storm of wakes makes no storm of passes
RECONCILE_S = 5.0
SCHEDULES_S = 1.0
SCHEDULES_PAUSE_S = 5.0
UNCLAIMED_S = 30.0
HOUSEKEEPING_S = 60.0
LONGEST_PAUSE_S = 2.0

log = logging.getLogger("dispatcher")


class Dispatcher:
    """One loop, no threads: if it hangs, its heartbeat does too."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._process = Process("dispatcher")
        self._stop = False
        self._has_builtin = False
        self._due_at: dict[str, float] = {}
        self._failures = {"Postgres": 0, "Redis": 0}

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        self._stop = True

    def run(self) -> None:
        """Dispatch until `stop`; outlives outages of Postgres and Redis."""
        log.info("dispatching as %s", self._process.name)
        while not self._stop:
            try:
                self._listen()
            except Unavailable as error:
                time.sleep(self._pause_after("Postgres", error))
        self._leave()

    def _listen(self) -> None:
        """Work at every wake, and once a second without one. Raises Unavailable when Postgres is."""
        listener = Listener("jobs", "inbox")
        try:
            while not self._stop:
                began = time.monotonic()
                self._pass()
                self._back("Postgres")
                listener.wait(POLL_S)
                time.sleep(max(0.0, began + SPACING_S - time.monotonic()))
        finally:
            listener.close()

    def _pass(self) -> None:
        with transaction() as connection:
            if self._is_time("beat", processes.BEAT_S):
                processes.beat(connection, self._process)
            standing.want_move(connection)
            if self._is_time("housekeeping", HOUSEKEEPING_S):
                standing.want_zone(connection)
        self._look_at_schedules()
        if self._is_time("reconcile", RECONCILE_S):
            self._rescue()
            self._write_off()
            self._with_redis(self._hand_over_forgotten)
        self._with_redis(self._hand_over)

    def _look_at_schedules(self) -> None:
        """What is due by the clock becomes jobs. Whatever goes wrong here must not keep the jobs that are there waiting."""
        if not self._is_time("schedules", SCHEDULES_S):
            return
        try:
            with transaction() as connection:
                if not self._has_builtin:
                    schedules.ensure_builtin(connection)
                schedules.tick(connection)
            self._has_builtin = True
        except Exception:
            self._due_at["schedules"] = time.monotonic() + SCHEDULES_PAUSE_S
            log.exception("the schedules could not be looked at")

    def _with_redis(self, step: Callable[[], None]) -> None:
        """While Redis is away everything else goes on, and it is asked again after a pause."""
        if time.monotonic() < self._due_at.get("Redis", 0.0):
            return
        try:
            step()
        except RedisError as error:
            self._due_at["Redis"] = time.monotonic() + self._pause_after("Redis", error)
        else:
            self._back("Redis")

    def _hand_over(self) -> None:
        for name in registry.QUEUES:
            with transaction() as connection:
                queues.hand_over(self._redis, dispatch.take(connection, name))

    def _rescue(self) -> None:
        with transaction() as connection:
            if not reconcile.alone(connection):
                return
            rescued = reconcile.rescue(connection)
            reconcile.forget_silent(connection)
        for job, decision in rescued:
            log.warning("%s %s attempt %s was lost: %s", job.kind, job.id, job.attempt, decision.state)

    def _write_off(self) -> None:
        """Calls to models whose worker died: what they cost stays unknown."""
        if lost_calls := lost.write_off():
            log.warning("%s calls to models have no ending: what they cost is unknown", lost_calls)

    def _hand_over_forgotten(self) -> None:
        """Redis may lose messages, and a worker may die with one: what nobody carries is dispatched again."""
        with transaction() as connection:
            redis_lost = queues.woke_up(self._redis)
            gone = queues.forgotten(self._redis, dispatch.unclaimed(connection, 0.0 if redis_lost else UNCLAIMED_S))
            again = dispatch.take_back(connection, gone, redis_lost=redis_lost)
        if again:
            log.warning("%s jobs are handed over again: their messages are gone", again)

    def _is_time(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._due_at.get(what, 0.0):
            return False
        self._due_at[what] = now + every_s
        return True

    def _pause_after(self, part: str, error: Exception) -> float:
        """Say so once, and wait longer each time, but never so long that coming back takes long."""
        if self._failures[part] == 0:
            log.warning("waiting for %s: %s", part, error)
        self._failures[part] += 1
        return min(LONGEST_PAUSE_S, 0.125 * 2.0 ** self._failures[part])

    def _back(self, part: str) -> None:
        if self._failures[part]:
            log.info("%s is back", part)
        self._failures[part] = 0

    def _leave(self) -> None:
        try:
            with transaction() as connection:
                processes.leave(connection, self._process)
        except Unavailable as error:
            log.warning("not taken off the list: %s", error)


def dispatch_jobs() -> int:
    """Dispatch until SIGTERM or SIGINT."""
    dispatcher = Dispatcher(queues.connect())
    signal.signal(signal.SIGTERM, dispatcher.stop)
    signal.signal(signal.SIGINT, dispatcher.stop)
    dispatcher.run()
    return 0

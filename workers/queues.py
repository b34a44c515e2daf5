"""RQ as a messenger: it carries ids of jobs and nothing else, and may forget them."""

from redis import Redis
from rq import Queue
from rq.exceptions import DeserializationError
from rq.job import Job

from services.errors import Unavailable
from services.jobs.dispatch import Handover
from services.settings import settings
from workers import registry
from workers.run import run

AWAKE = "binnacle:awake"
RUN = f"{run.__module__}.{run.__qualname__}"
DAY_S, HOUR_S, MINUTE_S = 86_400, 3_600, 60


def connect(timeout_s: float = 5.0) -> Redis:
    """A client for REDIS_URL; connects on first use. Raises Unavailable when the setting is missing."""
    url = settings().redis_url
    if url is None:
        raise Unavailable("REDIS_URL is not set: start with `make run`, or point it at a Redis or Valkey from 6.2 on.")
    return Redis.from_url(url.get_secret_value(), socket_connect_timeout=2.0, socket_timeout=timeout_s)


def queue(redis: Redis, name: str) -> Queue:
    """The queue of that name; JSON, because a pickle would let whoever reaches Redis run code here."""
    return Queue(name, connection=redis, serializer="json")


def hand_over(redis: Redis, handovers: list[Handover]) -> None:
    """Send the messages of one queue, all or none. RQ neither retries nor remembers: Postgres does."""
    if not handovers:
        return
    queue(redis, handovers[0].queue).enqueue_many(
        [
            Queue.prepare_data(
                run,
                args=[handover.id],
                job_id=message_id(handover),
                description=f"{handover.kind} {handover.id}",
                timeout=registry.timeout_s(handover.kind),
                ttl=DAY_S,
                result_ttl=MINUTE_S,
                failure_ttl=HOUR_S,
                retry=None,
            )
            for handover in handovers
        ]
    )


def forgotten(redis: Redis, handovers: list[Handover]) -> list[Handover]:
    """Those that wait in no queue. A message that a worker took but never began is as good as forgotten: sending it again is harmless."""
    waiting = {name: set(queue(redis, name).get_job_ids()) for name in {handover.queue for handover in handovers}}
    gone = [handover for handover in handovers if message_id(handover) not in waiting[handover.queue]]
    for handover in gone:
        intermediate = queue(redis, handover.queue).intermediate_queue
        intermediate.remove(message_id(handover))  # or RQ's own clean-up would stumble over it
    return gone


def woke_up(redis: Redis) -> bool:
    """True once after Redis lost its memory: then every message it had is gone too."""
    return bool(redis.set(AWAKE, 1, nx=True))


def is_ours(message: Job) -> bool:
    """Whether a message asks for the run of one job by its id, and for nothing around it."""
    try:
        asked = (message.func_name, message.instance, message.kwargs)
        (job_id,) = message.args
    except (DeserializationError, TypeError, ValueError):
        return False
    around = (message._success_callback_name, message._failure_callback_name, message._stopped_callback_name)  # noqa: SLF001 - reading the property would import it
    return asked == (RUN, None, {}) and type(job_id) is int and not any(around)


def message_id(handover: Handover) -> str:
    return f"j{handover.id}-{handover.seq}"

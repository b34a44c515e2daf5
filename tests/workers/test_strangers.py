"""Messages that somebody else wrote to Redis: refused, whatever they name, and the worker goes on."""

from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Callback
from rq.job import Job as Message

from services.jobs.dispatch import Handover
from tests.workers.conftest import Crew, queued, state, until
from workers import queues


def test_it_calls_nothing_but_its_own(crew: Crew, redis: Redis, tmp_path: Path) -> None:
    _, (worker,) = crew.muster(default=1)
    queue = queues.queue(redis, "default")
    made = [tmp_path / "by-function", tmp_path / "by-garbage"]
    queue.enqueue("os.mkdir", str(made[0]))
    garbled = queue.enqueue("os.mkdir", str(made[1]))
    redis.hset(garbled.key, "data", b"no JSON")
    job_id = queued()

    until(lambda: state(job_id) == "done")
    assert not any(path.exists() for path in made)
    assert queue.intermediate_queue.get_job_ids() == []
    assert worker.poll() is None


def test_a_message_of_the_dispatcher_is_ours(redis: Redis) -> None:
    queues.hand_over(redis, [Handover(505, "housekeeping", "nobody", 1)])
    message = Message.fetch("j505-1", connection=redis, serializer="json")
    assert queues.is_ours(message)
    message.delete()


@pytest.mark.parametrize(
    "told",
    [
        {"func": "os.system", "args": ["true"]},
        {"func": queues.RUN, "args": []},
        {"func": queues.RUN, "args": ["505"]},
        {"func": queues.RUN, "args": [505, 1]},
        {"func": queues.RUN, "args": [505], "kwargs": {"worker": "me"}},
        {"func": queues.RUN, "args": [505], "on_failure": Callback(print)},
    ],
    ids=["another function", "no number", "a number in words", "too many", "named arguments", "a callback"],
)
def test_anything_more_or_less_is_not(redis: Redis, told: dict[str, Any]) -> None:
    assert not queues.is_ours(Message.create(**told, connection=redis, serializer="json"))

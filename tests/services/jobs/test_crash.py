"""Enqueue, dispatch, claim, finish and reconcile are each cut at every statement and commit, while a second dispatcher and a second worker
do theirs at that very moment; the first then dies, or goes on. Whatever happens, every acknowledged job is done, and its effect is there once."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from services.db import transaction
from services.errors import Unavailable
from services.jobs import Job, claim, control, dispatch, enqueue, reconcile
from services.jobs.claim import Fenced
from services.jobs.dispatch import Handover
from tests.crash import Crash, Meanwhile, at

pytestmark = pytest.mark.usefixtures("database")
QUEUE, CAP = "default", 2


class World:
    """Two of each process, the messages between them, and what was acknowledged to whom."""

    def __init__(self, cap: int | None) -> None:
        self.cap = cap
        self.messages: list[Handover] = []
        self.acknowledged: set[int] = set()
        if cap:
            control.cap("alice", "queue", QUEUE, cap)
        for _ in range(4):
            self.enqueue()
        self.dispatch()
        self.mine, self.crashed = self.claim(), self.claim()  # one that goes on, one whose process is dead
        with transaction() as connection:
            connection.execute(text("update jobs set lease_until = now() - interval '1 s' where id = :id"), {"id": self.crashed.id})
        for _ in range(2):
            self.enqueue()

    def enqueue(self) -> None:
        """A job and its cause, or neither."""
        with transaction() as connection:
            number = connection.execute(text("select count(*) from console_state where key like 'cause%'")).scalar_one()
            job_id = enqueue(connection, "housekeeping", {"cause": number}, queue=QUEUE, max_attempts=20)
            assert job_id
            connection.execute(text("insert into console_state values (:key, '1')"), {"key": f"cause {job_id}"})
        self.acknowledged.add(job_id)

    def dispatch(self) -> None:
        with transaction() as connection:
            self.messages += dispatch.take(connection, QUEUE)

    def claim(self) -> Job:
        job = self.try_claim()
        assert job is not None
        return job

    def try_claim(self) -> Job | None:
        """Take the next message, as RQ does, whatever becomes of it, and start its job."""
        if not self.messages:
            return None
        message = self.messages.pop(0)
        with transaction() as connection:
            job = claim.claim(connection, message.id, "tester", 1)
        self.holds()
        return job

    def finish(self, job: Job) -> None:
        with transaction() as connection:
            connection.execute(text("insert into console_state values (:key, '1')"), {"key": f"effect {job.id}"})
            claim.finish(connection, job)

    def finish_mine(self) -> None:
        self.finish(self.mine)

    def reconcile(self) -> None:
        with transaction() as connection:
            if reconcile.alone(connection):
                reconcile.rescue(connection)
                reconcile.forget_silent(connection)
        with transaction() as connection:
            carried = {(message.id, message.seq) for message in self.messages}
            gone = [message for message in dispatch.unclaimed(connection, 0.0) if (message.id, message.seq) not in carried]
            dispatch.take_back(connection, gone)

    def others(self) -> None:
        """What the second dispatcher and another worker do meanwhile."""
        self.reconcile()
        self.dispatch()
        job = self.try_claim()
        if job is not None:
            self.finish(job)

    def holds(self) -> None:
        """Now and at any time."""
        with transaction() as connection:
            running, without_lease, leases = connection.execute(
                text(
                    """
                    select count(*) filter (where state = 'running'),
                           count(*) filter (where (state = 'running') <> (lease_token is not null)),
                           (select coalesce(max(n), 0) from (
                                select count(*) n from job_attempts where outcome is null group by job_id) live)
                    from jobs
                    """
                )
            ).one()
        assert without_lease == 0
        assert leases <= 1
        assert self.cap is None or running <= self.cap

    def settle(self) -> None:
        """Time passes, leases end, and everything is worked off."""
        for _ in range(30):
            with transaction() as connection:
                connection.execute(text("update jobs set lease_until = now() - interval '1 s' where state = 'running'"))
                connection.execute(text("update jobs set run_at = now() where state = 'retry'"))
            self.reconcile()
            with transaction() as connection:
                connection.execute(text("update jobs set run_at = now() where state = 'retry'"))
            self.dispatch()
            while self.messages:
                job = self.try_claim()
                if job is not None:
                    self.finish(job)
        with transaction() as connection:
            states = {row.id: row.state for row in connection.execute(text("select id, state from jobs"))}
            keys = set(connection.execute(text("select key from console_state where key like 'cause%' or key like 'effect%'")).scalars())
            ended = connection.execute(text("select count(*) from job_attempts where outcome is not null")).scalar_one()
            counted = connection.execute(text("select coalesce(sum(n), 0) from job_minutes")).scalar_one()
        assert set(states.values()) == {"done"}
        assert states.keys() >= self.acknowledged, "an acknowledged job is gone"
        assert keys == {f"{what} {job_id}" for job_id in states for what in ("cause", "effect")}
        assert ended == counted


STEPS: dict[str, Callable[[World], object]] = {
    "enqueue": World.enqueue,
    "dispatch": World.dispatch,
    "claim": World.try_claim,
    "finish": World.finish_mine,
    "reconcile": World.reconcile,
}


@pytest.mark.parametrize("cap", [None, CAP + 1])
@pytest.mark.parametrize("dies", [True, False], ids=["dies", "goes on"])
@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_lost_or_done_twice_wherever_it_is_cut(empty: Callable[[], None], step: str, dies: bool, cap: int | None) -> None:
    boundary = 0
    while cut(empty, step, boundary, dies=dies, cap=cap):
        boundary += 1
    assert boundary >= 4, "a step is some statements and a commit"


def cut(empty: Callable[[], None], step: str, boundary: int, *, dies: bool, cap: int | None) -> bool:
    """One run cut at that boundary; False when the step has none such, and is then taken for dead after its last commit."""
    with transaction() as connection:
        connection.execute(text("delete from jobs"))
        connection.execute(text("delete from job_limits; delete from job_minutes; delete from job_rescues; delete from console_state"))
    world = World(cap)
    others = Meanwhile(world.others)

    def happens() -> None:
        others.start()
        if dies:
            raise Crash

    with at(boundary, happens) as seen:
        try:
            STEPS[step](world)
        except (Crash, Fenced, Unavailable):
            pass
    others.end()
    world.holds()
    world.settle()
    return len(seen) > boundary

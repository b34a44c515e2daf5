"""Enqueue, dispatch, claim, finish and reconcile, each cut at every statement and commit while the other processes do theirs.

At each boundary a second dispatcher and other workers go ahead at that very moment, and all leases run out; then the first process dies,
or goes on as a zombie. Whatever happens, every acknowledged job is done in the end, and its effect is there once.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from services.db import transaction
from services.errors import Unavailable
from services.jobs import Job, claim, control, dispatch, enqueue, reconcile
from services.jobs.claim import Fenced
from services.jobs.dispatch import Handover
from tests.crash import Crash, Meanwhile, at
from tests.faults.report import FULL, Fault

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.unmeasured]
QUEUE = "default"


class World:
    """Two of each process, the messages between them, and what was acknowledged to whom."""

    def __init__(self, cap: int | None) -> None:
        self.cap = cap
        self.messages: list[Handover] = []
        self.acknowledged: set[int] = set()
        self.taken: list[Job] = []
        for _ in range(4):
            self.enqueue()
        self.dispatch()
        self.mine, self.crashed = self.claim(), self.claim()  # one that goes on, one whose process is dead
        with transaction() as connection:
            connection.execute(text("update jobs set lease_until = now() - interval '1 s' where id = :id"), {"id": self.crashed.id})
        for _ in range(2):
            self.enqueue()
        if cap:  # two run, two are handed over, two wait
            control.cap("alice", "queue", QUEUE, cap)

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
            return claim.claim(connection, message.id, "tester", 1)

    def finish(self, job: Job) -> None:
        """An effect that nothing but the fence keeps from being there twice."""
        with transaction() as connection:
            connection.execute(text("insert into console_state values (:key, '1')"), {"key": f"effect {job.id} {job.attempt}"})
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
        """What a second dispatcher and other workers do at that moment: every lease runs out on them, and they take all that they may."""
        with transaction() as connection:
            connection.execute(text("update jobs set lease_until = now() - interval '1 s' where state = 'running'"))
        self.reconcile()
        with transaction() as connection:
            connection.execute(text("update jobs set run_at = now() where state = 'retry'"))
        self.dispatch()
        while self.messages:
            job = self.try_claim()
            self.taken += [job] if job else []

    def finish_taken(self) -> None:
        """None of them has been overtaken, whatever the first process did."""
        for job in self.taken:
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

    def settle(self) -> "Toll":
        """Time passes, leases end, and everything is worked off; what became of the acknowledged jobs."""
        for _ in range(30):
            with transaction() as connection:
                if not connection.execute(text("select exists (select from jobs where finished_at is null)")).scalar_one():
                    break
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
            keys = [key.split() for key in connection.execute(text("select key from console_state")).scalars()]
            ended = connection.execute(text("select count(*) from job_attempts where outcome is not null")).scalar_one()
            counted = connection.execute(text("select coalesce(sum(n), 0) from job_minutes")).scalar_one()
        effects = Counter(int(key[1]) for key in keys if key[0] == "effect")
        assert {int(key[1]) for key in keys if key[0] == "cause"} == states.keys(), "a cause without its job, or a job without its cause"
        assert ended == counted, "attempts and their minutes differ"
        done = {job_id for job_id, state in states.items() if state == "done"}
        return Toll(
            lost=len((self.acknowledged | states.keys()) - (done & effects.keys())),
            twice=sum(n > 1 for n in effects.values()),
        )


@dataclass
class Toll:
    """Of the jobs of one run or of many."""

    lost: int = 0
    twice: int = 0


# Each with the least number of statements and commits that it can be (fewer, and it was not cut where it should have been),
# and the caps under which it is cut: one that leaves room for one more, where that makes a difference.
STEPS: dict[str, tuple[Callable[[World], object], int, tuple[int | None, ...]]] = {
    "enqueue": (World.enqueue, 5, (None, 3) if FULL else (None,)),
    "dispatch": (World.dispatch, 5, (None, 5)),
    "claim": (World.try_claim, 2, (None, 3)),
    "finish": (World.finish_mine, 6, (None, 3) if FULL else (None,)),
    "reconcile": (World.reconcile, 14, (None, 3) if FULL else (None,)),
}


@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_lost_or_done_twice_wherever_it_is_cut(step: str, record_property: Callable[[str, object], None]) -> None:
    act, least, caps = STEPS[step]
    runs, fewest, most, toll = 0, 1_000, 0, Toll()
    for cap in caps:
        for dies in (True, False):
            boundary = 0
            while cut(act, boundary, toll, dies=dies, cap=cap):
                boundary += 1
            runs, fewest, most = runs + boundary, min(fewest, boundary), max(most, boundary)
    fault = Fault(f"crash_in_{step}", record_property)
    fault.done = f"{step} cut at each statement and commit, {runs} times, with and without a cap, beside a second dispatcher and worker"
    fault.finds("boundaries", most)
    fault.finds("at least", fewest, "≥", least)
    fault.finds("lost", toll.lost, "=", 0)
    fault.finds("effects twice", toll.twice, "=", 0)
    fault.holds()


def cut(act: Callable[[World], object], boundary: int, toll: Toll, *, dies: bool, cap: int | None) -> bool:
    """One run cut at that boundary; False when there is none such, and then it dies after its last commit."""
    with transaction() as connection:
        connection.execute(text("delete from jobs"))
        connection.execute(text("delete from job_limits; delete from job_minutes; delete from job_rescues; delete from console_state"))
    world = World(cap)
    others = Meanwhile(world.others)

    def happens() -> None:
        others.start()
        if dies:
            raise Crash

    with at(boundary, happens) as seen, suppress(Crash, Fenced, Unavailable):
        act(world)
    others.end()
    world.holds()
    world.finish_taken()
    one = world.settle()
    toll.lost, toll.twice = toll.lost + one.lost, toll.twice + one.twice
    return len(seen) > boundary

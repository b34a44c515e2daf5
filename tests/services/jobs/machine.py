"""Anything that can be done to jobs, in any order, by dispatchers, two workers and an operator, with crashes; after each step every row is
as a model without a database says."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, text

from services.clock import utc_now
from services.db import engine, transaction
from services.jobs import Job, cancel, claim, control, dispatch, enqueue, processes, reconcile
from services.jobs.claim import Fenced
from services.jobs.control import Scope
from services.jobs.dispatch import Handover
from services.jobs.processes import Process
from tests.crash import Crash, crash_at
from tests.services.jobs.deeds import DYING, EMPTY, SEEN, claims_alone, ending
from tests.services.jobs.model import ENDED, Expected, Model

QUEUE, KINDS = "default", ("a", "b")
MOST_JOBS = 8
LIMITS: tuple[tuple[Scope, str], ...] = (("queue", QUEUE), *(("kind", kind) for kind in KINDS))
TOGETHER = ThreadPoolExecutor(2)
Answer = TypeVar("Answer")
pick = st.integers(0, 99)
dies = st.sampled_from([None, None, None, None, 0, 1, 2, 3, 4, 5])


class Jobs(RuleBasedStateMachine):
    """`held` are attempts as their workers see them, the overtaken ones too; `messages` come as often as they please.

    Rules have no preconditions and say themselves when there is nothing to do: who wins a race changes what is possible next, and what
    Hypothesis draws must not depend on it.
    """

    done: ClassVar[dict[str, int]] = dict.fromkeys(("sequences", "steps", "crashes", "fenced", "rescues"), 0)

    def __init__(self) -> None:
        super().__init__()
        with transaction() as connection:
            connection.execute(EMPTY)
            self.workers = [Process("worker", QUEUE), Process("worker", QUEUE)]
            for worker in self.workers:
                processes.beat(connection, worker)
        self.model = Model(QUEUE)
        self.messages: list[Handover] = []
        self.held: list[Job] = []
        self.before: dict[int, str] = {}
        self.revived: set[int] = set()
        self.names = count()
        self.watching = engine().connect().execution_options(isolation_level="AUTOCOMMIT")
        self.done["sequences"] += 1

    def teardown(self) -> None:
        self.watching.close()

    def survives(self, boundary: int | None, work: Callable[[Connection], Answer]) -> Answer | None:
        """What `work` answers when committed; None when the process died before that statement or commit, which changes nothing."""
        if boundary is None:
            with transaction() as connection:
                return work(connection)
        try:
            with crash_at(boundary), transaction() as connection:
                return work(connection)
        except Crash:
            self.done["crashes"] += 1
            while self.watching.execute(DYING).scalar_one():  # Postgres learns of it by and by, and others skip what is locked until then
                time.sleep(0.001)
            return None

    @initialize(made=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 5)), min_size=2, max_size=5), started=st.integers(0, 3))
    def begins(self, made: list[tuple[str, int]], started: int) -> None:
        """In the middle of things, so that there is something to hurt."""
        for kind, most in made:
            self.enqueues(kind, None, most, False, None)
        self.dispatches(None)
        for number in range(min(started, len(made))):
            self.claims(number, number % 2, True, None)

    @rule(
        kind=st.sampled_from(KINDS),
        key=st.sampled_from([None, None, "k", "l"]),
        most=st.integers(1, 5),
        later=st.sampled_from([False, False, True]),
        dies=dies,
    )
    def enqueues(self, kind: str, key: str | None, most: int, later: bool, dies: int | None) -> None:
        if len(self.model.jobs) == MOST_JOBS:
            return
        run_at = utc_now() + timedelta(hours=1) if later else None
        taken = self.model.holder(key)
        made = self.survives(
            dies, lambda c: enqueue(c, kind, queue=QUEUE, dedupe_key=key, max_attempts=most, run_at=run_at) or 0
        )  # fmt: skip
        if made:
            assert taken is None, "two live under one key"
            self.model.jobs[made] = Expected(made, kind, key, most, due=not later)
        elif made == 0:
            assert taken is not None, "a job was refused for no reason"

    @rule(dies=dies)
    def dispatches(self, dies: int | None) -> None:
        wanted = self.model.to_hand_over()
        taken = self.survives(dies, lambda c: dispatch.take(c, QUEUE))
        if taken is None:
            return
        assert len({message.id for message in taken}) == len(taken) == wanted
        for message in taken:
            job = self.model.jobs[message.id]
            assert job.waits
            assert job.due
            assert not job.handed
            job.handed = True
        self.messages += taken

    @rule(chosen=st.sets(pick, max_size=3))
    def redis_forgets(self, chosen: set[int]) -> None:
        """Messages are lost; the dispatcher sends those again that nobody carries."""
        self.messages = [message for number, message in enumerate(self.messages) if number not in chosen]
        carried = {(message.id, message.seq) for message in self.messages}
        with transaction() as connection:
            gone = [message for message in dispatch.unclaimed(connection, 0.0) if (message.id, message.seq) not in carried]
            assert dispatch.take_back(connection, gone) == len(gone)
        for message in gone:
            self.model.jobs[message.id].handed = False

    @rule(which=pick, worker=st.integers(0, 1), again=st.booleans(), dies=dies)
    def claims(self, which: int, worker: int, again: bool, dies: int | None) -> None:
        """A message reaches a worker, and stays to come once more."""
        if not self.messages:
            return
        message = self.messages[which % len(self.messages)]
        if not again:
            self.messages.remove(message)
        job, name = self.model.jobs[message.id], self.workers[worker].name
        answer = self.survives(dies, lambda c: (claim.claim(c, job.id, name, 1),))
        if answer is None:
            return
        assert (answer[0] is not None) == self.model.startable(job, name)
        self.took(answer[0]) if answer[0] else self.model.refuse(job)

    @rule(one=pick, other=pick)
    def both_claim(self, one: int, other: int) -> None:
        """At the same moment, the same job or two."""
        if not self.messages:
            return
        asked = [self.messages[which % len(self.messages)].id for which in (one, other)]
        names = [worker.name for worker in self.workers]
        may = {(number, name) for number, name in zip(asked, names, strict=True) if self.model.startable(self.model.jobs[number], name)}
        got = list(TOGETHER.map(claims_alone, asked, names))
        for won in got:
            if won is not None:
                assert any(number == won.id for number, _ in may), "started what may not start"
                self.took(won)
        for number, name, won in zip(asked, names, got, strict=True):
            if won is None:
                assert not self.model.startable(self.model.jobs[number], name), "started less than may start"
                self.model.refuse(self.model.jobs[number])

    def took(self, job: Job) -> None:
        assert job.lease_token is not None
        self.model.jobs[job.id].begin(job.lease_token)
        self.held.append(job)

    @contextmanager
    def attempt(self, which: int) -> Iterator[tuple[Job, Expected | None]]:
        """Somebody's attempt, and its job while that attempt still owns it. Who owns none gets Fenced, and only then."""
        job = self.held[which % len(self.held)]
        expected = self.model.jobs[job.id]
        owner = expected if expected.token == job.lease_token else None
        try:
            yield job, owner
        except Fenced:
            assert owner is None, "the owner was fenced off"
            self.done["fenced"] += 1
        else:
            assert owner is not None, "an overtaken attempt was heard"

    @rule(which=pick)
    def beats(self, which: int) -> None:
        if not self.held:
            return
        with self.attempt(which) as (job, owner), transaction() as connection:
            asked = claim.heartbeat(connection, job, {"done": 1, "total": 2, "note": ""})
            assert owner is not None
            assert asked == owner.asked == claim.asked(connection, job)

    @rule(which=pick, how=st.sampled_from(["done", "failed", "for good", "released", "cancelled"]), dies=dies)
    def ends(self, which: int, how: str, dies: int | None) -> None:
        """With an effect in the same transaction."""
        if not self.held:
            return
        with self.attempt(which) as (job, owner):
            name = next(self.names)
            written = self.survives(dies, lambda c: ending(c, job, how, name))
            if owner is None:
                assert written is None, "an overtaken attempt was heard"
                raise Fenced
            if written:
                owner.end("failed" if how == "for good" else how, for_good=how == "for good")
                self.model.effects.add(name)
                self.not_yet(owner)

    @rule(chosen=st.sets(pick, min_size=1, max_size=3), dies=dies)
    def leases_run_out(self, chosen: set[int], dies: int | None) -> None:
        running = [job for job in self.model.jobs.values() if job.token]
        if not running:
            return
        silent = {running[number % len(running)].id for number in chosen}
        past = text("update jobs set lease_until = now() - interval '1 s' where id = any(:ids)")
        with transaction() as connection:
            connection.execute(past, {"ids": list(silent)})
        rescued = self.survives(dies, lambda c: reconcile.rescue(c) if reconcile.alone(c) else [])
        if rescued is None:  # its lease is found expired by the next one
            rescued = self.survives(None, reconcile.rescue)
        assert rescued is not None
        assert {job.id for job, _ in rescued} == silent
        for job, decision in rescued:
            self.model.jobs[job.id].end("lost")
            assert decision.state == self.model.jobs[job.id].state
            self.not_yet(self.model.jobs[job.id])
        self.done["rescues"] += len(silent)

    def not_yet(self, job: Expected) -> None:
        """However soon chance lets it come back: not before `time_passes`."""
        if job.state == "retry" and not job.due:
            with transaction() as connection:
                connection.execute(text("update jobs set run_at = now() + interval '1 hour' where id = :id"), {"id": job.id})

    @rule()
    def time_passes(self) -> None:
        with transaction() as connection:
            connection.execute(text("update jobs set run_at = now() where state in ('queued', 'retry') and run_at > now()"))
        for job in self.model.jobs.values():
            job.due = True

    @rule(chosen=st.sets(pick, min_size=1, max_size=4), action=st.sampled_from(["cancel", "cancel one", "retry", "retry", "discard"]))
    def operator(self, chosen: set[int], action: str) -> None:
        every = list(self.model.jobs.values())
        jobs = list({every[number % len(every)].id: every[number % len(every)] for number in chosen}.values())
        ids = [job.id for job in jobs]
        if action == "cancel one":
            self.survives(None, lambda c: cancel(c, ids[0]))
            jobs[0].cancel()
        elif action == "cancel":
            fresh = [job for job in jobs if job.live and not job.asked]
            assert control.cancel("alice", ids=ids) == len(fresh)
            for job in fresh:
                job.cancel()
        elif action == "retry":
            again = self.model.retriable(ids)
            assert control.retry("alice", ids=ids) == len(again)
            for job in again:
                self.revived |= {job.id}
                job.retry()
        else:
            buried = [job for job in jobs if job.state == "dead" and not job.aside]
            assert control.discard("alice", ids=ids) == len(buried)
            for job in buried:
                job.aside = True

    @rule(limit=st.sampled_from(LIMITS), cap=st.sampled_from([None, 1, 2]))
    def caps(self, limit: tuple[Scope, str], cap: int | None) -> None:
        assert control.cap("alice", *limit, cap) == (self.model.caps.get(limit) != cap)
        self.model.caps.pop(limit, None)
        if cap is not None:
            self.model.caps[limit] = cap

    @rule(limit=st.sampled_from(LIMITS), worker=st.sampled_from([None, None, 0, 1]), on=st.booleans())
    def pauses(self, limit: tuple[Scope, str], worker: int | None, on: bool) -> None:
        """A queue, a kind or a worker."""
        if worker is not None:
            process = self.workers[worker]
            assert control.quiet("alice", process.id, on=on) == ((process.name in self.model.quiet) != on)
            (self.model.quiet.add if on else self.model.quiet.discard)(process.name)
            return
        assert (control.pause if on else control.resume)("alice", *limit) == ((limit in self.model.paused) != on)
        (self.model.paused.add if on else self.model.paused.discard)(limit)

    @invariant()
    def every_row_is_as_it_should_be(self) -> None:
        self.done["steps"] += 1
        told = self.watching.execute(SEEN).one()
        seen: dict[int, dict[str, Any]] = {job.pop("id"): job for job in told.jobs}
        assert seen == {number: job.row() for number, job in self.model.jobs.items()}
        for number, job in seen.items():
            assert job["ends"].count(None) == (job["state"] == "running") == (job["token"] is not None), "one lease, or none"
            assert self.before.get(number) not in (*ENDED,) or job["state"] == self.before[number] or number in self.revived, "came back"
        self.before, self.revived = {number: job["state"] for number, job in seen.items()}, set()
        assert told.counted == sum(end is not None for job in self.model.jobs.values() for end in job.ends)
        assert told.busy <= sum(job.token is not None for job in self.model.jobs.values())
        assert sorted(told.effects) == sorted(self.model.effects)

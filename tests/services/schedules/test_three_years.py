"""Three years of four slots and 02:30 in every zone, downtime, a jumping clock, five dispatchers that crash: one decision a slot.

FAULTS=full takes every zone there is and all three years; otherwise it is a seeded handful, and dispatchers see the first year.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo, available_timezones

import pytest
from sqlalchemy import Connection, event, text

from services import schedules
from services.db import transaction
from services.schedules import Plan, Timing
from services.schedules.decide import ON_TIME, Circumstances, decide
from services.schedules.plan import time_told
from services.schedules.slots import between
from tests.faults.report import FULL, Fault
from tests.services.schedules.walk import slots_by_walking

SEED = 20_260_301
TIMES = tuple(time_told(told) for told in ("02:30", "06:00", "10:30", "14:00", "18:30"))
START, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
SHOWN_END = END if FULL else datetime(2026, 1, 1, tzinfo=UTC)  # to five dispatchers
DAY, HOUR, CATCH_UP = timedelta(days=1), timedelta(hours=1), timedelta(hours=4)
LONGEST_DOWN = 10 * DAY
DISPATCHERS = 5
NAMES = sorted(available_timezones() - {"localtime"})
ZONES = NAMES if FULL else ["America/New_York", "Antarctica/Troll", "Australia/Lord_Howe", *Random(SEED).sample(NAMES, 5)]


class Crash(Exception):
    """A dispatcher dies in the middle of its transaction."""


def downtimes(chance: Random, end: datetime = END) -> Iterator[datetime]:
    """Instants from START on at which somebody looks again: a minute to ten days apart, the clock now and then an hour off."""
    now = START
    while now < end:
        now = min(end, now + max(timedelta(minutes=1), LONGEST_DOWN * chance.choice([0.0, 0.01, 1.0, 1.0, 1.0]) * chance.random()))
        yield now + HOUR * chance.uniform(-1, 1) * (chance.random() < 0.5)


@dataclass
class Tally:
    """Of slots decided about, beside those of a walk."""

    slots: int = 0
    twice: int = 0
    wrong: int = 0  # left out, or decided about where there is none

    def add(self, decided: Sequence[datetime], expected: Sequence[datetime]) -> None:
        self.slots += len(expected)
        self.twice += len(decided) - len(set(decided))
        self.wrong += len(set(decided) ^ set(expected))


def test_slots_of_every_zone_are_those_of_a_walk(record_property: Callable[[str, object], None]) -> None:
    found, decided = Tally(), Tally()
    for zone in ZONES:
        expected = slots_by_walking(ZoneInfo(zone), TIMES, START, END)
        found.add(between(Timing(zone, TIMES), START, END), expected)
        decided.add(list(alone(Timing(zone, TIMES), Random(f"{SEED} {zone}"))), [slot for slot in expected if slot <= END - HOUR])
    fault = Fault("three_years_of_slots", record_property)
    fault.done = f"{len(ZONES)} zones, {len(TIMES)} slots a day for three years, looked at a minute to ten days apart, clocks off"
    fault.finds("zones", len(ZONES), "=", len(available_timezones() - {"localtime"}) if FULL else len(ZONES))
    fault.finds("slots", found.slots, "≥", 3 * 365 * (len(TIMES) - 1) * len(ZONES))
    fault.finds("not those of a walk", found.wrong, "=", 0)
    fault.finds("decided twice", decided.twice, "=", 0)
    fault.finds("not decided or invented", decided.wrong, "=", 0)
    fault.holds()


def alone(timing: Timing, chance: Random) -> Iterator[datetime]:
    """Decide by the pure rules through downtimes and jumps of the clock; every slot up to an hour before the end."""
    until = START
    for now in downtimes(chance):
        pending = between(timing, until, now)
        made = decide(pending, Circumstances(now, CATCH_UP))
        ran = [decision.slot_at for decision in made if decision.word == "run"]
        assert ran == [slot for slot in pending[-1:] if now - slot <= max(CATCH_UP, ON_TIME)]
        until = max([until, *pending])
        yield from (decision.slot_at for decision in made if decision.slot_at <= END - HOUR)
    yield from (slot for slot in between(timing, until, END) if slot <= END - HOUR)


@pytest.mark.unmeasured
@pytest.mark.usefixtures("database")
def test_five_dispatchers_that_crash_decide_each_slot_once(record_property: Callable[[str, object], None]) -> None:
    chance = Random(SEED)
    with transaction() as connection:
        for zone in ZONES:
            plan = Plan("housekeeping", Timing(zone, TIMES), catch_up_s=int(CATCH_UP.total_seconds()))
            schedules.create(connection, zone.lower().replace("/", ".").replace("+", "plus"), plan, actor="test")
        connection.execute(text("update schedules set decided_until = :start"), {"start": START})
    crashes = 0
    with ThreadPoolExecutor(DISPATCHERS) as dispatchers:
        for now in downtimes(chance, SHOWN_END):
            crashes += sum(dispatchers.map(lambda seed, at=now: looked(at, Random(seed)), [chance.random() for _ in range(DISPATCHERS)]))
            with transaction() as connection:
                connection.execute(text("select setseed(:seed)"), {"seed": chance.random()})
                connection.execute(text("update jobs set state = 'done', finished_at = now() where state = 'queued' and random() < 0.7"))
    fault = Fault("three_years_of_dispatchers", record_property)
    with transaction() as connection:
        schedules.tick(connection, SHOWN_END + HOUR)
        everything_once(connection, fault)
    fault.done = f"{len(ZONES)} schedules ticked by {DISPATCHERS} dispatchers at once that died {crashes} times, away up to ten days"
    fault.finds("crashes", crashes, "≥", 10)
    fault.holds()


def looked(at: datetime, chance: Random) -> bool:
    """One dispatcher looks; whether it died at a statement of its choice, or just before the commit."""
    left = chance.choice([0, *(int(10 ** chance.uniform(0, 3)) for _ in range(2))])
    try:
        with transaction() as connection:
            if left:
                event.listen(connection, "before_cursor_execute", dying_after(left))
            schedules.tick(connection, at)
            die_perhaps(chance)
    except Crash:
        return True
    return False


def die_perhaps(chance: Random) -> None:
    if chance.random() < 0.1:
        raise Crash


def dying_after(statements: int) -> Callable[..., None]:
    left = iter(range(statements))

    def die(*_: object) -> None:
        if next(left, None) is None:
            raise Crash

    return die


def everything_once(connection: Connection, fault: Fault) -> None:
    """Slots beside those of a walk, jobs beside decisions, and no transaction that ran a schedule twice."""
    tally = Tally()
    for line in connection.execute(text("select id, zone from schedules")).all():
        decided = connection.execute(text("select slot_at from schedule_decisions where schedule_id = :id"), {"id": line.id})
        tally.add(decided.scalars().all(), slots_by_walking(ZoneInfo(line.zone), TIMES, START, SHOWN_END + HOUR))
    count = connection.execute(
        text(
            """
            select count(*) filter (where decision = 'run') as ran, count(job_id) as jobs, count(distinct job_id) as different,
                   (select count(*) from jobs) as made,
                   (select count(*) from jobs where not exists (select 1 from schedule_decisions where job_id = jobs.id)) as orphans
            from schedule_decisions
            """
        )
    ).one()
    twice = "select schedule_id from schedule_decisions where decision = 'run' group by schedule_id, xmin having count(*) > 1"
    found = set(connection.execute(text("select distinct decision from schedule_decisions")).scalars())
    assert found == {"run", "coalesced", "missed", "overlap skipped"}
    fault.finds("slots", tally.slots, "≥", (SHOWN_END - START).days * (len(TIMES) - 1) * len(ZONES))
    fault.finds("not decided or invented", tally.wrong, "=", 0)
    fault.finds("decided twice", tally.twice, "=", 0)
    fault.finds("runs", count.ran, "≥", 1)
    fault.finds("jobs of runs", count.different, "=", count.ran)
    fault.finds("jobs noted or made beside these", abs(count.jobs - count.ran) + abs(count.made - count.ran) + count.orphans, "=", 0)
    fault.finds("caught up more than once in one look", len(connection.execute(text(twice)).all()), "=", 0)

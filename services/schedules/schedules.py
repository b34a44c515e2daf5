"""Schedules: what is to run when, and the ticks that turn slots into decisions and jobs.

Any number of dispatchers may tick. A tick locks the schedule, and its decisions, its job and `decided_until` are one transaction; so every
slot is decided about exactly once. Whatever changes a schedule first decides, by the rules of until then, about what is due.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Row, text

from services.accounts import audit
from services.errors import BadInput, Conflict, NotFound
from services.jobs import hold, truth
from services.schedules import decisions
from services.schedules.decide import Circumstances, Decision, decide
from services.schedules.decisions import Decided
from services.schedules.plan import Plan, usable_name, usable_zone
from services.schedules.slots import Timing, between, upcoming

BY_CLOCK = "schedule"  # who decided and made the job when nobody did by hand
BUILTIN = ("housekeeping", "verify")
AT_ONCE = 5_000  # decisions of one schedule in one tick; a longer backlog takes more ticks, and only its end runs
FARTHEST = timedelta(days=366)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """One row. `decided_until` is the newest slot that was decided about, or when it was made or changed; instants are aware."""

    id: int
    name: str
    plan: Plan
    paused_at: datetime | None
    paused_by: str | None
    created_at: datetime
    decided_until: datetime

    @property
    def builtin(self) -> bool:
        return self.name in BUILTIN


@dataclass(frozen=True, slots=True)
class Overview:
    """A schedule with its next five slots (while it is paused, nothing runs at them) and its last thirty decisions, newest first."""

    schedule: Schedule
    upcoming: list[datetime]
    last: list[Decided]


def create(connection: Connection, name: str, plan: Plan, *, actor: str) -> Schedule:
    """A new schedule, due from now on. Raises BadInput naming the field, and Conflict when the name is taken."""
    usable_zone(plan.timing.zone)
    made = connection.execute(
        text(
            """
            insert into schedules (name, kind, args, queue, zone, slots, every_s, weekdays, catch_up_s)
            values (:name, :kind, cast(:args as jsonb), :queue, :zone, cast(:slots as time[]), :every_s, :weekdays, :catch_up_s)
            on conflict (name) do nothing returning id
            """
        ),
        plan.as_row() | {"name": usable_name(name)},
    ).one_or_none()
    if made is None:
        raise Conflict(f"There is already a schedule named '{name}'.")
    audit.record(connection, actor, "schedule.create", name, plan.as_told(), after=plan.as_told())
    return get(connection, name)


def update(connection: Connection, name: str, plan: Plan, *, actor: str) -> Schedule:
    """Another plan for the slots from now on; what was due until now is decided by the old one. Raises NotFound and BadInput."""
    usable_zone(plan.timing.zone)
    schedule = _settled(connection, name)
    connection.execute(
        text(
            """
            update schedules set kind = :kind, args = cast(:args as jsonb), queue = :queue, zone = :zone, slots = cast(:slots as time[]),
                every_s = :every_s, weekdays = :weekdays, catch_up_s = :catch_up_s, decided_until = greatest(decided_until, now())
            where id = :id
            """
        ),
        plan.as_row() | {"id": schedule.id},
    )
    audit.record(connection, actor, "schedule.update", name, before=schedule.plan.as_told(), after=plan.as_told())
    return get(connection, name)


def delete(connection: Connection, name: str, *, actor: str) -> None:
    """Forget a schedule and its decisions; its jobs stay. Raises NotFound, and Conflict for one that is built in."""
    if name in BUILTIN:
        raise Conflict(f"'{name}' is built in: pause it instead.")
    schedule = _locked(connection, name)
    connection.execute(text("delete from schedules where id = :id"), {"id": schedule.id})
    audit.record(connection, actor, "schedule.delete", name, before=schedule.plan.as_told())


def pause(connection: Connection, name: str, *, actor: str) -> Schedule:
    """Run nothing from now on; its slots are recorded as paused. Raises NotFound."""
    schedule = _settled(connection, name)
    if schedule.paused_at is None:
        connection.execute(
            text("update schedules set paused_at = now(), paused_by = :actor where id = :id"), {"id": schedule.id, "actor": actor}
        )
        audit.record(connection, actor, "schedule.pause", name, before={"paused": False}, after={"paused": True})
    return get(connection, name)


def resume(connection: Connection, name: str, *, actor: str) -> Schedule:
    """Run again from the next slot on. Raises NotFound."""
    schedule = _settled(connection, name)
    if schedule.paused_at is not None:
        connection.execute(text("update schedules set paused_at = null, paused_by = null where id = :id"), {"id": schedule.id})
        audit.record(
            connection, actor, "schedule.resume", name, before={"paused": True, "paused_by": schedule.paused_by}, after={"paused": False}
        )
    return get(connection, name)


def get(connection: Connection, name: str) -> Schedule:
    """The schedule of that name; raises NotFound."""
    return _found(connection.execute(text("select * from schedules where name = :name"), {"name": name}).one_or_none(), name)


def overview(connection: Connection, name: str) -> Overview:
    """One schedule with what comes and what was; raises NotFound."""
    return _overview(get(connection, name), decisions.last(connection, name), _now(connection))


def listing(connection: Connection) -> list[Overview]:
    """All schedules by name."""
    last, now = decisions.last(connection), _now(connection)
    rows = connection.execute(text("select * from schedules order by name"))
    return [_overview(_schedule(row), last, now) for row in rows]


def tick(connection: Connection, now: datetime | None = None) -> int:
    """Decide about every slot that is due and enqueue what runs; how many decisions. Schedules that somebody else holds are left to them.

    `now` is Postgres' own unless a test says otherwise. A schedule that cannot be read is logged and does not keep the others waiting.
    """
    hold.briefly(connection)
    now = now or _now(connection)
    made = 0
    for row in connection.execute(text("select * from schedules order by id")).all():
        try:
            if not _pending(_schedule(row), now, 1):
                continue
            held = connection.execute(text("select * from schedules where id = :id for update skip locked"), {"id": row.id}).one_or_none()
            made += _settle(connection, _schedule(held), now) if held else 0
        except BadInput as error:
            log.warning("the schedule %s cannot be used: %s", row.name, error)
    return made


def run_now(connection: Connection, name: str, *, actor: str) -> int:
    """Enqueue its job at once, whatever the slots; the job's id. Raises NotFound, and Conflict while it is paused or its last job lives."""
    schedule = _locked(connection, name)
    if schedule.paused_at is not None:
        raise Conflict(f"'{name}' is paused by {schedule.paused_by}: resume it first.")
    job_id = _enqueue(connection, schedule, actor)
    if job_id is None:
        raise Conflict(f"Job {_live_job(connection, name)} of '{name}' is not over yet.")
    moment = connection.execute(text("select clock_timestamp()")).scalar_one()
    if moment.microsecond == 0:  # slots lie on whole seconds: one by hand never takes the place of one
        moment += timedelta(microseconds=1)
    decisions.write(connection, schedule.id, schedule.plan.timing.zone, [Decision(moment, "run now")], actor)
    decisions.note_job(connection, schedule.id, moment, job_id)
    audit.record(connection, actor, "schedule.run", name, {"job": job_id}, after={"job": job_id})
    return job_id


def dry_run(connection: Connection, name: str, at: datetime | None = None) -> list[Decision]:
    """What a tick at that instant (default: now) would decide, were it the next one; nothing is written. Raises NotFound and BadInput."""
    now = _now(connection)
    at = at or now
    if at.utcoffset() is None:
        raise BadInput("at: the instant must say its zone.")
    if at > now + FARTHEST:
        raise BadInput("at: at most a year ahead.")
    schedule = get(connection, name)
    return _decided(connection, schedule, _pending(schedule, at, AT_ONCE + 1), at)[:AT_ONCE]


def _settled(connection: Connection, name: str) -> Schedule:
    """The schedule, locked, with everything decided that is due; raises NotFound."""
    schedule, now = _locked(connection, name), _now(connection)
    while _settle(connection, schedule, now):
        schedule = get(connection, name)
    return schedule


def _settle(connection: Connection, schedule: Schedule, now: datetime) -> int:
    """Decide about what is due of a locked schedule and enqueue what runs; how many decisions."""
    made = _decided(connection, schedule, _pending(schedule, now, AT_ONCE + 1), now)[:AT_ONCE]
    if not made:
        return 0
    new = decisions.write(connection, schedule.id, schedule.plan.timing.zone, made, BY_CLOCK)
    for slot in (decision.slot_at for decision in made if decision.word == "run" and decision.slot_at in new):
        job_id = _enqueue(connection, schedule, BY_CLOCK)
        if job_id is None:
            decisions.note_overlap(connection, schedule.id, slot)
        else:
            decisions.note_job(connection, schedule.id, slot, job_id)
    connection.execute(text("update schedules set decided_until = :until where id = :id"), {"id": schedule.id, "until": made[-1].slot_at})
    return len(made)


def _pending(schedule: Schedule, now: datetime, most: int) -> list[datetime]:
    return between(schedule.plan.timing, schedule.decided_until, now, most)


def _decided(connection: Connection, schedule: Schedule, pending: list[datetime], now: datetime) -> list[Decision]:
    paused_by = schedule.paused_by or "somebody" if schedule.paused_at else None
    live = _live_job(connection, schedule.name) if pending else None
    return decide(pending, Circumstances(now, schedule.plan.catch_up, paused_by, live))


def _enqueue(connection: Connection, schedule: Schedule, actor: str) -> int | None:
    plan = schedule.plan
    return truth.enqueue(
        connection,
        plan.kind,
        plan.args,
        queue=plan.queue,
        dedupe_key=_key(schedule.name),
        cause=("schedule", schedule.name),
        created_by=actor,
    )


def _live_job(connection: Connection, name: str) -> int | None:
    found = connection.execute(
        text("select id from jobs where dedupe_key = :key and state in ('queued', 'retry', 'running')"), {"key": _key(name)}
    )
    return cast(int | None, found.scalar_one_or_none())


def _key(name: str) -> str:
    return f"schedule:{name}"


def _now(connection: Connection) -> datetime:
    return cast(datetime, connection.execute(text("select now()")).scalar_one())


def _locked(connection: Connection, name: str) -> Schedule:
    return _found(connection.execute(text("select * from schedules where name = :name for update"), {"name": name}).one_or_none(), name)


def _found(row: Row[Any] | None, name: str) -> Schedule:
    if row is None:
        raise NotFound(f"There is no schedule named '{name}'.")
    return _schedule(row)


def _overview(schedule: Schedule, last: dict[int, list[Decided]], now: datetime) -> Overview:
    return Overview(schedule, upcoming(schedule.plan.timing, max(now, schedule.decided_until)), last.get(schedule.id, []))


def _schedule(row: Row[Any]) -> Schedule:
    timing = Timing(row.zone, tuple(row.slots or ()), row.every_s, tuple(row.weekdays))
    plan = Plan(row.kind, timing, row.queue, row.args, row.catch_up_s)
    return Schedule(row.id, row.name, plan, row.paused_at, row.paused_by, row.created_at, row.decided_until)

"""The decision rows: one a slot, and one for each time somebody ran a schedule by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, text

from services.schedules.decide import Decision, Word
from services.schedules.slots import label

SHOWN = 30
KEPT_DAYS = 90


@dataclass(frozen=True, slots=True)
class Decided:
    """One row. `job_state` is that of the job it made: None where it made none, or where that is no longer kept."""

    slot_at: datetime
    local_label: str
    word: Word
    job_id: int | None
    job_state: str | None
    actor: str
    reason: str | None
    decided_at: datetime


def write(connection: Connection, schedule_id: int, zone: str, decisions: Sequence[Decision], actor: str) -> set[datetime]:
    """Write them in the caller's transaction; the slots that nobody had decided about before."""
    rows = connection.execute(
        text(
            """
            insert into schedule_decisions (schedule_id, slot_at, local_label, decision, actor, reason)
            select :schedule_id, slot_at, local_label, decision, :actor, reason
            from unnest(cast(:slots as timestamptz[]), cast(:labels as text[]), cast(:words as text[]), cast(:reasons as text[]))
                as told (slot_at, local_label, decision, reason)
            on conflict do nothing
            returning slot_at
            """
        ),
        {
            "schedule_id": schedule_id,
            "slots": [decision.slot_at for decision in decisions],
            "labels": [label(decision.slot_at, zone) for decision in decisions],
            "words": [decision.word for decision in decisions],
            "reasons": [decision.reason for decision in decisions],
            "actor": actor,
        },
    )
    return set(rows.scalars())


def note_job(connection: Connection, schedule_id: int, slot_at: datetime, job_id: int) -> None:
    """The slot made that job."""
    connection.execute(
        text("update schedule_decisions set job_id = :job_id where schedule_id = :id and slot_at = :slot_at"),
        {"id": schedule_id, "slot_at": slot_at, "job_id": job_id},
    )


def note_overlap(connection: Connection, schedule_id: int, slot_at: datetime) -> None:
    """The slot made no job after all: one with the schedule's key came to life meanwhile."""
    connection.execute(
        text(
            "update schedule_decisions set decision = 'overlap skipped', reason = 'another job of this schedule is not over'"
            " where schedule_id = :id and slot_at = :slot_at"
        ),
        {"id": schedule_id, "slot_at": slot_at},
    )


def last(connection: Connection, name: str | None = None, count: int = SHOWN) -> dict[int, list[Decided]]:
    """The newest decisions of each schedule, or of one, by the schedule's id, newest first."""
    rows = connection.execute(
        text(
            """
            select newest.*, jobs.state as job_state from schedules
            cross join lateral (
                select * from schedule_decisions where schedule_id = schedules.id order by slot_at desc limit :count
            ) newest
            left join jobs on jobs.id = newest.job_id
            where cast(:name as text) is null or name = :name
            order by newest.schedule_id, newest.slot_at desc
            """
        ),
        {"name": name, "count": count},
    )
    found: dict[int, list[Decided]] = {}
    for row in rows:
        word = cast(Word, row.decision)
        found.setdefault(row.schedule_id, []).append(
            Decided(row.slot_at, row.local_label, word, row.job_id, row.job_state, row.actor, row.reason, row.decided_at)
        )
    return found


def forget_old(connection: Connection) -> int:
    """Drop decisions of ninety days ago; how many. No slot of then is looked at again."""
    return connection.execute(
        text("delete from schedule_decisions where slot_at < now() - make_interval(days => :kept)"), {"kept": KEPT_DAYS}
    ).rowcount

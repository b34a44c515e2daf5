"""What becomes of each slot that is due. Pure: the same slots and circumstances always get the same decisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Word = Literal["run", "run now", "coalesced", "missed", "overlap skipped", "paused"]
ON_TIME = timedelta(seconds=60)  # no dispatcher looks at the very instant: this late is not late, whatever the catch-up window


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a slot, and why where that is not plain."""

    slot_at: datetime
    word: Word
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How things stand at `now`: how late a slot may still run, who paused the schedule, and which job of it is not over yet."""

    now: datetime
    catch_up: timedelta
    paused_by: str | None = None
    live_job_id: int | None = None


def decide(slots: Sequence[datetime], at: Circumstances) -> list[Decision]:
    """One decision for each slot that nobody decided about yet, oldest first; at most one of them is 'run'.

    Slots are those in (decided until, now], ascending: when the clock goes back there are none, so nothing is decided twice.
    """
    if at.paused_by is not None:
        return [Decision(slot, "paused", f"paused by {at.paused_by}") for slot in slots]
    return [*(_older(slot, at) for slot in slots[:-1]), *(_newest(slot, at) for slot in slots[-1:])]


def _older(slot: datetime, at: Circumstances) -> Decision:
    return _missed(slot, at) or Decision(slot, "coalesced", "a newer slot stands for it")


def _newest(slot: datetime, at: Circumstances) -> Decision:
    missed = _missed(slot, at)
    if missed:
        return missed
    if at.live_job_id is not None:
        return Decision(slot, "overlap skipped", f"job {at.live_job_id} of this schedule is not over")
    return Decision(slot, "run", f"caught up {_late(slot, at)} late" if at.now - slot > ON_TIME else None)


def _missed(slot: datetime, at: Circumstances) -> Decision | None:
    if at.now - slot <= max(at.catch_up, ON_TIME):
        return None
    return Decision(slot, "missed", f"seen {_late(slot, at)} late; the catch-up window is {at.catch_up}")


def _late(slot: datetime, at: Circumstances) -> timedelta:
    return timedelta(seconds=(at.now - slot) // timedelta(seconds=1))

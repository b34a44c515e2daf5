"""The four slots of a day, in the reporting zone, and which of an edition's factoids each of them shows. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from services.schedules.builtin import FACTOID_SLOTS
from services.schedules.slots import first_showing

SHOWN = 5
Told = TypeVar("Told")


def turn(now: datetime, zone: ZoneInfo) -> int:
    """How many slots there were until `now`, counted from the first day of the calendar: one more at each."""
    local = now.astimezone(zone)
    passed = sum(first_showing(datetime.combine(local.date(), slot), zone) <= now for slot in FACTOID_SLOTS)
    return local.date().toordinal() * len(FACTOID_SLOTS) + passed - 1


def showing(pool: Sequence[Told], number: int) -> list[Told]:
    """Five of the pool at each turn, none of them twice before all were shown."""
    turns = -(-len(pool) // SHOWN)
    if turns == 0:
        return []
    start = number % turns * SHOWN
    return list(pool[start : start + SHOWN])


def slots_between(first: datetime, last: datetime, zone: ZoneInfo) -> list[datetime]:
    """The instants of the slots after `first`, up to `last`."""
    days = (last.astimezone(zone).date() - first.astimezone(zone).date()).days
    day = first.astimezone(zone).date()
    found = [first_showing(datetime.combine(day + timedelta(days=n), slot), zone) for n in range(days + 1) for slot in FACTOID_SLOTS]
    return [slot for slot in found if first < slot <= last]

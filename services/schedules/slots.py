"""When a schedule is due: local wall-clock times on weekdays, or an interval counted from 1970. Pure; instants are aware, in UTC."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.errors import BadInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
LEAST_EVERY_S, MOST_EVERY_S = 60, 366 * 86_400
MOST_SLOTS = 288  # a day: one in five minutes; for more there are intervals


@dataclass(frozen=True, slots=True)
class Timing:
    """Either `slots` (local times of `zone`, each on the ISO `weekdays`, 1 is Monday) or `every_s` seconds; an interval knows no weekdays.

    Raises BadInput naming the field. Slots and weekdays come out sorted, each once.
    """

    zone: str
    slots: tuple[time, ...] = ()
    every_s: int | None = None
    weekdays: tuple[int, ...] = EVERY_DAY

    def __post_init__(self) -> None:
        zone_named(self.zone)
        object.__setattr__(self, "slots", tuple(sorted(set(self.slots))))
        object.__setattr__(self, "weekdays", tuple(sorted(set(self.weekdays))))
        if bool(self.slots) == (self.every_s is not None):
            raise BadInput("slots: give local times of the day or an interval in every_s, one of the two.")
        if self.every_s is None:
            _refuse_impossible_slots(self.slots, self.weekdays)
        else:
            _refuse_impossible_interval(self.every_s, self.weekdays)


def between(timing: Timing, after: datetime, until: datetime, most: int | None = None) -> list[datetime]:
    """Slots in (after, until], oldest first, at most the first `most`."""
    return list(islice(takewhile(lambda slot: slot <= until, _from(timing, after)), most))


def upcoming(timing: Timing, after: datetime, count: int = 5) -> list[datetime]:
    """The next slots after an instant."""
    return list(islice(_from(timing, after), count))


def label(slot: datetime, zone: str) -> str:
    """A slot as clocks in the zone show it, such as `2026-03-29 03:00 CEST`; seconds only where there are any."""
    local = slot.astimezone(zone_named(zone))
    return f"{local:%Y-%m-%d %H:%M:%S %Z}" if local.second else f"{local:%Y-%m-%d %H:%M %Z}"


def first_showing(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which clocks in the zone show this time or a later one.

    So a time that is skipped is the first instant after the gap, and one that comes twice is its first occurrence.
    """
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _shown(instant, zone) == wall:
        return instant
    # The two readings of a skipped time lie on both sides of the jump.
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant
    while after - before > SECOND:
        middle = before + (after - before) // SECOND // 2 * SECOND
        if _shown(middle, zone) >= wall:
            after = middle
        else:
            before = middle
    return after


def zone_named(name: str) -> ZoneInfo:
    """The zone; raises BadInput."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(f"zone: '{name}' is not an IANA time zone such as 'Asia/Manila'.") from None


def _from(timing: Timing, after: datetime) -> Iterator[datetime]:
    return _at_times(timing, after) if timing.every_s is None else _at_intervals(timing.every_s, after)


def _at_times(timing: Timing, after: datetime) -> Iterator[datetime]:
    """First showings never go back as wall times go on, so order and uniqueness need no more than the last one."""
    zone = zone_named(timing.zone)
    day, last = after.astimezone(zone).date(), after
    while True:
        if day.isoweekday() in timing.weekdays:
            for wall in timing.slots:
                instant = first_showing(datetime.combine(day, wall), zone)
                if instant > last:
                    yield instant
                    last = instant
        day += DAY


def _at_intervals(every_s: int, after: datetime) -> Iterator[datetime]:
    step = timedelta(seconds=every_s)
    slot = EPOCH + ((after - EPOCH) // step + 1) * step
    while True:
        yield slot
        slot += step


def _shown(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _refuse_impossible_slots(slots: tuple[time, ...], weekdays: tuple[int, ...]) -> None:
    if len(slots) > MOST_SLOTS:
        raise BadInput(f"slots: at most {MOST_SLOTS} times a day.")
    if any(slot.microsecond or slot.tzinfo for slot in slots):
        raise BadInput("slots: local times to the second, without a zone of their own.")
    if not weekdays or not set(weekdays) <= set(EVERY_DAY):
        raise BadInput("weekdays: at least one of 1 (Monday) to 7 (Sunday).")


def _refuse_impossible_interval(every_s: int, weekdays: tuple[int, ...]) -> None:
    if not LEAST_EVERY_S <= every_s <= MOST_EVERY_S:
        raise BadInput(f"every_s: {LEAST_EVERY_S} to {MOST_EVERY_S} seconds, not {every_s}.")
    if weekdays != EVERY_DAY:
        raise BadInput("weekdays: an interval runs on every day; give local times instead.")

"""What a schedule is to do: which job, when, and how late it may still be."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any
from zoneinfo import available_timezones

from services.errors import BadInput
from services.jobs.truth import as_json
from services.schedules.slots import Timing

CATCH_UP_S = 3600
MOST_CATCH_UP_S = 366 * 86_400
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_KIND = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Plan:
    """The job's kind, queue and arguments; its timing; how many seconds after its slot it may still be caught up. Raises BadInput."""

    kind: str
    timing: Timing
    queue: str = "default"
    args: Mapping[str, Any] = field(default_factory=dict)
    catch_up_s: int = CATCH_UP_S

    def __post_init__(self) -> None:
        for name, value in (("kind", self.kind), ("queue", self.queue)):
            if not _KIND.fullmatch(value):
                raise BadInput(f"{name}: lower-case letters, digits and . _ -, at most 100, not '{value}'.")
        _refuse_unwritable(self.args)
        if not 0 <= self.catch_up_s <= MOST_CATCH_UP_S:
            raise BadInput(f"catch_up_s: 0 to {MOST_CATCH_UP_S} seconds, not {self.catch_up_s}.")

    @property
    def catch_up(self) -> timedelta:
        return timedelta(seconds=self.catch_up_s)

    def as_row(self) -> dict[str, object]:
        """Values of the table's columns."""
        return {
            "kind": self.kind,
            "args": as_json(dict(self.args)),
            "queue": self.queue,
            "zone": self.timing.zone,
            "slots": list(self.timing.slots) or None,
            "every_s": self.timing.every_s,
            "weekdays": list(self.timing.weekdays),
            "catch_up_s": self.catch_up_s,
        }

    def as_told(self) -> dict[str, object]:
        """The same as plain JSON, for the audit."""
        return self.as_row() | {"args": dict(self.args), "slots": [slot.isoformat() for slot in self.timing.slots] or None}


def _refuse_unwritable(args: object) -> None:
    if not isinstance(args, Mapping):
        raise BadInput("args: an object of arguments by name.")
    try:
        as_json(dict(args))
    except BadInput as error:
        raise BadInput(f"args: {error}") from None


def usable_name(name: str) -> str:
    """The name of a new schedule; raises BadInput."""
    if not _NAME.fullmatch(name):
        raise BadInput(f"name: 1 to 64 lower-case letters, digits or . _ -, beginning and ending with a letter or digit, not '{name}'.")
    return name


def usable_zone(name: str) -> str:
    """The zone of a new or changed plan, by its IANA name and not by that of any file that happens to be a zone; raises BadInput."""
    if name not in available_timezones() - {"localtime"}:  # which is another one on each machine
        raise BadInput(f"zone: '{name}' is not an IANA time zone such as 'Asia/Manila'.")
    return name


def time_told(told: str) -> time:
    """A local time of the day from HH:MM or HH:MM:SS; raises BadInput."""
    if not re.fullmatch(r"\d\d:\d\d(:\d\d)?", told, re.ASCII):
        raise BadInput(f"slots: '{told}' is not a local time such as 06:00.")
    try:
        return time.fromisoformat(told)
    except ValueError:
        raise BadInput(f"slots: '{told}' is not a local time such as 06:00.") from None

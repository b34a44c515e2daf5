"""What a question comes to: nothing but names of the model, values and days. It is compiled, worded and kept for the next question."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, cast

from services.ask.dates import Period, period
from services.ask.model import Grain, Subject

Shape = Literal["plain", "top", "bottom", "trend", "compare", "share", "list"]
Where = tuple[tuple[str, tuple[str, ...]], ...]
GRAIN = "@"  # before a grain, where a frame is grouped by time


@dataclass(frozen=True, slots=True)
class Frame:
    """`by` are dimensions, or "@month" and the like. `where` is sorted by dimension; `part` names the dimensions whose share is asked.

    `earlier` is what a comparison is made with, `when` the date that the period is about (None: the usual one).
    """

    subject: str
    measure: str = "count"
    by: tuple[str, ...] = ()
    where: Where = ()
    period: Period | None = None
    when: str | None = None
    shape: Shape = "plain"
    n: int | None = None
    part: tuple[str, ...] = ()
    earlier: Period | None = None

    @property
    def grain(self) -> Grain | None:
        """The grain of time it is grouped by."""
        return next((cast(Grain, name[1:]) for name in self.by if name.startswith(GRAIN)), None)

    def values(self, dimension: str) -> tuple[str, ...]:
        return dict(self.where).get(dimension, ())

    def narrowed(self, more: Mapping[str, tuple[str, ...]]) -> "Frame":
        """With these values, in place of others of the same dimensions."""
        return replace(self, where=tuple(sorted((dict(self.where) | dict(more)).items())))

    def as_json(self) -> dict[str, Any]:
        """For the conversation's row."""
        return {
            "subject": self.subject, "measure": self.measure, "by": list(self.by),
            "where": {name: list(values) for name, values in self.where},
            "period": _days(self.period), "when": self.when, "shape": self.shape, "n": self.n,
            "part": list(self.part),
            "earlier": _days(self.earlier),
        }  # fmt: skip


def from_json(told: Mapping[str, Any], subjects: Mapping[str, Subject]) -> Frame | None:
    """The frame of a row; None when the model no longer has what it names."""
    frame = Frame(
        told["subject"], told["measure"], tuple(told["by"]), tuple(sorted((name, tuple(values)) for name, values in told["where"].items())),
        _period(told["period"]), told["when"], told["shape"], told["n"], tuple(told["part"]), _period(told["earlier"]),
    )  # fmt: skip
    subject = subjects.get(frame.subject)
    if subject is None or frame.measure not in {one.name for one in subject.measures}:
        return None
    names = [name for name in frame.by if not name.startswith(GRAIN)] + [name for name, _ in frame.where]
    return frame if all(subject.has(name) for name in names) else None


def _days(told: Period | None) -> list[str | None] | None:
    return None if told is None else [day.isoformat() if day else None for day in (told.start, told.end)]


def _period(told: list[str | None] | None) -> Period | None:
    return None if told is None else period(*(date.fromisoformat(day) if day else None for day in told))

"""What the columns of an answer are called and measured in, the same on pages, in files and over HTTP."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.metrics.catalogue import DIMENSIONS, MEASURES

PREVIOUS = "_previous"
WHOLE = frozenset({"count", "tokens"})  # a fraction in these is a mean
UNITS = {"count": "count", "share": "share of 1", "usd": "USD", "ms": "ms", "tokens": "tokens", "per_min": "per minute",
         "rating": "1 to 5", "s": "s"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an answer; `unit` is "time" for the bucket and "text" for a dimension."""

    name: str
    label: str
    unit: str

    def header(self, zone: str) -> str:
        """Its heading with its unit, such as "Latency p95 (ms)"; times are of `zone`."""
        if self.unit == "text":
            return self.label
        return f"{self.label} ({zone if self.unit == 'time' else UNITS[self.unit]})"


def columns(names: Iterable[str]) -> list[Column]:
    """The columns of an answer's frame, in its order."""
    return [_column(str(name)) for name in names]


def _column(name: str) -> Column:
    if name == "bucket":
        return Column(name, "Time", "time")
    if name in DIMENSIONS:
        return Column(name, DIMENSIONS[name].label, "text")
    measure = MEASURES[name.removesuffix(PREVIOUS)]
    return Column(name, f"{measure.label}, period before" if name.endswith(PREVIOUS) else measure.label, measure.unit)

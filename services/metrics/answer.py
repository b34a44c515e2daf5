"""One question to the catalogue, one answer: a frame, and how far it can be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal, cast

import numpy as np
import pandas as pd

from services.clock import utc_now
from services.errors import BadInput
from services.metrics import kept
from services.metrics.catalogue import DIMENSIONS, MEASURES, Measure, can_split, conflict
from services.metrics.ranges import FINE, Period, resolve
from services.metrics.snapshot import Snapshot
from services.metrics.sums import Split, Where, distinct_counts, feedback_sums, operation_sums, session_sums
from services.metrics.table import Column, Key, Table, join

MOST_ROWS = 200_000
Compare = bool | Literal["day", "week"]
EARLIER = {"day": 1, "week": 7}
_Made = tuple[pd.DataFrame, float | None, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Answer:
    """`frame`: bucket (with an interval), dimensions, measures, and measure_previous when compared; unknown is None or NaN.

    The frame is shared with all who ask the same: it is read, never written to.
    `complete` is False while accepted telemetry waits to be rolled up; everything received before `as_of` is in the numbers.
    """

    frame: pd.DataFrame
    as_of: datetime
    complete: bool
    priced_share: float | None
    zone: str
    notes: tuple[str, ...]


def query(
    measures: Sequence[str],
    *,
    start: date | datetime,
    end: date | datetime,
    by: Sequence[str] = (),
    where: Mapping[str, Sequence[str]] | None = None,
    interval: str | None = None,
    compare: Compare = False,
) -> Answer:
    """Answer from rollups. Dates are days of the reporting zone, `end` is exclusive.

    `compare` adds the period of the same length before, or the same hours a "day" or a "week" earlier; without an interval, of a range
    that is not over, as much of them as has passed of it. What is counted by days has no previous value where hours are compared.
    Raises BadInput saying what cannot be asked.
    """
    chosen = _chosen(measures, by, where or {})
    filters: Where = {name: list(values) for name, values in (where or {}).items() if values}
    asked = ("query", tuple(measures), start, end, tuple(by), kept.frozen(filters), interval, compare)

    def make(snapshot: Snapshot) -> _Made:
        now = utc_now()
        period, notes = resolve(start, end, interval, snapshot.zone, now)
        split = Split(period, by, filters)
        rows, more = _measure(snapshot, chosen, split)
        columns = _keys(rows, split) | {measure.name: _typed(measure, rows.values[measure.name]) for measure in chosen}
        if compare:
            earlier = period.previous(now) if compare is True else period.days_before(EARLIER[compare], now)
            comparable = [measure for measure in chosen if measure.family == "operation" or not period.ends_within_a_day]
            before, _ = _measure(snapshot, comparable, Split(earlier, by, filters))
            columns |= _beside(rows, before, chosen, len(earlier.buckets()) if interval else None)
            by_day = any(measure.family != "operation" for measure in comparable)
            more += _whole_beside_part(period, earlier, before, by_day, now)
        return pd.DataFrame(columns, index=range(len(rows.keys))), rows.priced_share, snapshot.zone.key, tuple(dict.fromkeys(notes + more))

    moves = any("minutes" in measure.needs for measure in chosen) or (compare and _day(end) >= utc_now().date())
    age_s = kept.MOVING_S if moves else kept.AGE_S
    now, (frame, priced_share, zone, notes) = kept.KEPT.get(asked, make, age_s=age_s)
    return Answer(frame, now.as_of, now.complete, priced_share, zone, notes)


def _day(moment: date | datetime) -> date:
    return moment.astimezone(UTC).date() if isinstance(moment, datetime) else moment


def _chosen(measures: Sequence[str], by: Sequence[str], where: Mapping[str, Sequence[str]]) -> list[Measure]:
    if not measures:
        raise BadInput(f"Name at least one measure: {', '.join(MEASURES)}.")
    for name in measures:
        if name not in MEASURES:
            raise BadInput(f"Unknown measure '{name}': there are {', '.join(MEASURES)}.")
    for name in (*by, *where):
        if name not in DIMENSIONS:
            raise BadInput(f"Unknown dimension '{name}': there are {', '.join(DIMENSIONS)}.")
    if len(set(by)) < len(by):
        raise BadInput("A dimension is named twice.")
    chosen = [MEASURES[name] for name in dict.fromkeys(measures)]
    for measure in chosen:
        _refuse_split(measure, (*by, *where))
    return chosen


def _refuse_split(measure: Measure, asked: Sequence[str]) -> None:
    for name in asked:
        if not can_split(name, measure):
            raise BadInput(f"'{measure.name}' cannot be split or filtered by {DIMENSIONS[name].label.lower()}.")
    apart = conflict(measure.name, asked)
    if apart is not None:
        raise BadInput(apart)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The measures of one period by name, a value under each key; and the share of its operations that are priced."""

    keys: Sequence[Key]
    values: Mapping[str, Column]
    priced_share: float | None


def _whole_beside_part(period: Period, earlier: Period, before: _Rows, by_day: bool, now: datetime) -> tuple[str, ...]:
    """What must be said where a range that is not over is held against whole days in which there was something."""
    whole = by_day or not earlier.part_day
    if period.fine or period.interval or period.is_over(now) or not whole or not _any(before):
        return ()
    what = "what is counted by days" if earlier.part_day else "it"
    return (f"The range is not over: {what} is held against whole days.",)


def _any(rows: _Rows) -> bool:
    return any(value is not None and not pd.isna(value) and value != 0 for column in rows.values.values() for value in column)


def _measure(snapshot: Snapshot, chosen: Sequence[Measure], split: Split) -> tuple[_Rows, tuple[str, ...]]:
    """The measures of one period, and notes."""
    by_day, notes = _known_by_day(chosen, split)
    parts, more = _parts(snapshot, [m for m in chosen if m.family == "operation"], by_day, split)
    sums = _grid(parts, split.period, split.by)
    if any("minutes" in measure.needs for measure in chosen):
        sums.columns["minutes"] = _minutes(sums, split.period)
    values = {m.name: _value(m, sums) if m.family == "operation" or m in by_day else [None] * len(sums) for m in chosen}
    return _Rows(sums.keys, values, _share(sums) if "priced" in sums else None), notes + more


def _keys(rows: _Rows, split: Split) -> dict[str, object]:
    """The columns that name a row."""
    by_column = list(zip(*rows.keys, strict=True)) or [()] * (bool(split.period.interval) + len(split.by))
    named: dict[str, object] = {}
    if split.period.interval:
        named["bucket"] = split.period.index().take(np.asarray(by_column.pop(0), dtype=np.intp))
    return named | {name: pd.array(column, dtype="str") for name, column in zip(split.by, by_column, strict=True)}


def _known_by_day(chosen: Sequence[Measure], split: Split) -> tuple[list[Measure], tuple[str, ...]]:
    """The measures that are counted by whole days and can be answered, and what must be said of them."""
    by_day = [measure for measure in chosen if measure.family != "operation"]
    notes = []
    if split.asks("error_type"):
        if split.period.interval in FINE:
            raise BadInput("Error types are counted by day: ask for an interval of a day or longer.")
        if split.period.ends_within_a_day:
            notes.append("Error types are counted by the whole days that the range touches.")
    if by_day and split.period.interval in FINE:
        return [], (*notes, "Users, sessions and feedback are counted by whole days; finer than that they are unknown.")
    if by_day and split.period.ends_within_a_day:
        notes.append("Users, sessions and feedback are counted by the whole days that the range touches.")
    return by_day, tuple(notes)


def _parts(
    snapshot: Snapshot, of_operations: Sequence[Measure], by_day: Sequence[Measure], split: Split
) -> tuple[list[Table], tuple[str, ...]]:
    """The sums from each kind of rollup that is needed."""
    parts: list[Table] = []
    estimated = False
    daily = replace(split, period=split.period.by_day)
    if of_operations or not by_day:
        needs = {need for measure in of_operations for need in measure.needs}
        cells = daily if split.period.until_now else split
        parts.append(operation_sums(snapshot, cells, needs | {"n", "priced"}))
    session_needs = {need for measure in by_day if measure.family == "session" for need in measure.needs}
    if session_needs:
        parts.append(session_sums(snapshot, daily, session_needs | {"session_n"}))
    feedback_needs = {need for measure in by_day if measure.family == "feedback" for need in measure.needs}
    if feedback_needs:
        parts.append(feedback_sums(snapshot, daily, feedback_needs | {"feedback_n"}))
    for kind in dict.fromkeys(measure.needs[0] for measure in by_day if measure.family == "distinct"):
        counts, is_estimate = distinct_counts(snapshot, daily, kind)
        parts.append(counts)
        estimated = estimated or is_estimate
    return parts, ("Distinct counts of this range are estimates (about 2 % off).",) if estimated else ()


def _grid(parts: list[Table], period: Period, by: Sequence[str]) -> Table:
    """All parts side by side on their keys in order, with a row for every bucket even where nothing happened."""
    if not period.interval:
        return join(parts)
    groups = sorted({key[1:] for part in parts for key in part.keys}) if by else [()]
    if len(period.buckets()) * max(len(groups), 1) > MOST_ROWS:
        raise BadInput(f"The answer would have more than {MOST_ROWS} rows: split by less, or choose a longer interval.")
    return join(parts, ((place, *group) for place in range(len(period.buckets())) for group in groups))


def _minutes(sums: Table, period: Period) -> Column:
    """Minutes that each row stands for."""
    now = utc_now()
    if not period.interval:
        return [max((min(period.end, now) - period.start).total_seconds() / 60, 0.0)] * len(sums)
    minutes = [period.minutes(bucket, now) for bucket in period.buckets()]
    return [minutes[cast(int, key[0])] for key in sums.keys]


def _share(sums: Table) -> float | None:
    operations = sums.total("n")
    return sums.total("priced") / operations if operations else None


def _value(measure: Measure, sums: Table) -> Column:
    """The measure of each row; nothing happened is 0 where that is known, otherwise unknown."""
    value = measure.compute(sums)
    if measure.empty is None:
        return value
    happened = {"operation": "n", "session": "session_n", "distinct": measure.needs[0], "feedback": "feedback_n"}[measure.family]
    nothing = np.nan_to_num(sums.number(happened)) == 0 if happened in sums else np.array([v is None for v in value], dtype=bool)
    zero = _zero(measure)
    return [zero if empty else v for v, empty in zip(value, nothing, strict=True)] if nothing.any() else value


def _zero(measure: Measure) -> Decimal | int | None:
    """Its value where nothing happened."""
    return Decimal(0) if measure.unit == "usd" and measure.empty is not None else measure.empty


def _typed(measure: Measure, values: Column) -> object:
    """A column of the frame: dollars as Decimal, counts as whole numbers, everything else as floats."""
    if measure.unit == "usd":
        return pd.Series(values, dtype=object)
    if measure.empty is None:
        return np.asarray(values, dtype=np.float64)
    return pd.array(np.asarray(values, dtype=np.float64), dtype="Float64") if measure.unit == "per_min" else pd.array(values, dtype="Int64")


def _beside(rows: _Rows, before: _Rows, measures: Sequence[Measure], buckets: int | None) -> dict[str, object]:
    """Previous values as measure_previous: of the same dimensions and, with an interval, of the bucket in the same place.

    A group that was not there then had nothing: 0 where that is known. A bucket that is not among the earlier period's is unknown,
    and so is a measure that was not asked of it.
    """
    at = {key: row for row, key in enumerate(before.keys)}
    places = [at.get(key) for key in rows.keys]
    known = [buckets is None or cast(int, key[0]) < buckets for key in rows.keys]
    columns: dict[str, object] = {}
    for measure in measures:
        then, zero = before.values.get(measure.name), _zero(measure)
        if then is None:
            columns[f"{measure.name}_previous"] = _typed(measure, [None] * len(rows.keys))
            continue
        values = [then[place] if place is not None else zero if had else None for place, had in zip(places, known, strict=True)]
        columns[f"{measure.name}_previous"] = _typed(measure, values)
    return columns

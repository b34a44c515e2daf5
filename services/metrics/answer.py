"""One question to the catalogue, one answer: a frame, and how far it can be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, cast

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from services.clock import utc_now
from services.errors import BadInput
from services.metrics import kept
from services.metrics.catalogue import DIMENSIONS, MEASURES, Measure, can_split, conflict
from services.metrics.freshness import zone_of
from services.metrics.ranges import FINE, Period, resolve
from services.metrics.sums import Split, Where, distinct_counts, feedback_sums, operation_sums, session_sums
from services.metrics.table import Column, Table, join

MOST_ROWS = 200_000
Compare = bool | Literal["day", "week"]
EARLIER = {"day": 1, "week": 7}
IN_BOTH = "(in both)"  # no dimension or measure is called so
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

    `compare` adds the period of the same length before, or the same hours a "day" or a "week" earlier.
    Raises BadInput saying what cannot be asked.
    """
    chosen = _chosen(measures, by, where or {})
    filters: Where = {name: list(values) for name, values in (where or {}).items() if values}
    asked = ("query", tuple(measures), start, end, tuple(by), kept.frozen(filters), interval, compare)

    def make(connection: Connection) -> _Made:
        period, notes = resolve(start, end, interval, zone_of(connection), utc_now())
        frame, priced_share, more = _measure(connection, chosen, Split(period, by, filters))
        if compare:
            earlier = period.previous() if compare is True else period.days_before(EARLIER[compare])
            before, _, _ = _measure(connection, chosen, Split(earlier, by, filters))
            frame = _beside(frame, before, list(by), chosen, (period, earlier))
        return frame, priced_share, period.zone.key, tuple(dict.fromkeys(notes + more))

    now, (frame, priced_share, zone, notes) = kept.KEPT.get(asked, make, moves=any("minutes" in measure.needs for measure in chosen))
    return Answer(frame, now.as_of, now.complete, priced_share, zone, notes)


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


def _measure(connection: Connection, chosen: Sequence[Measure], split: Split) -> tuple[pd.DataFrame, float | None, tuple[str, ...]]:
    """The measures of one period, the share of its operations that are priced, and notes."""
    by_day, notes = _known_by_day(chosen, split)
    parts, more = _parts(connection, [m for m in chosen if m.family == "operation"], by_day, split)
    sums = _grid(parts, split.period, split.by)
    if any("minutes" in measure.needs for measure in chosen):
        sums.columns["minutes"] = _minutes(sums, split.period)
    columns = _keys(sums, split) | {
        m.name: _value(m, sums) if m.family == "operation" or m in by_day else [None] * len(sums) for m in chosen
    }
    return pd.DataFrame(columns, index=range(len(sums))), _share(sums) if "priced" in sums else None, notes + more


def _keys(sums: Table, split: Split) -> dict[str, object]:
    """The columns that name a row."""
    by_column = list(zip(*sums.keys, strict=True)) or [()] * (bool(split.period.interval) + len(split.by))
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
        if split.period.fine:
            notes.append("Error types are counted by the whole days that the range touches.")
    if by_day and split.period.interval in FINE:
        return [], (*notes, "Users, sessions and feedback are counted by whole days; finer than that they are unknown.")
    if by_day and split.period.fine:
        notes.append("Users, sessions and feedback are counted by the whole days that the range touches.")
    return by_day, tuple(notes)


def _parts(
    connection: Connection, of_operations: Sequence[Measure], by_day: Sequence[Measure], split: Split
) -> tuple[list[Table], tuple[str, ...]]:
    """The sums from each kind of rollup that is needed."""
    parts: list[Table] = []
    estimated = False
    daily = replace(split, period=replace(split.period, fine=False))
    if of_operations or not by_day:
        needs = {need for measure in of_operations for need in measure.needs}
        parts.append(operation_sums(connection, split, needs | {"n", "priced"}))
    session_needs = {need for measure in by_day if measure.family == "session" for need in measure.needs}
    if session_needs:
        parts.append(session_sums(connection, daily, session_needs | {"session_n"}))
    feedback_needs = {need for measure in by_day if measure.family == "feedback" for need in measure.needs}
    if feedback_needs:
        parts.append(feedback_sums(connection, daily, feedback_needs | {"feedback_n"}))
    for kind in dict.fromkeys(measure.needs[0] for measure in by_day if measure.family == "distinct"):
        counts, is_estimate = distinct_counts(connection, daily, kind)
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


def _value(measure: Measure, sums: Table) -> object:
    """The measure of each row; nothing happened is 0 where that is known, otherwise unknown."""
    value = measure.compute(sums)
    if measure.empty is None:
        return value if isinstance(value, np.ndarray) else pd.Series(value, dtype=object)
    happened = {"operation": "n", "session": "session_n", "distinct": measure.needs[0], "feedback": "feedback_n"}[measure.family]
    nothing = np.nan_to_num(sums.number(happened)) == 0 if happened in sums else np.array([v is None for v in value], dtype=bool)
    if measure.unit == "usd":
        return pd.Series([Decimal(0) if empty else v for v, empty in zip(value, nothing, strict=True)], dtype=object)
    if measure.name == "throughput":
        return pd.array(np.where(nothing, 0.0, np.asarray(value, dtype=np.float64)), dtype="Float64")
    return pd.array([0 if empty else v for v, empty in zip(value, nothing, strict=True)], dtype="Int64")


def _beside(
    frame: pd.DataFrame, before: pd.DataFrame, by: list[str], measures: Sequence[Measure], periods: tuple[Period, Period]
) -> pd.DataFrame:
    """Previous values as measure_previous: on the same dimensions and, with an interval, on the bucket in the same place.

    A group that was not there then had nothing: 0 where that is known. A bucket that the earlier period does not have is unknown.
    """
    period, earlier = periods
    then = before.rename(columns={measure.name: f"{measure.name}_previous" for measure in measures})
    if not period.interval:
        beside = frame.merge(then, on=by, how="left", indicator=IN_BOTH) if by else pd.concat([frame, then], axis=1)
        return _nothing_before(beside, measures, pd.Series(True, index=beside.index)) if by else beside
    places = {bucket: place for place, bucket in enumerate(earlier.buckets())}
    here = {bucket: place for place, bucket in enumerate(period.buckets())}
    then = then.assign(place=then["bucket"].map(places)).drop(columns="bucket")
    beside = frame.assign(place=frame["bucket"].map(here)).merge(then, on=["place", *by], how="left", indicator=IN_BOTH)
    return _nothing_before(beside, measures, beside["place"] < len(places)).drop(columns="place")


def _nothing_before(beside: pd.DataFrame, measures: Sequence[Measure], there: pd.Series) -> pd.DataFrame:
    absent = there & (beside[IN_BOTH] == "left_only")
    for measure in measures:
        if measure.empty is not None and absent.any():
            beside.loc[absent, f"{measure.name}_previous"] = Decimal(0) if measure.unit == "usd" else 0
    return beside.drop(columns=IN_BOTH)

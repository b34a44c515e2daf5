"""The figures of an answer: asked of Postgres for subjects with a table, of the metrics catalogue for the console's own measures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
from sqlalchemy import Connection, text

from services import metrics
from services.ask.compile import MOST_GROUPS, statement
from services.ask.dates import Period, add_months, whole
from services.ask.frame import GRAIN, Frame
from services.ask.model import Subject
from services.metrics.freshness import zone_of

Cell = str | int | float | Decimal | date | None
MOST_BUCKETS = 400


@dataclass(frozen=True, slots=True)
class Figures:
    """`rows`: keys in the order of the frame's `by`, then the value; with a share the whole, with a comparison the earlier value.

    Of a list the rows are its columns and `total` says how many there are. `notes` are what must be said of the figures.
    """

    rows: list[tuple[Cell, ...]]
    total: int | None = None
    notes: tuple[str, ...] = field(default=())


def of_table(connection: Connection, frame: Frame, subject: Subject) -> Figures:
    """For a subject with a table of its own."""
    made = statement(frame, subject, zone_of(connection))
    found = connection.execute(text(made.sql), dict(made.values)).all()
    if frame.shape == "list":
        return Figures([tuple(row)[:-1] for row in found], int(found[0].value) if found else 0)
    rows = [tuple(row) for row in found]
    if frame.shape == "trend" and len(frame.by) == 1:
        rows = _without_gaps(rows, frame, subject)
    return Figures(rows)


def of_metrics(frame: Frame) -> Figures:
    """For the console's own measures; raises BadInput where the catalogue cannot answer."""
    dimensions = [name for name in frame.by if not name.startswith(GRAIN)]
    period = frame.period
    assert period is not None and period.start is not None and period.end is not None  # noqa: S101, PT018 - as understand() left it
    where: Mapping[str, Any] = {name: list(values) for name, values in frame.where}
    found = metrics.query([frame.measure], start=period.start, end=period.end, by=dimensions, where=where, interval=frame.grain)
    table = found.frame
    if frame.earlier is not None and frame.earlier.start is not None and frame.earlier.end is not None:
        before = metrics.query([frame.measure], start=frame.earlier.start, end=frame.earlier.end, by=dimensions, where=where).frame
        before = before.rename(columns={frame.measure: "earlier"})
        table = table.merge(before, on=dimensions, how="outer") if dimensions else table.assign(earlier=before["earlier"])
    if frame.part:
        rest = {name: values for name, values in where.items() if name not in frame.part}
        every = metrics.query([frame.measure], start=period.start, end=period.end, by=dimensions, where=rest).frame
        every = every.rename(columns={frame.measure: "whole"})
        table = table.merge(every, on=dimensions, how="right") if dimensions else table.assign(whole=every["whole"])
    columns = [*("bucket" if name.startswith(GRAIN) else name for name in frame.by), frame.measure]
    columns += [name for name in ("earlier", "whole") if name in table.columns]
    rows = [tuple(_cell(value) for value in row) for row in table[columns].itertuples(index=False)]
    rows = [row for row in rows if frame.grain or not frame.by or any(value is not None for value in row[len(frame.by) :])]
    if frame.by and frame.shape != "trend":
        rows.sort(key=lambda row: _rank(row[len(frame.by)], frame.shape == "bottom"))
    return Figures(rows[: frame.n or (MOST_BUCKETS if frame.shape == "trend" else MOST_GROUPS)], None, found.notes)


def _rank(value: Cell, up: bool) -> tuple[bool, float]:
    """Unknown comes last either way."""
    return (value is None, amount(value) * (1 if up else -1))


def amount(value: Cell) -> float:
    """A value as a float, for ranking and shares; nothing where it is unknown."""
    return 0.0 if value is None else float(str(value))


def _cell(value: object) -> Cell:
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return None
    if isinstance(value, pd.Timestamp):
        day: date = value.date()
        return day
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str | Decimal):
        return value
    return int(str(value))


def _without_gaps(rows: list[tuple[Cell, ...]], frame: Frame, subject: Subject) -> list[tuple[Cell, ...]]:
    """A row for each day, week … between the first and the last: none there is 0, an average of none is unknown."""
    days = [row[0] for row in rows if isinstance(row[0], date)]
    if not days or frame.grain is None:
        return rows
    first, last = _ends(days, frame.period)
    known = {row[0]: row for row in rows}
    nothing = 0 if subject.measure(frame.measure).additive else None
    made: list[tuple[Cell, ...]] = []
    place = whole(frame.grain, first)[0]
    while place <= last and len(made) < MOST_BUCKETS:
        made.append(known.get(place, (place, nothing)))
        place = whole(frame.grain, place)[1] if frame.grain != "month" else add_months(place, 1)
    return made


def _ends(days: list[date], told: Period | None) -> tuple[date, date]:
    first = told.start if told and told.start else min(days)
    last = told.end.fromordinal(told.end.toordinal() - 1) if told and told.end else max(days)
    return first, max(min(last, max(days)), first)

"""Every kind of question: its example is understood as it must be, its statement is one plain read, its figures are those of pandas."""

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlglot
from sqlalchemy import text
from sqlglot import exp

from services.ask import compile as compiler
from services.ask import figures, lexicon, templates, vocabulary
from services.ask.dates import Calendar, Period
from services.ask.frame import GRAIN, Frame
from services.ask.outcome import Understood
from services.ask.subjects import SUBJECTS
from services.ask.templates import Template
from services.ask.understand import understand
from services.clock import today, utc_now
from services.db import transaction
from services.settings import settings
from tests.benchmarks.page_data import RAW, _raw
from tests.services.ask import world

AT_LEAST = {
    "communities": 40, "needs assessments": 30, "coordination": 25, "policies": 20, "projects": 20, "staff": 10, "general": 12,
    "health": 5, "cost": 10, "performance": 10, "sessions": 10, "jobs": 5, "councils": 10,
}  # fmt: skip
pytestmark = pytest.mark.usefixtures("filled")
Value = float | None


def calendar() -> Calendar:
    return Calendar(today(settings().zone), settings().school_year_month)


def every() -> list[Template]:
    with transaction() as connection:
        return templates.enumerate_all(vocabulary.read(connection), calendar())


def test_there_are_enough_of_each_category_even_with_nothing_in_the_database() -> None:
    empty = lexicon.Values({}, {})
    counts = templates.by_category(templates.enumerate_all(empty, world.CALENDAR))
    assert {name: counts[name] >= least for name, least in AT_LEAST.items()} == dict.fromkeys(AT_LEAST, True)
    assert sum(counts[name] for name in list(AT_LEAST)[:7]) >= 157
    assert len(every()) >= 600


def test_every_example_is_understood_as_its_template() -> None:
    with transaction() as connection:
        known = lexicon.build(SUBJECTS, vocabulary.read(connection))
    found = every()
    outcomes = [(one.example, understand(one.example, known, calendar()), one.frame) for one in found]
    assert [
        (example, outcome) for example, outcome, frame in outcomes if not isinstance(outcome, Understood) or outcome.frame != frame
    ] == []


def test_every_statement_is_one_read_of_one_table_with_parameters_alone() -> None:
    with transaction() as connection:
        tables = set(connection.execute(text("select relname from pg_class where relnamespace = 'public'::regnamespace")).scalars())
    for template in every():
        subject = SUBJECTS[template.frame.subject]
        if subject.metrics:
            continue
        made = compiler.statement(template.frame, subject, settings().zone)
        (parsed,) = sqlglot.parse(made.sql, read="postgres")
        assert isinstance(parsed, exp.Select), template.example
        assert {table.name for table in parsed.find_all(exp.Table)} == {subject.table}
        assert subject.table in tables
        assert not list(parsed.find_all(exp.Subquery)), template.example
        told = {value for _, values in template.frame.where for value in values}
        assert not told & {literal.name for literal in parsed.find_all(exp.Literal)}, template.example


# --- the same figures by pandas, written apart from the statements ---


def _mean(column: str) -> Callable[[pd.DataFrame], Value]:
    return lambda rows: _number(rows[column].mean())


def _sum(column: str) -> Callable[[pd.DataFrame], Value]:
    return lambda rows: _number(rows[column].sum(min_count=1))


def _days(later: str, earlier: str, more: int = 0) -> Callable[[pd.DataFrame], Value]:
    return lambda rows: _number(((rows[later] - rows[earlier]).dt.days + more).mean())


def _count(keep: Callable[[pd.DataFrame], Any]) -> Callable[[pd.DataFrame], Value]:
    return lambda rows: float(keep(rows).sum())


def _today() -> pd.Timestamp:
    """When it is asked, not when this file was read: midnight may lie between."""
    return pd.Timestamp(utc_now().date())


COMPUTE: dict[tuple[str, str], Callable[[pd.DataFrame], Value]] = {
    ("communities", "population"): _sum("population"),
    ("communities", "population_avg"): _mean("population"),
    ("communities", "population_max"): lambda rows: _number(rows["population"].max()),
    ("communities", "population_min"): lambda rows: _number(rows["population"].min()),
    ("communities", "uncounted"): _count(lambda rows: rows["population"].isna()),
    ("needs", "households"): _sum("households"),
    ("needs", "households_avg"): _mean("households"),
    ("needs", "cost"): _sum("cost_minor"),
    ("needs", "cost_avg"): _mean("cost_minor"),
    ("needs", "waiting_days"): _days("validated_on", "assessed_on"),
    ("meetings", "attendees"): _sum("attendees"),
    ("meetings", "attendees_avg"): _mean("attendees"),
    ("activities", "participants"): _sum("participants"),
    ("activities", "participants_avg"): _mean("participants"),
    ("activities", "duration"): _days("ends_on", "starts_on", 1),
    ("policies", "approval_days"): _days("approved_on", "proposed_on"),
    ("projects", "variance"): lambda rows: _number(pd.to_numeric(rows["variance_percent"]).mean()),
    ("projects", "over_budget"): _count(lambda rows: pd.to_numeric(rows["variance_percent"]) > 0),
    ("projects", "late"): _count(lambda rows: rows["end_current"] > rows["end_planned"]),
    ("projects", "length"): _days("end_planned", "start_planned"),
    ("projects", "no_end"): _count(lambda rows: rows["end_current"].isna() & rows["end_planned"].isna()),
    ("people", "tenure"): lambda rows: _number((_today() - rows["joined_on"]).dt.days.mean()),
    ("tasks", "overdue"): _count(lambda rows: (rows["due_on"] < _today()) & (rows["status"] != "done")),
    ("tasks", "done_days"): _days("done_on", "created_on"),
    ("imports", "rows"): _sum("read"),
    ("imports", "rejected"): _sum("rejected"),
    ("questions", "response"): _mean("response_ms"),
    ("schedules", "paused"): _count(lambda rows: rows["paused_at"].notna()),
    ("accounts", "disabled"): _count(lambda rows: rows["disabled_at"].notna()),
    ("council_figures", "count"): _count(lambda rows: rows["value"].notna()),
    ("council_figures", "amount"): _sum("value"),
    ("council_figures", "amount_avg"): _mean("value"),
    ("keys", "revoked"): _count(lambda rows: rows["revoked_at"].notna()),
    ("jobs", "took"): lambda rows: _number((rows["finished_at"] - rows["created_at"]).dt.total_seconds().mean()),
}
COLUMNS = {
    ("communities", "level"): "geographic_level", ("communities", "settlement"): "settlement_type",
    ("communities", "status"): "barangay_status",
}  # fmt: skip
DATES = {
    "needs": "assessed_on", "meetings": "held_on", "partners": "since_on", "activities": "starts_on",
    "policies": "proposed_on",
    "projects": "start_planned",
    "people": "joined_on", "tasks": "created_on", "imports": "created_at", "questions": "asked_at",
    "accounts": "created_at", "keys": "created_at",
    "jobs": "created_at",
}  # fmt: skip
INSTANTS = ("created_at", "asked_at", "finished_at", "paused_at", "disabled_at", "revoked_at")


def _number(value: Any) -> Value:  # noqa: ANN401 - what pandas gives
    return None if pd.isna(value) else float(value)


def rows_of(subject: str) -> pd.DataFrame:
    with transaction() as connection:
        found = connection.execute(text(f"select * from {SUBJECTS[subject].table}"))
        rows = pd.DataFrame(found.all(), columns=list(found.keys()))
    for column in rows.columns:
        if column.endswith("_on") or column.startswith(("start_", "end_")) or column in INSTANTS:
            rows[column] = pd.to_datetime(rows[column], utc=column in INSTANTS)
    if subject == "council_figures":
        rows["value"] = pd.to_numeric(rows["value"])
    return rows


def by_pandas(frame: Frame, rows: pd.DataFrame) -> dict[tuple[object, ...], tuple[Value, ...]]:
    """Key → value, and after it the whole of a share or the earlier value of a comparison."""
    compute = COMPUTE.get((frame.subject, frame.measure), lambda some: float(len(some)))
    where = dict(frame.where)
    if frame.subject == "communities" and frame.measure.startswith("population") and "level" not in where and "level" not in frame.by:
        where["level"] = ("Bgy",)
    part = rows
    whole = rows
    for name, values in where.items():
        column = COLUMNS.get((frame.subject, name), name)
        part = part[part[column].isin(values)]
        whole = whole if name in frame.part else whole[whole[column].isin(values)]
    told = [within(part, frame, frame.period)]
    if frame.part:
        told.append(within(whole, frame, frame.period))
    if frame.earlier:
        told.append(within(part, frame, frame.earlier))
    if not frame.by:
        return {(): tuple(compute(some) for some in told)}
    (name,) = frame.by
    keys = (
        told[0][DATES[frame.subject]].dt.strftime("%Y-%m-01")
        if name.startswith(GRAIN)
        else told[0][COLUMNS.get((frame.subject, name), name)]
    )
    groups = told[0].groupby(keys.where(keys.notna(), "-"))
    return {(key,): (compute(group),) for key, group in groups}


def within(rows: pd.DataFrame, frame: Frame, period: Period | None) -> pd.DataFrame:
    if period is None:
        return rows
    days = rows[DATES[frame.subject]]
    zone = "UTC" if days.dt.tz is not None else None
    assert period.start
    assert period.end
    return rows[(days >= pd.Timestamp(period.start, tz=zone)) & (days < pd.Timestamp(period.end, tz=zone))]


def test_every_template_gives_the_figures_that_pandas_gives() -> None:
    tables = {name: rows_of(name) for name, subject in SUBJECTS.items() if not subject.metrics}
    compared = 0
    for template in every():
        frame, subject = template.frame, SUBJECTS[template.frame.subject]
        if subject.metrics:
            continue
        with transaction() as connection:
            told = figures.of_table(connection, frame, subject)
        expected = by_pandas(frame, tables[frame.subject])
        found = {tuple(_key(cell) for cell in row[: len(frame.by)]): row[len(frame.by) :] for row in told.rows}
        if frame.shape == "top":
            best = max((values[0] or 0.0 for values in expected.values()), default=None)
            assert _floats(tuple(values[0] for values in found.values())) == ([] if best is None else [best]), template.example
            compared += 1
            continue
        if frame.shape == "trend":
            found = {key: values for key, values in found.items() if key in expected or values[0] not in (0, None)}
        assert set(found) == set(expected), template.example
        for key, values in found.items():
            assert _floats(values) == pytest.approx(_floats(expected[key]), rel=1e-6, nan_ok=True), (template.example, key)
        compared += 1
    assert compared >= 400


def _key(cell: object) -> object:
    if cell is None:
        return "-"
    return cell.isoformat() if isinstance(cell, date) else cell


def _floats(values: tuple[Any, ...]) -> list[float]:
    return [np.nan if value is None else float(value) for value in values]


def test_every_template_of_the_consoles_own_measures_gives_the_figures_of_raw_operations() -> None:
    compared = 0
    for template in every():
        frame = template.frame
        if not SUBJECTS[frame.subject].metrics or frame.measure not in RAW or frame.measure == "throughput":
            continue
        assert frame.period
        names = [name for name in frame.by if not name.startswith(GRAIN)]
        if frame.grain:
            continue  # a course of months is summed over cells whose figures the catalogue's own tests hold against raw operations
        if frame.measure in ("users", "sessions") and names:
            continue
        statement, values = _raw({"measures": [frame.measure], "by": names}, "UTC")
        with transaction() as connection:
            days = values | {"start": frame.period.start, "end": frame.period.end}
            raw = connection.execute(text(statement), days).all()
        expected = {tuple(row[:-1]): row[-1] for row in raw}
        for row in figures.of_metrics(frame).rows:
            want = expected[tuple(row[: len(names)])]
            got = row[-1]
            if frame.measure in ("cost", "cost_per_operation") and want is not None:
                want = float(want) / 1e9
            elif frame.measure in ("latency_avg", "ttft_avg") or frame.measure[-4:-2] == "_p":
                want = None if want is None else float(want) / 1_000
            close = 0.011 if frame.measure[-4:-2] == "_p" else 1e-6  # the histogram is right to 1 %
            assert _floats((got,)) == pytest.approx(_floats((want,)), rel=close, nan_ok=True), (template.example, row)
        compared += 1
    assert compared >= 60

"""Numbers agree everywhere: every tile, chart and table of the pages says what the catalogue says of the same range and filters.

What is on a page and neither the catalogue's nor named here fails: a new number has to be proven too.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from services import clock, metrics
from services.accounts import accounts, sign_ins
from services.costs import outlook, savings
from services.db import transaction
from services.metrics import HOURS, MEASURES, WEEKDAYS
from services.settings import settings
from tests.pages import shown
from tests.pages.shown import Figure, agrees
from tests.pages.test_pages import opened
from tests.traffic import arrive, many, operation

pytestmark = pytest.mark.unmeasured
Where = dict[str, list[str]]
PAGES = ("health", "cost", "performance", "sessions")
DAYS = {"7d": 7, "30d": 30}
FILTERS: tuple[Where, ...] = ({}, {"module": ["chat"]})
LABELS = {measure.label: name for name, measure in MEASURES.items()}
UNITS = {"ms": 0.001}  # the catalogue's milliseconds are drawn and written as seconds
SPLIT = ("environment", "source", "module", "operation", "provider", "model")


@pytest.fixture(scope="module")
def viewer(empty: Callable[[], None]) -> Iterator[str]:
    """Somebody who looks at two months of operations, sessions and feedback; nothing happened at this hour of any day."""
    settings.cache_clear()
    empty()
    now = clock.utc_now()
    start = now - timedelta(days=62)
    arrive([told for told in many(3_000, start, timedelta(days=62)) if _away_from(now, datetime.fromisoformat(str(told["started_at"])))])
    arrive([operation("the first of today", clock.day_start(now.date(), ZoneInfo("UTC")))])  # however young the day is
    sessions: list[object] = []
    for n in range(300):
        began = start + timedelta(hours=5 * n)
        sessions.append(
            {"id": f"session-{n}", "started_at": began.isoformat(), "module": ["tutor", "chat"][n % 2], "user_id": f"user-{n % 23}"}
            | ({"ended_at": (began + timedelta(minutes=n % 40)).isoformat()} if n % 5 else {})
            | ({"rating": 1 + n % 5} if n % 3 else {})
            | {
                "messages": n % 12,
                "topics": [f"topic {n % 14}"] if n % 4 else [],
                "subject": ["maths", "art"][n % 2],
                "cohort": f"year {n % 3}",
            }
        )
    arrive(sessions, noun="sessions")
    feedback: list[object] = [
        {"id": f"f{n}", "session_id": f"session-{n}", "thumbs": ["up", "down"][n % 3 == 0], "rating": 1 + n % 5} for n in range(250, 300)
    ]
    arrive(feedback, noun="feedback")
    with transaction() as connection:
        session = sign_ins.begin(connection, accounts.create(connection, "vera", "viewer"))
    yield session
    empty()


def _away_from(now: datetime, then: datetime) -> bool:
    """The same hours of other days end while a page is drawn: nothing may fall between two readings."""
    apart = abs((then - now).total_seconds()) % 86_400
    return min(apart, 86_400 - apart) > 1_200


def drawn(page: str, viewer: str, range_: str = "", where: Where | None = None) -> AppTest:
    address = ({"range": range_} if range_ else {}) | {name: values[0] for name, values in (where or {}).items()}
    app = opened(page, viewer, **address)
    assert not app.exception
    assert not app.error
    return app


def days_of(range_: str) -> tuple[date, date]:
    tomorrow = clock.today(UTC) + timedelta(days=1)  # type: ignore[arg-type]
    return tomorrow - timedelta(days=DAYS[range_]), tomorrow


def catalogue(measures: list[str], days: tuple[Any, Any], where: Where, **asked: Any) -> pd.DataFrame:  # noqa: ANN401
    return metrics.query(measures, start=days[0], end=days[1], where=where, **asked).frame


def value(measure: str, days: tuple[Any, Any], where: Where) -> Any:  # noqa: ANN401
    return catalogue([measure], days, where)[measure].iloc[0]


def assert_tile(tile: Any, name: str, days: tuple[Any, Any], where: Where, compare: Any) -> None:  # noqa: ANN401
    row = catalogue([name], days, where, compare=compare).iloc[0]
    now, before, unit = row[name], row[f"{name}_previous"], MEASURES[name].unit
    assert agrees(tile.value, now, scale=UNITS.get(unit, 1)), (name, tile.value, now)
    if unit == "share":
        expected = None if pd.isna(now) or pd.isna(before) else float(now) - float(before)
    else:
        expected = None if pd.isna(now) or pd.isna(before) or not before else float(now) / float(before) - 1
    if expected is None:
        assert tile.delta == "", (name, tile.delta)
    elif tile.delta.endswith("×"):
        assert agrees(tile.delta, expected + 1), (name, tile.delta, expected)
    else:
        assert agrees(tile.delta, expected), (name, tile.delta, expected)


def _month() -> tuple[date, date]:
    today = clock.today(UTC)  # type: ignore[arg-type]
    return today.replace(day=1), today + timedelta(days=1)


def _today() -> tuple[date, date]:
    today = clock.today(UTC)  # type: ignore[arg-type]
    return today, today + timedelta(days=1)


def _month_end(told: str, _: object, where: Where) -> bool:
    made = outlook.look(where)[0].forecast
    so_far = value("cost", _month(), where)
    return made is not None and made.expected >= float(so_far) and agrees(told, made.expected)


def _per_session(told: str, days: tuple[date, date], where: Where) -> bool:
    row = catalogue(["cost", "sessions_started"], days, where).iloc[0]
    return agrees(told, float(row["cost"]) / row["sessions_started"])


def _saved(told: str, days: tuple[date, date], where: Where) -> bool:
    found = savings.saved(days, where)  # computed against raw rows in its own tests
    return agrees(told, found.answers + found.tokens)


OTHERS: Mapping[str, Callable[[str, Any, Where], bool]] = {
    "Today": lambda told, _, where: agrees(told, value("cost", _today(), where)),
    "Month to date": lambda told, _, where: agrees(told, value("cost", _month(), where)),
    "Month's end": _month_end,
    "Cost per session": _per_session,
    "Saved by caches": _saved,
}


def test_tiles_of_today(viewer: str) -> None:
    begin, now = clock.day_start(clock.today(UTC), UTC), clock.utc_now()  # type: ignore[arg-type]
    for page, labels in (("health", 5), ("home", 10)):
        seen = 0
        for tile in drawn(page, viewer).metric:
            name = LABELS.get(tile.label.removesuffix(" today"))
            if tile.label == "Cost this month":
                assert agrees(tile.value, value("cost", _month(), {}))
            elif tile.label in ("Jobs waiting", "Dead jobs"):
                assert agrees(tile.value, 0)
            else:
                assert name is not None, tile.label
                assert_tile(tile, name, (begin, now), {}, compare="day")
            seen += 1
        assert seen == labels


def test_todays_hours_beside_those_of_other_days(viewer: str) -> None:
    begin, now = clock.day_start(clock.today(UTC), UTC), clock.utc_now()  # type: ignore[arg-type]
    table = shown.tables(drawn("health", viewer))["Today beside the same hours of yesterday and of a week ago"]
    assert len(table) == 7
    for row in table.to_dict("records"):
        name = LABELS[row[""]]
        scale = UNITS.get(MEASURES[name].unit, 1)
        for column, before in (("Today", 0), ("Yesterday", 1), ("A week ago", 7)):
            then = timedelta(days=before)
            assert agrees(row[column], value(name, (begin - then, now - then), {}), scale=scale), (name, column, row[column])


Points = dict[Any, float | None]
Check = Callable[[Figure, tuple[date, date], Where], None]


def same(ours: Mapping[Any, float | None], theirs: Mapping[Any, float | None], what: str, rel: float = 1e-9) -> None:
    assert set(ours) == set(theirs)
    for place, number in theirs.items():
        there = ours[place]
        assert (there is None) == (number is None), (what, place)
        assert number is None or there == pytest.approx(number, rel=rel, abs=1e-9), (what, place)


def course(frame: pd.DataFrame, measure: str, column: str = "") -> Points:
    told = frame[column or measure]
    return {at.tz_localize(None): scaled(number, measure) for at, number in zip(frame["bucket"], told, strict=True)}


def before(days: tuple[date, date]) -> tuple[date, datetime]:
    """As many days just before, as far into their last as today is now, by quarters of an hour."""
    length, now = days[1] - days[0], clock.utc_now()
    passed = now - clock.day_start(now.date(), UTC)  # type: ignore[arg-type]
    return days[0] - length, now - length - passed + timedelta(minutes=15) * math.ceil(passed / timedelta(minutes=15))


def scaled(number: Any, measure: str) -> float | None:  # noqa: ANN401
    return None if pd.isna(number) else float(number) * UNITS.get(MEASURES[measure].unit, 1)


def over_time(*measures: str, names: tuple[str, ...] = (), before: bool = False) -> Check:
    """Bars or lines by day; with `before` the period before, too."""

    def check(figure: Figure, days: tuple[date, date], where: Where) -> None:
        frame = catalogue(list(measures), days, where, interval="day", compare=before)
        rel = 1e-9
        if measures == ("throughput",):  # a rate that falls while the day goes on, the sooner the younger it is
            now = clock.utc_now()
            rel = max(0.01, 10 / (now - clock.day_start(now.date(), UTC)).total_seconds())  # type: ignore[arg-type]
        called = names or tuple(MEASURES[measure].label for measure in measures)
        assert set(figure.traces) == {*called, *([f"{(days[1] - days[0]).days} d before"] if before else [])}
        for name, measure in zip(called, measures, strict=True):
            same(figure.traces[name], course(frame, measure), figure.title, rel)
        if before:
            then = course(frame, measures[0], f"{measures[0]}_previous")
            same(figure.traces[f"{(days[1] - days[0]).days} d before"], then, figure.title, rel)

    return check


def largest(measure: str, by: str) -> Check:
    """A bar or an area a value."""

    def check(figure: Figure, days: tuple[date, date], where: Where) -> None:
        frame = catalogue([measure], days, where, by=[by]).dropna(subset=[measure])
        same(figure.traces[""], {row[by]: float(row[measure]) for row in frame.to_dict("records")}, figure.title)

    return check


def stacked(measure: str, by: str) -> Check:
    """A colour a value, a bar a day; days without are nothing high."""

    def check(figure: Figure, days: tuple[date, date], where: Where) -> None:
        frame = catalogue([measure], days, where, by=[by], interval="day")
        known = {name: course(rows, measure) for name, rows in frame.groupby(by)}
        budget = figure.traces.pop("a day's budget", {})
        assert {float(cap or 0) for cap in budget.values()} <= {float(one.cap) for one in outlook.look(where)[1]}
        assert set(figure.traces) == set(known)
        for name, points in known.items():
            ours = {at: number for at, number in figure.traces[name].items() if number}
            same(ours, {at: number for at, number in points.items() if number}, f"{figure.title}, {name}")

    return check


def steps(measure: str) -> Check:
    """From the period before to this one, in steps that lead there."""

    def check(figure: Figure, days: tuple[date, date], where: Where) -> None:
        points = dict(figure.traces[""])
        began, after = points.pop("Before"), points.pop("After")
        assert began == pytest.approx(scaled(value(measure, before(days), where), measure), rel=1e-6)
        assert after == pytest.approx(scaled(value(measure, days, where), measure), rel=1e-6)
        assert sum(step or 0 for step in points.values()) == pytest.approx(float(after or 0) - float(began or 0), abs=1e-8)

    return check


def movers(figure: Figure, days: tuple[date, date], where: Where) -> None:
    """What each model costs more or less."""
    earlier = before(days)
    now, then = (catalogue(["cost"], of, where, by=["model"]).set_index("model")["cost"].dropna().astype(float) for of in (days, earlier))
    moved = now.sub(then, fill_value=0.0)
    same(figure.traces[""], dict(moved[moved != 0]), figure.title)


def squares(figure: Figure, days: tuple[date, date], where: Where) -> None:
    """The map of latency counts each operation that told one, on its day."""
    by_day: dict[Any, float] = {}
    for (at, _), number in figure.traces[""].items():
        by_day[pd.Timestamp(at).tz_localize(None)] = by_day.get(pd.Timestamp(at).tz_localize(None), 0.0) + (number or 0)
    with transaction() as connection:
        told = connection.execute(
            text(
                "select (started_at at time zone 'UTC')::date as day, count(*) from operations join series on series.id = series_id"
                " where latency_us is not null and started_at >= :start and started_at < :end and module = any(:modules) group by 1"
            ),
            {"start": days[0], "end": days[1], "modules": where.get("module", ["chat", "tutor", "factoids"])},
        ).all()
    assert {at: n for at, n in by_day.items() if n} == {pd.Timestamp(day): n for day, n in told}


def habits(figure: Figure, days: tuple[date, date], where: Where) -> None:
    """The mean of an hour of the week, times how often that weekday was."""
    told = catalogue(["sessions_started"], days, where, by=["weekday", "hour"]).set_index(["weekday", "hour"])["sessions_started"]
    there = pd.Series([WEEKDAYS[(days[0] + timedelta(days=n)).weekday()] for n in range((days[1] - days[0]).days)]).value_counts()
    names = {weekday.split(" ")[-1][:3].lower(): weekday for weekday in WEEKDAYS}
    for (hour, name), mean in figure.traces[""].items():
        weekday = names[name[:3].lower()]
        assert (mean or 0) * there[weekday] == pytest.approx(told.get((weekday, hour), 0)), (weekday, hour)
    assert len(figure.traces[""]) == len(WEEKDAYS) * len(HOURS)


CHARTS: Mapping[str, Mapping[str, Check]] = {
    "health": {
        "Operations a day": over_time("operations"),
        "Cost a day": over_time("cost"),
        "Cached share": over_time("cached_share"),
        "Error rate": over_time("error_rate"),
        "Errors by type": largest("errors", "error_type"),
    },
    "cost": {
        "Cost by module": stacked("cost", "module"),
        "Parts by module": largest("cost", "module"),
        "Cost in steps": steps("cost"),
        "Who made it": movers,
    },
    "performance": {
        "Latency": over_time("latency_p50", "latency_p90", "latency_p95", "latency_p99", names=("p50", "p90", "p95", "p99")),
        "Throughput": over_time("throughput", before=True),
        "Error rate": over_time("error_rate", before=True),
        "Tokens a second": over_time("output_speed", before=True),
        "Where the latency lies": squares,
        "Errors by type": largest("errors", "error_type"),
        "Mean latency in steps": steps("latency_avg"),
    },
    "sessions": {
        "Sessions": over_time("sessions_started"),
        "People": over_time("session_users"),
        "Satisfaction": over_time("session_rating"),
        "When people come": habits,
    },
}


@pytest.mark.parametrize("by", SPLIT)
def test_parts_by_every_dimension(by: str, viewer: str) -> None:
    app = drawn("cost", viewer, "30d")
    for shape in ("treemap", "bars"):
        app.segmented_control(key="split").set_value(by)
        found = shown.figures(app.segmented_control(key="shape").set_value(shape).run())
        largest_there = {name: number for name, number in found[f"Parts by {by}"].traces[""].items() if number}
        expected = catalogue(["cost"], days_of("30d"), {}, by=[by]).dropna(subset=["cost"])
        same(largest_there, {row[by]: float(row["cost"]) for row in expected.to_dict("records") if row["cost"]}, by)
        stacked("cost", by)(found[f"Cost by {by}"], days_of("30d"), {})


def assert_table(table: pd.DataFrame, days: tuple[date, date], where: Where) -> None:
    by = [name for name in table.columns if name not in MEASURES]
    measures = [name for name in table.columns if name in MEASURES]
    expected = catalogue(measures, days, where, by=by).set_index(by)[measures].sort_index()
    ours = table.set_index(by)[measures].sort_index()
    whole = len(ours) == len(expected)
    assert whole or len(ours) == 10  # the slowest
    assert len(ours)
    for key, row in ours.iterrows():
        for name in measures:
            there = expected.loc[key, name]
            assert (pd.isna(row[name]) and pd.isna(there)) or row[name] == pytest.approx(float(there), rel=1e-9), (key, name)
    if not whole:
        assert ours[measures[0]].min() >= expected[measures[0]].dropna().astype(float).nlargest(len(ours)).min()


def topics(table: pd.DataFrame, days: tuple[date, date], where: Where) -> None:
    frame = catalogue(["sessions_started", "session_rating"], days, where, by=["topic"], compare=True).set_index("topic")
    assert len(table) == min(10, len(frame))
    for row in table.to_dict("records"):
        there = frame.loc[row["Topic"]]
        assert (row["Sessions"], row["Before"]) == (there["sessions_started"], there["sessions_started_previous"])
        assert row["Satisfaction"] == pytest.approx(float(there["session_rating"]), nan_ok=True)
    assert table["Sessions"].min() >= frame["sessions_started"].nlargest(len(table)).min()


def percentiles(table: pd.DataFrame, days: tuple[date, date], where: Where) -> None:
    earlier = before(days)
    for row in table.to_dict("records"):
        name = LABELS[row["Measure"]]
        assert agrees(row["Before"], value(name, earlier, where), scale=0.001)
        assert agrees(row["After"], value(name, days, where), scale=0.001)


OTHER_TABLES: Mapping[str, Callable[[pd.DataFrame, tuple[date, date], Where], None]] = {
    "Ten topics with most sessions": topics,
    "Percentiles of latency before and after": percentiles,
}


def test_a_learner_is_what_the_sessions_say(viewer: str) -> None:
    found = shown.tiles(opened("sessions", viewer, view="Learner", learner="user-3"))
    with transaction() as connection:
        n, rating = connection.execute(
            text(
                "select count(*), avg(coalesce(rating, feedback_rating / nullif(feedback_rated, 0))) from sessions"
                " where user_key = 'user-3'"
            )
        ).one()
    assert agrees(found["Sessions"], n)
    assert agrees(found["Satisfaction"], rating)


@pytest.mark.parametrize("where", FILTERS, ids=["everything", "chat"])
@pytest.mark.parametrize("range_", DAYS)
@pytest.mark.parametrize("page", ["cost", "performance", "sessions"])
def test_every_tile_chart_and_table(page: str, range_: str, where: Where, viewer: str) -> None:
    days, app = days_of(range_), drawn(page, viewer, range_, where)
    for tile in app.metric:
        if tile.label in OTHERS:
            assert OTHERS[tile.label](tile.value, days, where), (tile.label, tile.value)
        else:
            assert_tile(tile, LABELS[tile.label], days, where, compare=True)
    figures, tables = shown.figures(app), shown.tables(app)
    assert set(figures) == set(CHARTS[page])
    for title, check in CHARTS[page].items():
        check(figures[title], days, where)
    for alt, table in tables.items():
        OTHER_TABLES.get(alt, assert_table)(table, days, where)
    assert (len(app.metric), len(tables)) == {"cost": (10, 1), "performance": (5, 3), "sessions": (10, 4)}[page]


def test_health(viewer: str) -> None:
    app = drawn("health", viewer)
    figures, tables = shown.figures(app), shown.tables(app)
    assert set(figures) == set(CHARTS["health"])
    for title, check in CHARTS["health"].items():
        check(figures[title], days_of("7d"), {})
    assert_table(tables["Operations, errors, latency and cost of each module today"], _today(), {})

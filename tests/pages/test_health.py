"""The Health page: incidents, today beside other days, and whether the numbers were verified."""

from datetime import timedelta

import pytest

from services.clock import day_start, today, utc_now
from services.db import transaction
from services.health import incidents
from services.rollups.rebuild import rebuild
from services.rollups.verify import verify
from services.settings import settings
from tests.pages.jobs import run, session
from tests.pages.test_pages import opened, words
from tests.traffic import arrive, operation

pytestmark = pytest.mark.usefixtures("database")
INCIDENT = "insert into incidents values (:kind, :module, :start, :end, :seen, :expected, :n, cast(:detail as jsonb))"


def health() -> str:
    app = opened("health", session("viewer"))
    assert not app.exception
    return words(app)


def test_it_shows_incidents_with_what_is_usual() -> None:
    now = utc_now()
    detail = '{"provider": "anthropic", "error_type": "rate_limit"}'
    over = {"start": now - timedelta(hours=9), "end": now - timedelta(hours=8)}
    run(INCIDENT, kind="errors", module="*chat*", seen=40, expected=1.5, n=90, detail=detail, **over)
    run(INCIDENT, kind="errors", module="shop", seen=40, expected=1.5, n=90, detail='{"provider": "openai", "error_type": null}', **over)
    said = health()
    assert r"\*chat\*: 40 of 90 operations failed where 2 are usual, mostly rate\_limit at anthropic." in said
    assert "shop: 40 of 90 operations failed where 2 are usual, mostly at openai." in said


def test_an_application_that_went_dark_stands_out_until_it_is_back() -> None:
    dark = utc_now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    usual = [dark + timedelta(hours=hour, days=-day) for day in range(1, 22) for hour in range(3)]
    arrive([operation(f"{start}-{n}", start + timedelta(minutes=n)) for start in usual for n in range(25)])
    incidents.find()
    app = opened("health", session("viewer"))
    assert not app.exception
    assert [error.value.partition(" where")[0] for error in app.error] == [f"**since {dark:%a %d %b %H:%M}** · chat: 0 operations"]
    arrive([operation(f"back-{n}", utc_now()) for n in range(5)])
    incidents.find()
    app = opened("health", session("analyst"))
    assert not app.error
    assert f"**{dark:%a %d %b %H:%M} to " in words(app)


def test_a_console_that_never_looked_or_verified_says_so() -> None:
    said = health()
    assert "Nobody has looked yet" in said
    assert "No error burst" not in said
    assert "have not been compared with the stored operations yet" in said


def test_a_quiet_fortnight_says_so_and_when_it_was_looked() -> None:
    incidents.find()
    assert f"No error burst and no unusual silence was found in the last 14 days; looked at {utc_now():%Y-%m-%d %H}:" in health()


def test_it_shows_whether_the_rollups_agree() -> None:
    arrive([operation("a", utc_now())])
    days = (today(settings().zone), today(settings().zone) + timedelta(days=1))
    verify(*days)
    assert "agree." in health()
    with transaction() as connection:
        connection.exec_driver_sql("update rollup_day set n = n + 1")
    verify(*days)
    app = opened("health", session("analyst"))
    assert "differs from the stored operations" in app.error[-1].value


def test_a_day_that_differs_is_named_until_it_agrees() -> None:
    now, zone = utc_now(), settings().zone
    arrive([operation(f"a{days}", now - timedelta(days=days)) for days in range(4)])
    last = now.astimezone(zone).date()
    wrong, tomorrow = last - timedelta(days=3), last + timedelta(days=1)
    viewer = session("viewer")
    with transaction() as connection:
        connection.exec_driver_sql(f"update rollup_day set n = n + 1 where day = '{wrong}'")
        connection.exec_driver_sql(f"update rollup_15m set n = n + 1 where bucket < '{day_start(wrong + timedelta(days=1), zone)}'")
    verify(wrong, tomorrow)
    verify(last - timedelta(days=1), tomorrow)  # the nightly run finds its own two days right
    assert f"2 cells differ from the stored operations: numbers of {wrong} are wrong." in words(opened("home", viewer)).replace("\\", "")
    assert f"2 cells of {wrong} differ from the stored operations." in words(opened("health", viewer))
    rebuild(wrong, wrong + timedelta(days=1), lambda *_: None, lambda: False)
    for page in ("home", "health"):
        assert " differ " not in words(opened(page, viewer))


def test_it_holds_today_against_yesterday_and_last_week() -> None:
    now = utc_now().replace(microsecond=0)
    begin = now.replace(hour=0, minute=0, second=0)
    for days, count in ((0, 3), (1, 2), (7, 6)):
        arrive([operation(f"{days}-{n}", begin - timedelta(days=days)) for n in range(count)])
    app = opened("health", session("viewer"))
    assert not app.exception
    hours = next(frame.value for frame in app.dataframe if "A week ago" in frame.value).set_index("")
    assert hours.loc["Operations"].tolist() == ["3", "2", "+50.0%", "6", "-50.0%"]
    assert hours.loc["Cost"].tolist()[0] == "$0.00135"

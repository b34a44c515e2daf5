"""Every page in every state: empty, full, cut off, signed out; and from any address."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.proto.Metric_pb2 import Metric
from streamlit.testing.v1 import AppTest

from console.ui import filters
from deploy.secret import free_port
from services.accounts import accounts, sign_ins
from services.clock import utc_now
from services.db import forget, transaction
from services.settings import ROOT, settings
from tests.pages.shown import figures, wrong
from tests.traffic import arrive, many, operation, send

PAGES = ("health", "cost", "performance", "sessions")
TITLES = {"health": "Health", "cost": "Cost", "performance": "Performance", "sessions": "Sessions"}
pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def viewer(database: None) -> str:
    """The session of somebody with the weakest role."""
    with transaction() as connection:
        return sign_ins.begin(connection, accounts.create(connection, "vera", "viewer"))


@pytest.fixture
def traffic(database: None) -> int:
    """A fortnight of operations and sessions that end now, the last of them this instant."""
    start = utc_now() - timedelta(days=14)
    told = []
    for n in range(100):
        begin = start + timedelta(hours=3 * n)
        told.append(
            {"id": f"s{n}", "started_at": begin.isoformat(), "ended_at": (begin + timedelta(minutes=9)).isoformat(), "module": "tutor"}
            | {"user_id": f"u{n % 9}", "rating": 1 + n % 5, "messages": n % 12, "topics": [f"topic {n % 14}"]}
        )
    operations = [*many(1_499, start, timedelta(days=14)), operation("last", utc_now())]
    return arrive(operations) + arrive(told, noun="sessions")


def opened(page: str, session: str | None, **address: str) -> AppTest:
    """A page as a browser session opens it."""
    app = AppTest.from_file(str(ROOT / "console" / "app.py"), default_timeout=60)
    app.user = {"session": session} if session else {}
    for name, value in address.items():
        app.query_params[name] = value
    return app.switch_page(str(Path("..") / "pages" / f"{page}.py")).run()


def words(app: AppTest) -> str:
    """Everything the page says."""
    kinds = (app.info, app.warning, app.error, app.success, app.caption, app.markdown, app.subheader)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def charts(app: AppTest) -> list[dict[str, object]]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


@pytest.mark.parametrize("page", PAGES)
def test_it_says_what_to_do_where_there_is_nothing_yet(page: str, viewer: str) -> None:
    app = opened(page, viewer)
    assert not app.exception
    assert app.title[0].value == TITLES[page]
    assert "services keys create" in words(app)
    assert charts(app) == []


@pytest.mark.parametrize("page", PAGES)
def test_it_shows_numbers_charts_and_a_table(page: str, viewer: str, traffic: int) -> None:
    app = opened(page, viewer)
    assert traffic == 1_600
    assert not app.exception
    assert len(app.metric) >= 4
    assert len(charts(app)) >= 4
    assert all(chart.proto.alt for chart in app.get("plotly_chart"))
    assert len(app.dataframe[-1].value) > 0
    assert "days of UTC" in words(app)


def test_it_shows_the_change_against_the_period_before(viewer: str, traffic: int) -> None:
    app = opened("cost", viewer, range="7d")
    tile = next(metric for metric in app.metric if metric.label == "Operations")
    assert tile.value.isdigit()
    assert tile.delta.endswith("%")


def test_a_change_that_is_none_is_neither_good_nor_bad_news(viewer: str) -> None:
    arrive([operation("now", utc_now() - timedelta(hours=1)), operation("before", utc_now() - timedelta(days=8))])
    tile = next(metric for metric in opened("performance", viewer, range="7d").metric if metric.label == "Error rate")
    assert tile.delta == "±0.0 points"
    assert tile.proto.color == Metric.MetricColor.GRAY
    assert tile.proto.direction == Metric.MetricDirection.NONE


def test_it_names_what_has_no_price_and_calls_a_cost_nobody_knows_unknown(viewer: str) -> None:
    arrive([operation(f"u{n}", utc_now() - timedelta(hours=2), provider="ollama", model="home-made-" + "x" * 120) for n in range(5)])
    app = opened("cost", viewer)
    assert next(metric for metric in app.metric if metric.label == "Cost").value == "unknown"
    assert "5 operations have no known cost and are in no total, 100.0% of all" in words(app)
    assert "home-made-xxx…" in words(app)


def test_it_shows_unknown_latency_as_unknown(viewer: str) -> None:
    arrive([operation("no latency", utc_now() - timedelta(hours=2), latency_ms=None)])
    app = opened("performance", viewer)
    assert next(metric for metric in app.metric if metric.label == "Latency p95").value == "unknown"


def test_what_an_address_says_is_no_markdown_where_it_is_wrong(viewer: str) -> None:
    link = "[Your session ended: sign in again](https://evil.example/)"
    app = opened("session", viewer, source=link, id="x")
    assert link in wrong(app)
    assert "](" not in app.error[0].value


def test_a_day_is_two_days_where_sessions_are_counted(viewer: str) -> None:
    begun = [(n, (utc_now() - timedelta(days=n)).isoformat()) for n in range(4)]
    arrive([{"id": f"s{n}", "started_at": at, "user_id": "u"} for n, at in begun], noun="sessions")
    app = opened("sessions", viewer, range="24h")
    assert "these are yesterday and today" in words(app)
    assert {tile.proto.delta_description for tile in app.metric if tile.delta} == {"2 d before"}
    assert "yesterday and today" not in words(opened("sessions", viewer, range="7d"))
    over = str((utc_now() - timedelta(days=3)).date())
    assert "yesterday and today" not in words(opened("sessions", viewer, **{"range": "custom", "from": over, "to": over}))


@pytest.mark.parametrize("page", ["cost", "performance", "sessions"])
def test_it_answers_every_range(page: str, viewer: str, traffic: int) -> None:
    for name in filters.RANGES:
        app = opened(page, viewer, range=name)
        assert not app.exception, name
        assert not app.error, name


def test_it_keeps_to_the_filters_of_its_address(viewer: str, traffic: int) -> None:
    everything, some = opened("cost", viewer), opened("cost", viewer, range="30d", module="chat", model="gpt-5-mini")
    assert "Only module chat; model gpt-5-mini" in words(some)
    assert set(some.dataframe[-1].value["module"]) == {"chat"}
    assert len(some.dataframe[-1].value) < len(everything.dataframe[-1].value)


@pytest.mark.parametrize(
    "address", [{"range": "'; drop table operations"}, {"module": "<script>"}, {"range": "custom", "from": "yesterday"}]
)
def test_it_falls_back_where_an_address_makes_no_sense(address: dict[str, str], viewer: str, traffic: int) -> None:
    app = opened("cost", viewer, **address)
    assert not app.exception
    assert not app.error
    assert len(app.metric) == 10


def test_it_says_that_telemetry_waits_and_what_was_refused(viewer: str, traffic: int) -> None:
    send([operation("waiting", utc_now()), {"id": "bad"}])
    said = words(opened("cost", viewer))
    assert "1 received and not yet counted" in said
    assert "1 rejected" in said


def test_it_says_that_the_sample_is_still_arriving(viewer: str, traffic: int) -> None:
    with transaction() as connection:
        connection.exec_driver_sql("""insert into console_state values ('sample', '{"state": "arriving"}')""")
    assert "Sample traffic is still arriving" in words(opened("cost", viewer))


@pytest.mark.parametrize(
    ("first", "last", "by_hours"),
    [(2, 2, True), (2, 1, True), (3, 1, False), (1, 0, False), (60, 60, False)],
    ids=["a day", "two days", "three days", "not over", "long ago"],
)
def test_a_day_or_two_that_are_over_are_shown_hour_by_hour(viewer: str, traffic: int, first: int, last: int, by_hours: bool) -> None:
    now = utc_now()
    arrive([operation("old", now - timedelta(days=60))])
    days = {"from": str((now - timedelta(days=first)).date()), "to": str((now - timedelta(days=last)).date())}
    app = opened("performance", viewer, range="custom", **days)
    starts = figures(app)["Throughput"].traces["Throughput"]
    assert len(starts) == (first - last + 1) * (24 if by_hours else 1)
    assert "answered in whole days" not in words(app)


def test_it_says_that_days_are_being_cut_anew(viewer: str, traffic: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORTING_ZONE", "Asia/Manila")
    settings.cache_clear()
    assert "Days are being cut anew for Asia/Manila" in words(opened("cost", viewer))


def test_it_swaps_two_days_in_the_wrong_order(viewer: str, traffic: int) -> None:
    app = opened("cost", viewer, **{"range": "custom", "from": "2026-11-20", "to": "2026-11-10"})
    assert "the two days are swapped" in words(app)


@pytest.mark.parametrize("session", [None, "junk"])
def test_it_shows_nothing_to_who_is_not_signed_in(session: str | None, traffic: int) -> None:
    app = AppTest.from_file(str(ROOT / "console" / "app.py"), default_timeout=60)
    app.user = {"session": session} if session else {}
    app.run()
    assert "sign" in app.error[0].value.lower()
    assert not app.metric
    assert not app.title


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The database goes away."""
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@127.0.0.1:{free_port()}/gone")
    settings.cache_clear()
    forget()
    yield
    forget()


def test_it_words_a_database_that_is_away(viewer: str, unreachable: None) -> None:
    app = AppTest.from_file(str(ROOT / "console" / "app.py"), default_timeout=60)
    app.user = {"session": viewer}
    app.run()
    assert app.error[0].value.startswith("The database does not answer.")
    assert not app.exception


@pytest.fixture
def impatient(database: None) -> Iterator[None]:
    """Postgres gives up on a lock after 200 ms."""
    with transaction() as connection:
        connection.exec_driver_sql("alter role current_user set lock_timeout = 200")
    forget()
    yield
    with transaction() as connection:
        connection.exec_driver_sql("alter role current_user reset lock_timeout")
    forget()


@pytest.mark.parametrize("page", PAGES)
def test_it_words_a_failure_inside_a_page_and_offers_another_try(page: str, viewer: str, traffic: int, impatient: None) -> None:
    with transaction() as holder:
        holder.exec_driver_sql("lock table rollup_day, rollup_session_day in access exclusive mode")
        app = opened(page, viewer)
        assert "The database does not answer." in words(app)
        assert not app.exception
        again = next(button for button in app.button if button.label == "Try again")
    assert not again.click().run().error

"""Verify finds what is wrong with the rollups, rebuild mends it."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text

from services.__main__ import main
from services.clock import utc_now
from services.db import transaction
from services.errors import BadInput
from services.rollups.cells import forget_old
from services.rollups.rebuild import rebuild
from services.rollups.verify import verify
from tests.traffic import arrive, many, send

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def days() -> tuple[date, date]:
    """Five days of traffic that end now, and sessions told apart from it."""
    start = utc_now() - timedelta(days=5)
    arrive(many(500, start, timedelta(days=5)))
    arrive(
        [{"id": f"s{n}", "started_at": (start + timedelta(hours=n)).isoformat(), "user_id": f"u{n % 4}", "rating": 3} for n in range(40)],
        noun="sessions",
    )
    return start.date(), utc_now().date() + timedelta(days=1)


def test_it_finds_nothing_where_all_is_right(days: tuple[date, date]) -> None:
    result = verify(*days)
    assert (result["differences"], result["examples"]) == (0, [])
    assert isinstance(result["cells"], int)
    assert result["cells"] > 100


@pytest.mark.parametrize(
    ("damage", "table"),
    [
        (
            "update rollup_day set cost_nano = cost_nano + 1 where ctid = (select min(ctid) from rollup_day where cost_nano > 0)",
            "rollup_day",
        ),
        ("delete from rollup_day where ctid = (select min(ctid) from rollup_day)", "rollup_day"),
        ("update rollup_15m set errors = errors + 1 where ctid = (select min(ctid) from rollup_15m)", "rollup_15m"),
        ("update rollup_15m set latency_hist = latency_hist + latency_hist where latency_n > 0", "rollup_15m"),
        ("delete from rollup_error where ctid = (select min(ctid) from rollup_error)", "rollup_error"),
        ("update rollup_distinct set n = n + 1 where kind = 'user'", "rollup_distinct"),
        ("delete from rollup_distinct where kind = 'session_user'", "rollup_distinct"),
    ],
)
def test_it_finds_damage_and_rebuild_mends_it(days: tuple[date, date], damage: str, table: str) -> None:
    with transaction() as connection:
        assert connection.execute(text(damage)).rowcount > 0
    result = verify(*days)
    assert isinstance(result["examples"], list)
    assert {example[0] for example in result["examples"]} == {table}
    rebuild(*days, lambda *_: None, lambda: False)
    assert verify(*days)["differences"] == 0


def test_it_mends_session_days_too(days: tuple[date, date]) -> None:
    def session_days() -> object:
        with transaction() as connection:
            return connection.execute(text("select day, series_id, topic, n, rated, rating from rollup_session_day order by 1, 2, 3")).all()

    before = session_days()
    with transaction() as connection:
        connection.execute(text("delete from rollup_session_day where day > current_date - 3"))
    rebuild(*days, lambda *_: None, lambda: False)
    assert session_days() == before


def test_it_stops_between_days_when_asked(days: tuple[date, date]) -> None:
    result = rebuild(*days, lambda *_: None, lambda: True)
    assert result["stopped"] is True
    assert verify(*days)["differences"] == 0


def test_it_wants_both_ends_of_a_range() -> None:
    with pytest.raises(BadInput, match="both ends"):
        rebuild(date(2026, 1, 1), None, lambda *_: None, lambda: False)


def test_it_does_both_from_the_command_line(days: tuple[date, date], capsys: pytest.CaptureFixture[str]) -> None:
    span = [str(day) for day in days]
    assert main(["verify", *span]) == 0
    with transaction() as connection:
        connection.execute(text("update rollup_day set n = n + 1"))
    assert main(["verify", *span]) == 1
    assert main(["rebuild", *span]) == 0
    assert main(["rebuild"]) == 0
    assert main(["verify", *span]) == 0
    assert main(["rebuild", span[0]]) == 2
    assert "both ends" in capsys.readouterr().err


def test_it_counts_what_arrives_during_a_rebuild_once(days: tuple[date, date]) -> None:
    send(many(50, utc_now() - timedelta(hours=1), timedelta(minutes=30), seed=99))
    rebuild(None, None, lambda *_: None, lambda: False)
    arrive(many(50, utc_now() - timedelta(hours=1), timedelta(minutes=30), seed=99))
    assert verify(*days)["differences"] == 0


def test_it_forgets_quarter_hours_that_are_no_longer_kept(days: tuple[date, date]) -> None:
    with transaction() as connection:
        assert forget_old(connection) == 0
        connection.execute(text("update rollup_15m set bucket = bucket - interval '31 days'"))
        assert forget_old(connection) > 0
        assert connection.execute(text("select min(bucket) > now() - interval '35 days' from rollup_15m")).scalar_one() is not False
    assert verify(*days)["differences"] != 0

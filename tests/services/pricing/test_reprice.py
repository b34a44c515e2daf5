"""Re-pricing does what its preview says, leaves every rollup right, continues where it was killed, and can be taken back to the nano."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from services import metrics
from services.clock import day_start, utc_now
from services.db import engine, transaction
from services.errors import BadInput, Conflict, NotFound
from services.pricing import overrides, reprice
from services.pricing.overrides import Override
from services.rollups import kept
from services.rollups.rebuild import rebuild
from services.rollups.verify import verify
from services.settings import settings
from tests.traffic import arrive, many, operation

pytestmark = pytest.mark.usefixtures("database")
DAYS = 4


def quiet(*_: object) -> None: ...


def never() -> bool:
    return False


def scalar(statement: str) -> object:
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


def contract(model: str = "gpt-5-mini", usd: str = "1.5", begins: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> Override:
    return overrides.candidate(model=model, units={"input": usd, "output": "7"}, effective_from=begins, source="contract 2026")


def stored_costs() -> dict[str, object]:
    with transaction() as connection:
        rows = connection.execute(text("select id::text, cost_nano, price_version from operations order by id")).all()
    return {row.id: (row.cost_nano, row.price_version) for row in rows}


def cells() -> dict[str, object]:
    """Every cell of cost, whatever its version."""
    with transaction() as connection:
        return {
            table: [
                tuple(row) for row in connection.execute(text(f"select {key}, series_id, priced, cost_nano from {table} order by 1, 2"))
            ]
            for table, key in (("rollup_day", "day"), ("rollup_15m", "bucket"))
        }


def cost_usd(first: date, end: date) -> Decimal:
    answer = metrics.query(["cost"], start=first, end=end).frame["cost"].iloc[0]
    return Decimal(0) if answer is None else Decimal(str(answer))


@pytest.fixture
def days() -> tuple[date, date]:
    """A few days of varied calls that end now, told and cached ones among them; the days of the reporting zone that hold them."""
    start = utc_now() - timedelta(days=DAYS)
    told = [operation(f"told {n}", start + timedelta(hours=n), cost_usd="0.25") for n in range(10)]
    unpriced = [operation(f"mine {n}", start + timedelta(hours=n), provider="ollama", model="home-made") for n in range(10)]
    arrive(many(400, start, timedelta(days=DAYS)) + told + unpriced)
    return start.astimezone(settings().zone).date(), utc_now().astimezone(settings().zone).date() + timedelta(days=1)


@pytest.fixture
def ask(days: tuple[date, date]) -> Callable[..., int]:
    """Ask for a re-pricing of all of it."""

    def run(candidate: Override | None = None, **only: Any) -> int:  # noqa: ANN401
        with transaction() as connection:
            return reprice.request(connection, *days, candidate=candidate, actor="ada", **only)

    return run


@pytest.mark.parametrize("zone", ["UTC", "America/St_Johns"])
def test_it_does_what_the_preview_says(zone: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setenv("REPORTING_ZONE", zone)
    settings.cache_clear()
    days: tuple[date, date] = request.getfixturevalue("days")
    before = cost_usd(*days)
    with transaction() as connection:
        shown = reprice.preview(connection, *days, candidate=contract())
    assert scalar("select count(*) from price_overrides") == 0
    assert cost_usd(*days) == before == sum(value for value in shown["before_usd"] if value is not None)
    assert set(shown[shown["changed"] > 0]["model"]) == {"gpt-5-mini"}

    with transaction() as connection:
        made = reprice.request(connection, *days, candidate=contract(), actor="ada")
    result = reprice.apply(made, quiet, never)

    assert (result["state"], result["not_repriced"]) == ("applied", [])
    assert result["operations"] == shown["changed"].sum() > 0
    after = sum(value for value in shown["after_usd"] if value is not None)
    assert cost_usd(*days) == after != before
    assert Decimal(str(result["after_usd"])) - Decimal(str(result["before_usd"])) == after - before == sum(shown["difference_usd"])
    by_day = shown[shown["after_usd"].notna()].groupby("day")["after_usd"].sum()
    asked = metrics.query(["cost", "operations"], start=days[0], end=days[1], interval="day").frame.query("operations > 0").dropna()
    assert {row.bucket.date(): Decimal(str(row.cost)) for row in asked.itertuples()} == by_day.to_dict()
    assert verify(*days)["differences"] == 0
    with transaction() as connection:
        again = reprice.preview(connection, *days)
    assert again["changed"].sum() == 0


def test_it_is_taken_back_to_the_nano(days: tuple[date, date], ask: Callable[..., int]) -> None:
    costs, counted = stored_costs(), cells()
    made = ask(contract())
    reprice.apply(made, quiet, never)
    assert stored_costs() != costs
    assert verify(*days)["differences"] == 0
    with transaction() as connection:
        reprice.request_reverse(connection, made, "bob")
    result = reprice.reverse(made, quiet, never)

    assert result["state"] == "reversed"
    assert result["restored"] == scalar("select operations from repricings")
    assert (stored_costs(), cells()) == (costs, counted)
    assert verify(*days)["differences"] == 0
    assert scalar("select string_agg(action || ' by ' || actor, ', ' order by id) from audit") == (
        "price.override by ada, price.reprice by ada, price.reverse by bob"
    )


def test_it_prices_what_had_no_price_and_unprices_it_again(days: tuple[date, date], ask: Callable[..., int]) -> None:
    with transaction() as connection:
        shown = reprice.preview(connection, *days, model="home-made", candidate=contract("home-made", "0.5"))
    assert (shown["newly_priced"].sum(), shown["operations"].sum()) == (10, 10)
    assert set(shown["before_usd"]) == {None}
    made = ask(contract("home-made", "0.5"), model="home-made")
    reprice.apply(made, quiet, never)
    unpriced = "select count(*) from operations o join series s on s.id = o.series_id where s.model = 'home-made' and cost_nano is null"
    assert scalar(unpriced) == 0
    assert scalar("select sum(cost_nano) from rollup_day d join series s on s.id = d.series_id where model = 'home-made'") == 12_000_000
    assert verify(*days)["differences"] == 0
    with transaction() as connection:
        overrides.end(connection, 1, "ada", withdraw=True)
        shown = reprice.preview(connection, *days)
    assert (shown["no_longer_priced"].sum(), sum(shown["difference_usd"])) == (10, Decimal("-0.012"))
    reprice.apply(ask(), quiet, never)
    assert scalar(unpriced) == 10
    assert scalar("select count(cost_nano) from rollup_day d join series s on s.id = d.series_id where model = 'home-made'") == 0
    assert verify(*days)["differences"] == 0


def test_it_leaves_what_the_sender_told_and_what_was_cached(days: tuple[date, date], ask: Callable[..., int]) -> None:
    kept = "select md5(string_agg(id::text || cost_nano, ',' order by id)) from operations where cached or cost_nano = 250000000"
    before = scalar(kept)
    reprice.apply(ask(contract("*", "900")), quiet, never)
    assert scalar(kept) == before
    assert scalar("select count(*) from operations where cost_nano = 250000000 and price_version is null") == 10


def test_it_touches_only_the_model_provider_and_days_asked_for(days: tuple[date, date]) -> None:
    before = stored_costs()
    with transaction() as connection:
        overrides.save(connection, contract("*", "900"), "ada")
        made = reprice.request(connection, days[0] + timedelta(days=1), days[0] + timedelta(days=2), "openai", "gpt-5*", actor="ada")
    reprice.apply(made, quiet, never)
    changed = [key for key, value in stored_costs().items() if value != before[key]]
    with transaction() as connection:
        rows = connection.execute(
            text(
                "select s.provider, s.model, min(started_at), max(started_at)"
                " from operations o join series s on s.id = o.series_id where o.id::text = any(:changed) group by 1, 2"
            ),
            {"changed": changed},
        ).all()
    assert [(row[0], row[1]) for row in rows] == [("openai", "gpt-5-mini")]
    assert (
        day_start(days[0] + timedelta(days=1), settings().zone)
        <= rows[0][2]
        <= rows[0][3]
        < day_start(days[0] + timedelta(days=2), settings().zone)
    )
    assert verify(*days)["differences"] == 0


def test_one_that_is_killed_between_days_continues(days: tuple[date, date], ask: Callable[..., int]) -> None:
    costs = stored_costs()
    made = ask(contract())
    told: list[int] = []
    stopped = reprice.apply(made, lambda done, *_: told.append(done), lambda: len(told) == 2)
    assert (stopped["stopped"], stopped["days"]) == (True, 2)
    assert scalar("select state from repricings") == "waiting"
    assert verify(*days)["differences"] == 0
    half = scalar("select operations from repricings")
    result = reprice.apply(made, quiet, never)
    assert isinstance(half, int)
    assert isinstance(result["operations"], int)
    assert 0 < half < result["operations"] == scalar("select count(*) from repricing_changes")
    assert reprice.apply(made, quiet, never)["operations"] == result["operations"]
    assert verify(*days)["differences"] == 0

    with transaction() as connection:
        reprice.request_reverse(connection, made, "ada")
    told.clear()
    assert reprice.reverse(made, lambda done, *_: told.append(done), lambda: len(told) == 2)["stopped"] is True
    assert verify(*days)["differences"] == 0
    assert reprice.reverse(made, quiet, never)["state"] == "reversed"
    assert stored_costs() == costs
    assert reprice.reverse(made, quiet, never)["restored"] == 0


def test_one_that_fails_within_a_day_leaves_that_day_as_it_was(
    days: tuple[date, date], ask: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    costs, counted = stored_costs(), cells()
    made = ask(contract())

    def broken(*_: object) -> None:
        raise ConnectionError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(reprice, "note_move", broken)
        with pytest.raises(ConnectionError):
            reprice.apply(made, quiet, never)
    assert (stored_costs(), cells()) == (costs, counted)
    assert reprice.apply(made, quiet, never)["state"] == "applied"
    assert verify(*days)["differences"] == 0


def test_one_that_is_taken_back_while_it_waits_stops(days: tuple[date, date], ask: Callable[..., int]) -> None:
    costs = stored_costs()
    made = ask(contract())

    def taken_back(done: int, *_: object) -> None:
        if done == 1:
            with transaction() as connection:
                reprice.request_reverse(connection, made, "ada")

    assert reprice.apply(made, taken_back, never)["state"] == "reversing"
    assert scalar("select count(*) from repricing_days") == 1
    reprice.reverse(made, quiet, never)
    assert stored_costs() == costs
    with transaction() as connection, pytest.raises(Conflict, match="is reversed already"):
        reprice.request_reverse(connection, made, "ada")


def test_taking_back_leaves_what_was_priced_again_since(days: tuple[date, date], ask: Callable[..., int]) -> None:
    def changed_by(repricing: int) -> set[object]:
        with transaction() as connection:
            return set(
                connection.execute(text("select id::text from repricing_changes where repricing_id = :n"), {"n": repricing}).scalars()
            )

    first = ask(contract(usd="1"))
    reprice.apply(first, quiet, never)
    second = ask(contract(usd="2"), model="gpt-5-mini", provider="openai")
    with transaction() as connection:
        connection.execute(text("update repricings set last_day = first_day + 1 where id = :id"), {"id": second})
    reprice.apply(second, quiet, never)
    costs = stored_costs()
    with transaction() as connection:
        reprice.request_reverse(connection, first, "ada")
    result = reprice.reverse(first, quiet, never)
    differing = {key for key, value in stored_costs().items() if value != costs[key]}
    assert differing == changed_by(first) - changed_by(second) != set()
    assert (result["restored"], result["left"]) == (len(differing), len(changed_by(first) & changed_by(second)))
    assert verify(*days)["differences"] == 0


def test_it_prices_days_that_have_no_quarter_hours_any_more() -> None:
    long_ago = utc_now() - timedelta(days=40)
    arrive([operation("old", long_ago, input_tokens=1_000_000, output_tokens=0)])
    first = long_ago.date() - timedelta(days=1)
    with transaction() as connection:
        made = reprice.request(connection, first, first + timedelta(days=3), candidate=contract(), actor="ada")
    reprice.apply(made, quiet, never)
    assert scalar("select sum(cost_nano) from rollup_day") == 1_500_000_000
    assert verify(first, first + timedelta(days=3))["differences"] == 0


def test_calls_beyond_the_limit_of_series_are_priced_by_the_model_they_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERIES_LIMIT_PER_SOURCE", "1")
    settings.cache_clear()
    now = utc_now()
    arrive([operation("one", now, model="o3"), operation("two", now, input_tokens=1_000_000, output_tokens=0)])
    assert scalar("select count(*) from operations o join series s on s.id = o.series_id where s.model = '(other)'") == 1
    day = now.astimezone(settings().zone).date()
    with transaction() as connection:
        assert reprice.preview(connection, day, day + timedelta(days=1))["changed"].sum() == 0
        shown = reprice.preview(connection, day, day + timedelta(days=1), model="gpt-5-mini", candidate=contract())
    assert shown[["model", "operations", "after_usd"]].to_numpy().tolist() == [["gpt-5-mini", 1, Decimal("1.5")]]


def test_days_without_their_calls_are_named_and_keep_their_cost(days: tuple[date, date], ask: Callable[..., int]) -> None:
    gone = days[0] + timedelta(days=1)
    with transaction() as connection:
        connection.execute(text("update rollup_state set raw_from = :day"), {"day": gone + timedelta(days=1)})
        connection.execute(text("delete from operations where day <= :day"), {"day": gone})
    before = [row for row in cells()["rollup_day"] if row[0] <= gone]  # type: ignore[attr-defined]
    result = reprice.apply(ask(contract()), quiet, never)
    assert result["not_repriced"] == [f"{days[0]} to {gone}"]
    assert [row for row in cells()["rollup_day"] if row[0] <= gone] == before  # type: ignore[attr-defined]


def test_days_that_kept_their_zone_keep_their_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORTING_ZONE", "Asia/Manila")
    settings.cache_clear()
    now = utc_now()
    arrive(many(400, now - timedelta(days=DAYS), timedelta(days=DAYS)))
    dropped = (now - timedelta(days=2)).date()
    with transaction() as connection:
        connection.execute(text("delete from operations where day < :day"), {"day": dropped})
        kept.note_dropped(connection, dropped)
    monkeypatch.setenv("REPORTING_ZONE", "America/St_Johns")
    settings.cache_clear()
    rebuild(None, None, quiet, never)
    first, end = now.date() - timedelta(days=DAYS + 1), now.date() + timedelta(days=2)
    with transaction() as connection:
        possible = kept.first_day(connection, settings().zone)
        shown = reprice.preview(connection, first, end, candidate=contract())
        made = reprice.request(connection, first, end, candidate=contract(), actor="ada")
    assert possible is not None
    before = [row for row in cells()["rollup_day"] if row[0] < possible]  # type: ignore[attr-defined]
    result = reprice.apply(made, quiet, never)
    assert result["operations"] == shown["changed"].sum() > 0
    assert min(shown["day"]) >= possible
    assert result["not_repriced"] == [f"{min(row[0] for row in before)} to {possible - timedelta(days=1)}"]
    assert [row for row in cells()["rollup_day"] if row[0] < possible] == before  # type: ignore[attr-defined]
    assert verify(first, end)["differences"] == 0


def test_it_refuses_a_range_that_is_none(days: tuple[date, date]) -> None:
    with transaction() as connection:
        with pytest.raises(BadInput, match="must lie before the end"):
            reprice.request(connection, days[1], days[0], actor="ada")
        with pytest.raises(BadInput, match="more than"):
            reprice.preview(connection, date(2000, 1, 1), days[1])
        with pytest.raises(NotFound):
            reprice.request_reverse(connection, 9, "ada")
        assert reprice.preview(connection, date(2020, 1, 1), date(2020, 1, 2)).empty
        assert reprice.listing(connection) == []


def test_the_request_and_its_job_stand_or_fall_together(days: tuple[date, date]) -> None:
    with engine().connect() as connection:
        reprice.request(connection, *days, candidate=contract(), actor="ada")
        connection.rollback()
    assert [scalar(f"select count(*) from {table}") for table in ("jobs", "repricings", "price_overrides", "audit")] == [0, 0, 0, 0]
    with transaction() as connection:
        made = reprice.request(connection, *days, actor="ada")
        jobs = connection.execute(text("select kind, args, queue, created_by from jobs")).all()
        (listed,) = reprice.listing(connection)
    assert [tuple(job) for job in jobs] == [("pricing.reprice", {"id": made}, "default", "ada")]
    assert (listed.id, listed.first_day, listed.last_day, listed.state, listed.difference_usd) == (
        made, days[0], days[1] - timedelta(days=1), "waiting", Decimal(0),
    )  # fmt: skip

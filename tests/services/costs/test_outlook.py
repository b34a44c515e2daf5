"""Budgets with what they hold back told apart from what operations cost; what caches saved."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from services.ai import budgets
from services.clock import utc_now
from services.costs import outlook, savings
from services.db import transaction
from tests.traffic import arrive, operation

ONE = Decimal("0.00045")  # 1,000 tokens in and 100 out of gpt-5-mini
pytestmark = pytest.mark.usefixtures("database")


def spent(nano: int, unknown: int = 0) -> None:
    """As if the gateway had settled that in every running period."""
    with transaction() as connection:
        budgets.applying(connection, module="m", provider="p", model="x", user=None)
        connection.execute(
            text("update budget_periods set spent_nano = :spent, unknown_nano = :unknown"), {"spent": nano, "unknown": unknown}
        )


def at_noon(days_ago: int) -> datetime:
    now = utc_now()
    return (now - timedelta(days=days_ago)).replace(hour=12, minute=0) if days_ago else now


def month_so_far(daily: int) -> int:
    """Operations since the first of the month, `daily` a day."""
    return daily * utc_now().day


@pytest.fixture
def traffic() -> int:
    """Ten calls a day for sixty days, today's included."""
    return arrive([operation(f"{day}-{n}", at_noon(day)) for day in range(60) for n in range(10)])


def test_the_first_budgets_are_there_and_count_our_own_calls_apart(traffic: int) -> None:
    spent(5_000_000, 1_000_000)
    day, month = outlook.look({})[1]
    assert [(one.budget.period, one.cap) for one in (day, month)] == [("day", Decimal(1)), ("month", Decimal(20))]
    assert day.own.used == month.own.used == Decimal("0.006")
    assert day.everything.used == 10 * ONE
    assert month.everything.used == month_so_far(10) * ONE
    assert month.everything.forecast is not None
    assert month.everything.forecast.chance_over(20) == 0
    days = ((utc_now().replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)).day
    assert month.everything.forecast.expected == pytest.approx(days * 10 * float(ONE), rel=0.4)
    assert month.own.forecast is None  # telemetry never told a call of ours


def test_a_budget_of_a_module_or_model_is_held_against_its_own_operations(traffic: int) -> None:
    arrive([operation(f"o{n}", utc_now(), provider="gcp.gemini", model="gemini-2.5-flash", module="lab") for n in range(3)])
    arrive([operation(f"s{n}", utc_now(), model="meta/llama", cost_usd="0.5") for n in range(2)])
    told = (
        ("module", "lab"),
        ("model", "gemini-2.5-flash"),
        ("model", "gemini/gemini-2.5-flash"),
        ("model", "meta/llama"),
        ("user", "ann"),
    )
    with transaction() as connection:
        for scope, name in told:
            budgets.set_budget(connection, scope=scope, name=name, period="day", cap_nano=10**9, actor="a")  # type: ignore[arg-type]
    found = {(one.budget.scope, one.budget.name): one.everything.used for one in outlook.look({})[1] if one.budget.scope != "all"}
    flash = 3 * (1_000 * Decimal("0.3e-6") + 100 * Decimal("2.5e-6"))
    assert found == dict(zip(told, [flash, flash, flash, Decimal(1), None], strict=True))


def test_a_month_without_any_price_is_unknown_and_one_without_traffic_is_nothing() -> None:
    assert outlook.look({})[0].so_far == 0
    assert outlook.look({})[0].forecast is None
    arrive([operation("u", utc_now(), model="nobody knows")])
    made = outlook.look({})[0]
    assert (made.today, made.so_far, made.forecast) == (None, None, None)


def test_the_month_keeps_to_the_filters(traffic: int) -> None:
    arrive([operation("l", utc_now(), module="lab")])
    assert outlook.look({"module": ["lab"]})[0].so_far == ONE
    assert outlook.look({})[0].today == 11 * ONE
    assert len(outlook.look({})[0].by_day) == outlook.HISTORY_DAYS + 1


def test_what_caches_saved_is_what_it_would_have_cost() -> None:
    now = utc_now()
    arrive(
        [operation(f"p{n}", now) for n in range(10)]
        + [operation(f"c{n}", now, cached=True) for n in range(5)]
        + [operation(f"r{n}", now, module="tutor", input_tokens=2_000, cache_read_tokens=1_000) for n in range(4)]
        + [operation("w", now, module="x", provider="anthropic", model="claude-haiku-4-5", cache_write_tokens=1_000)]
        + [operation("lone", now, module="y", cached=True)]
    )
    today = now.date()
    found = savings.saved((today, today + timedelta(days=1)), {})
    assert found.answers == 5 * ONE
    assert found.tokens == 4 * 1_000 * (Decimal("0.25e-6") - Decimal("0.025e-6")) - 1_000 * Decimal("0.25e-6")
    assert savings.saved((today, today + timedelta(days=1)), {"module": ["none"]}) == savings.Saved(Decimal(0), Decimal(0))

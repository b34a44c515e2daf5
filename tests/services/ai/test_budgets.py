"""Budgets of days and months of the reporting zone: their periods, thresholds and limits; and prices to the unit."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from services.ai import budgets, ledger, periods, prices
from services.ai.budgets import NANO
from services.ai.ledger import About, Ending
from services.ai.providers.spoken import Usage
from services.clock import utc_now
from services.db import transaction
from services.errors import BadInput, NotFound
from services.pricing import overrides
from services.pricing.cost import price
from services.pricing.unit_prices import UnitPrices, unit_prices
from tests.services.pricing.test_cost import frame

MANILA = ZoneInfo("Asia/Manila")
HAVANA = ZoneInfo("America/Havana")  # skips midnight in spring


def call(nano: int, *, module: str = "communities", user: str | None = None) -> int | None:
    """Reserve for a call; its entry, or None when a budget refuses."""
    about = About("primary", "facts@1", module, "needs", "gemini", "", "m1", user, None, None, b"")
    with transaction() as connection:
        applying = budgets.applying(connection, module=module, provider="gemini", model="m1", user=user)
        if not periods.admit(connection, applying, nano):
            return None
        return ledger.open_entry(connection, about, reserved_nano=nano, ceiling_tokens=1, period_ids=applying, wait_s=1).id


def settle(entry: int | None, nano: int) -> None:
    assert entry is not None
    with transaction() as connection:
        assert ledger.close(connection, entry, Ending("answered", nano))


def states() -> dict[tuple[str, str, str], budgets.State]:
    with transaction() as connection:
        assert periods.differences(connection) == []
        return {(state.scope, state.name, state.period): state for state in budgets.states(connection)}


def test_where_nobody_set_a_budget_there_are_one_dollar_a_day_and_twenty_a_month(database: None) -> None:
    assert call(NANO + 1) is None
    settle(call(NANO), NANO // 2)
    found = states()
    assert [(state.period, state.cap_nano, state.hard_stop, state.used_nano) for state in found.values()] == [
        ("day", NANO, True, NANO // 2),
        ("month", 20 * NANO, True, NANO // 2),
    ]
    day = found["all", "", "day"]
    assert day.starts_at <= utc_now() < day.ends_at
    assert day.thresholds == (50, 80, 100)
    assert day.crossed == (50,)


def test_a_threshold_is_recorded_once_by_whoever_crosses_it(database: None) -> None:
    with transaction() as connection:
        budgets.set_budget(connection, scope="user", name="u1", period="day", cap_nano=1_000, hard_stop=False, actor="ada")
    crossed = []
    for nano in (400, 200, 100, 500, 800):
        settle(call(nano, user="u1"), nano)
        crossed.append(states()["user", "u1", "day"].crossed)
    assert crossed == [(), (50,), (50,), (50, 80, 100), (50, 80, 100)]
    assert states()["user", "u1", "day"].used_nano == 2_000


def test_a_budget_set_in_the_middle_of_its_period_counts_what_is_spent_and_open(database: None) -> None:
    settle(call(600), 500)
    open_call = call(70)
    settle(call(600, module="projects"), 9)
    with transaction() as connection:
        budgets.set_budget(connection, scope="module", name="communities", period="month", cap_nano=900, actor="ada")
        budgets.set_budget(connection, scope="model", name="m1", period="day", cap_nano=2_000, actor="ada")
    found = states()
    assert (found["module", "communities", "month"].spent_nano, found["module", "communities", "month"].reserved_nano) == (500, 70)
    assert found["module", "communities", "month"].crossed == (50,)
    assert found["model", "m1", "day"].spent_nano == 509
    assert call(331) is None
    assert call(330) is not None
    settle(open_call, 60)
    assert states()["module", "communities", "month"].spent_nano == 560


def test_a_changed_budget_holds_at_once_and_an_ended_one_no_more(database: None) -> None:
    with transaction() as connection:
        first = budgets.set_budget(connection, scope="module", name="communities", period="day", cap_nano=10, actor="ada")
    assert call(11) is None
    with transaction() as connection:
        assert budgets.set_budget(connection, scope="module", name="communities", period="day", cap_nano=11, actor="ada") == first
    settle(call(11), 11)
    assert call(1) is None
    with transaction() as connection:
        budgets.end(connection, first, "ada")
        with pytest.raises(NotFound):
            budgets.end(connection, first, "ada")
        actions = connection.execute(text("select action from audit order by id")).scalars().all()
    assert call(1) is not None
    assert actions == ["budget.set", "budget.set", "budget.end"]
    with transaction() as connection:  # whoever ends all of them means it
        for state in budgets.states(connection):
            budgets.end(connection, state.id, "ada")
        assert budgets.states(connection) == []
    assert call(10**15) is not None


def test_what_is_recorded_of_a_period_is_right_for_another_cap(database: None) -> None:
    def cap(nano: int) -> budgets.State:
        with transaction() as connection:
            budgets.set_budget(connection, scope="user", name="u1", period="day", cap_nano=nano, actor="ada")
        return states()["user", "u1", "day"]

    cap(1_000)
    settle(call(600, user="u1"), 600)
    assert states()["user", "u1", "day"].crossed == (50,)
    raised = cap(20_000)
    assert (raised.crossed, raised.reached) == ((), ())
    lowered = cap(120)
    assert (lowered.crossed, lowered.reached) == ((50, 80, 100), (50, 80, 100))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"scope": "team"}, "scope"),
        ({"scope": "all", "name": "x"}, "name"),
        ({"scope": "module"}, "name"),
        ({"period": "week"}, "period"),
        ({"cap_nano": -1}, "cap"),
        ({"thresholds": [0]}, "thresholds"),
    ],
)
def test_an_impossible_budget_is_refused_by_its_field(database: None, told: dict[str, object], said: str) -> None:
    asked: dict[str, object] = {"scope": "all", "period": "day", "cap_nano": 1, "actor": "ada"}
    with transaction() as connection, pytest.raises(BadInput, match=said):
        budgets.set_budget(connection, **(asked | told))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("period", "now", "zone", "starts_at", "ends_at"),
    [
        ("day", "2026-11-21T15:59", MANILA, "2026-11-20T16:00", "2026-11-21T16:00"),
        ("day", "2026-11-21T16:00", MANILA, "2026-11-21T16:00", "2026-11-22T16:00"),
        ("month", "2026-12-31T16:00", MANILA, "2026-12-31T16:00", "2027-01-31T16:00"),
        ("month", "2026-02-01T00:00", UTC, "2026-02-01T00:00", "2026-03-01T00:00"),
        ("day", "2026-03-08T06:00", HAVANA, "2026-03-08T05:00", "2026-03-09T04:00"),
    ],
)
def test_a_period_is_a_day_or_month_of_the_zone(period: budgets.Period, now: str, zone: ZoneInfo, starts_at: str, ends_at: str) -> None:
    instants = [datetime.fromisoformat(told).replace(tzinfo=UTC) for told in (now, starts_at, ends_at)]
    assert budgets.span(period, instants[0], zone) == (instants[1], instants[2])


def test_the_next_day_begins_with_nothing_used(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(call(NANO), NANO)
    assert call(1) is None
    real = budgets.span
    monkeypatch.setattr(budgets, "span", lambda period, now, zone=None: real(period, now + timedelta(days=1), zone))
    assert call(1) is not None


@pytest.mark.parametrize("model", ["gemini-3.5-flash-lite", "gemini-2.5-pro", "gemini-embedding-001"])
@given(counts=st.tuples(*[st.integers(0, 300_000)] * 4))
def test_a_call_costs_what_the_move_would_price_it_at(model: str, counts: tuple[int, ...]) -> None:
    fresh, cached, spoken, thought = counts
    usage = Usage(fresh + cached, spoken + thought, cached, thought)
    now = utc_now()
    listed = unit_prices("gcp.gemini", model, now)
    assert listed is not None
    rows = frame(
        {
            "provider": "gcp.gemini", "model": model, "started_at": pd.Timestamp(now), "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens, "cache_read_tokens": cached, "reasoning_tokens": thought, "cached": False,
        }
    )  # fmt: skip
    cost = prices.cost_nano(listed, usage)
    assert cost == price(rows)[0].iloc[0]
    assert cost <= prices.ceiling_nano(listed, usage.input_tokens, usage.output_tokens)


def test_a_price_of_our_own_wins_while_it_holds(database: None) -> None:
    now = utc_now()
    with transaction() as connection:
        assert prices.of(connection, "gemini", "gemini-of-tomorrow", now) is None
        assert prices.of(connection, "ollama", "phi4", now) == prices.OWN
        told = {"units": {"input": "1", "output": "2", "request": "0.001"}, "source": "contract", "actor": "ada"}
        for provider, model in (("gcp.gemini", "gemini-of-tomorrow"), ("ollama", "phi4")):
            overrides.add(
                connection, provider=provider, model=model, effective_from=now - timedelta(days=1), effective_to=now + timedelta(days=1),
                **told,  # type: ignore[arg-type]
            )  # fmt: skip
        ours = prices.of(connection, "gemini", "gemini-of-tomorrow", now)
        assert isinstance(ours, UnitPrices)
        assert prices.cost_nano(ours, Usage(1_000, 100)) == 1_000 * 1_000 + 100 * 2_000 + 1_000_000
        assert not prices.free(ours)
        assert prices.of(connection, "gemini", "gemini-of-tomorrow", now + timedelta(days=2)) is None
        charged = prices.of(connection, "ollama", "phi4", now)
        assert charged is not None
        assert not prices.free(charged)

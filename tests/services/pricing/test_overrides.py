"""Prices of our own win over the list while they hold, exactly, and say so."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from services.clock import utc_now
from services.db import transaction
from services.errors import BadInput, Conflict, NotFound
from services.pricing import overrides
from services.pricing.cost import price
from services.pricing.overrides import Override
from tests.services.pricing.test_cost import frame
from tests.traffic import arrive, operation

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 10, 12, tzinfo=UTC)
PRICE = {"input": "1", "output": "10"}
CALL: dict[str, object] = {"input_tokens": 1_000_000, "output_tokens": 0, "started_at": pd.Timestamp(NOVEMBER)}
ours = st.decimals(0, 1_000, places=6)


def override(units: Mapping[str, str] = PRICE, key: int | None = 1, **told: object) -> Override:
    values = {"provider": None, "model": "gpt-5-mini", "effective_from": JANUARY, "effective_to": None, "source": "contract"} | told
    return Override(id=key, units=units, **values)  # type: ignore[arg-type]


def costs(call: dict[str, object], *prices: Override) -> list[object]:
    found: list[object] = price(frame(CALL | call), list(prices))[0].tolist()
    return found


def add(**told: object) -> int:
    asked: dict[str, object] = {"model": "gpt-5-mini", "units": PRICE, "effective_from": JANUARY, "source": "contract 2026", "actor": "ada"}
    with transaction() as connection:
        return overrides.add(connection, **(asked | told))  # type: ignore[arg-type]


@given(
    units=st.fixed_dictionaries(
        {"input": ours, "output": ours}, optional={"cache_read": ours, "cache_write": ours, "reasoning": ours, "request": ours}
    ),
    counts=st.tuples(*[st.integers(0, 10**6)] * 5),
)
def test_it_costs_tokens_times_our_price(units: dict[str, Decimal], counts: tuple[int, ...]) -> None:
    fresh, read, write, answer, thought = counts
    call: dict[str, object] = {
        "input_tokens": fresh + read + write,
        "cache_read_tokens": read,
        "cache_write_tokens": write,
        "output_tokens": answer + thought,
        "reasoning_tokens": thought,
    }
    usd = (
        fresh * units["input"]
        + read * units.get("cache_read", units["input"])
        + write * units.get("cache_write", units["input"])
        + answer * units["output"]
        + thought * units.get("reasoning", units["output"])
    ) / 10**6 + units.get("request", Decimal(0))
    nano = (usd * 10**9).quantize(Decimal(1), ROUND_HALF_UP)
    assert costs(call, override({kind: str(value) for kind, value in units.items()})) == [int(nano)]


def test_it_holds_from_its_first_instant_until_before_its_last() -> None:
    held = override(effective_to=JANUARY + timedelta(days=10))
    second = timedelta(seconds=1)
    moments = [JANUARY - second, JANUARY, JANUARY + timedelta(days=10) - second, JANUARY + timedelta(days=10)]
    found = price(frame(*[CALL | {"started_at": pd.Timestamp(moment)} for moment in moments]), [held])[0]
    assert found.tolist() == [250_000_000, 1_000_000_000, 1_000_000_000, 250_000_000]


def test_the_latest_added_wins_and_an_exact_name_over_a_beginning() -> None:
    exact_old, exact_new = override({"input": "1", "output": "1"}, 1), override({"input": "2", "output": "1"}, 2)
    beginning = override({"input": "3", "output": "1"}, 3, model="gpt-5*")
    everything = override({"input": "4", "output": "1"}, 4, model="*")
    elsewhere = override({"input": "5", "output": "1"}, 5, provider="azure")
    unsaved = override({"input": "6", "output": "1"}, None)
    assert costs({}, exact_old, exact_new, beginning, everything, elsewhere) == [2_000_000_000]
    assert costs({"model": "gpt-5-nano"}, exact_old, beginning, elsewhere) == [3_000_000_000]
    assert costs({"model": "home-made"}, beginning, everything) == [4_000_000_000]
    assert costs({"provider": "azure"}, exact_new, elsewhere) == [5_000_000_000]
    assert costs({}, exact_new, unsaved) == [6_000_000_000]


def test_it_holds_for_every_tier_and_leaves_what_is_told_or_cached() -> None:
    assert costs({"service_tier": "batch"}, override()) == [1_000_000_000]
    assert costs({"cost_nano": 5}, override()) == [5]
    assert costs({"cached": True}, override()) == [0]


def test_what_nobody_told_stays_unknown_unless_it_is_free() -> None:
    assert costs({"output_tokens": None}, override()) == [pd.NA]
    assert costs({"output_tokens": None}, override({"input": "1", "output": "0"})) == [1_000_000_000]
    assert costs({"model": "(unknown)"}, override(model="*")) == [pd.NA]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"units": {"output": "1"}}, "^input: give USD"),
        ({"units": {"input": "1"}}, "^output: give USD"),
        ({"units": {"input": "1", "output": " "}}, "^output: give USD"),
        ({"units": PRICE | {"cache_read": "cheap"}}, "^cache_read: 'cheap' is not a price"),
        ({"units": PRICE | {"input": "-1"}}, "^input: a price lies between"),
        ({"units": PRICE | {"input": "NaN"}}, "^input: a price lies between"),
        ({"units": PRICE | {"input": "0.0000001"}}, "^input: a price has at most 6 decimals"),
        ({"units": PRICE | {"images": "1"}}, "^images: there is no such price"),
        ({"model": " "}, "^model: give 1 to 200"),
        ({"model": "gpt-*-mini"}, "^model: only the last character"),
        ({"source": ""}, "^source: give 1 to 200"),
        ({"effective_from": datetime(2026, 1, 1)}, "^effective_from: the instant must say its zone"),
        ({"effective_to": JANUARY}, "^effective_to: it must lie after"),
    ],
)
def test_it_names_the_field_that_is_wrong(told: dict[str, object], reason: str) -> None:
    asked: dict[str, object] = {"model": "m", "units": PRICE, "effective_from": JANUARY, "source": "contract"} | told
    with pytest.raises(BadInput, match=reason):
        overrides.candidate(**asked)  # type: ignore[arg-type]


def test_it_is_kept_as_it_was_told(database: None) -> None:
    first = add(provider="openai", units={"input": "1.250", "output": "10", "cache_read": "", "request": "0.0001"})
    second = add(model="gpt-5*", effective_to=JANUARY + timedelta(days=90))
    with transaction() as connection:
        latest, earlier = overrides.listing(connection)
        audited = connection.execute(text("select actor, action, subject, detail from audit order by id")).all()
    assert (latest.id, earlier.id) == (second, first)
    assert earlier.units == {"input": "1.25", "output": "10", "request": "0.0001"}
    assert (earlier.provider, earlier.effective_from, earlier.until, earlier.created_by) == ("openai", JANUARY, None, "ada")
    assert latest.until == JANUARY + timedelta(days=90)
    assert [(row.actor, row.action, row.subject) for row in audited] == [("ada", "price.override", f"override {n}") for n in (1, 2)]
    assert audited[0].detail["units"] == {"input": "1.25", "output": "10", "request": "0.0001"}


def test_it_prices_what_arrives_and_says_by_what(database: None) -> None:
    number = add()
    arrive([operation("ours", NOVEMBER, input_tokens=1_000_000, output_tokens=0), operation("list", datetime(2025, 12, 1, tzinfo=UTC))])
    with transaction() as connection:
        rows = connection.execute(
            text("select o.cost_nano, v.source from operations o join price_versions v on v.id = o.price_version order by o.day desc")
        ).all()
    assert tuple(rows[0]) == (1_000_000_000, f"override {number} (contract 2026)")
    assert rows[1].source.startswith("genai-prices")


def test_a_second_telling_is_priced_by_it_too(database: None) -> None:
    first = operation("span", utc_now(), response_id="resp_0123456789abcdef", told_by="one", input_tokens=None, output_tokens=None)
    arrive([first])
    add()
    arrive([first | {"told_by": "two", "id": "other", "input_tokens": 1_000_000, "output_tokens": 0}])
    with transaction() as connection:
        assert connection.execute(text("select cost_nano from operations")).scalars().all() == [1_000_000_000]


def test_one_that_is_ended_still_prices_the_calls_of_its_time(database: None) -> None:
    number = add()
    with transaction() as connection:
        overrides.end(connection, number, "ada")
    with transaction() as connection:
        (ended,) = overrides.load(connection)
    assert ended.until is not None
    assert abs(ended.until - utc_now()) < timedelta(minutes=1)
    assert costs({"started_at": pd.Timestamp(ended.until) - pd.Timedelta(seconds=1)}, ended) == [1_000_000_000]
    assert costs({"started_at": pd.Timestamp(ended.until)}, ended) == [250_000_000]
    with transaction() as connection, pytest.raises(Conflict, match="is over since"):
        overrides.end(connection, number, "ada")


def test_one_that_is_withdrawn_prices_nothing(database: None) -> None:
    number = add(effective_to=JANUARY + timedelta(days=1))
    with transaction() as connection:
        with pytest.raises(Conflict, match="is over since 2026-01-02"):
            overrides.end(connection, number, "ada")
        overrides.end(connection, number, "ada", withdraw=True)
        (gone,) = overrides.load(connection)
        assert costs({"started_at": pd.Timestamp(JANUARY)}, gone) == [250_000_000]
        with pytest.raises(Conflict):
            overrides.end(connection, number, "ada", withdraw=True)
        with pytest.raises(NotFound):
            overrides.end(connection, 99, "ada")
        assert connection.execute(text("select count(*) from audit where action = 'price.override_end'")).scalar_one() == 1


def test_one_that_lies_ahead_never_begins_once_it_is_ended(database: None) -> None:
    number = add(effective_from=utc_now() + timedelta(days=9))
    with transaction() as connection:
        overrides.end(connection, number, "ada")
        (gone,) = overrides.load(connection)
    assert not gone.covers(pd.Series([pd.Timestamp(utc_now() + timedelta(days=days)) for days in range(0, 40, 3)])).any()

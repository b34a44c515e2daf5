"""The steps of a difference in cost sum to it, whatever happened, and each step is what it is called."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services import changed, metrics
from services.changed.cost import Spent, Weights, split
from services.clock import utc_now
from services.db import transaction
from services.pricing import overrides
from tests.traffic import arrive, many, operation

MODELS = [("openai", "a"), ("openai", "b"), ("google", "c"), ("", "d")]
COUNT = st.integers(0, 10**9)
Side = dict[tuple[str, str], Spent]
Prices = dict[tuple[str, str], Weights]


@st.composite
def spent(draw: st.DrawFn) -> Spent:
    """Anything that rollups can hold, and more: unpriced, unknown, free, cached, in contradiction."""
    n = draw(st.integers(0, 10**7))
    priced = draw(st.integers(0, n))
    return Spent(
        n, priced, draw(st.integers(0, n)), draw(st.integers(0, n)), draw(COUNT), draw(COUNT), draw(COUNT), draw(COUNT),
        draw(st.integers(0, 10**13)) if priced else 0,
    )  # fmt: skip


SIDE = st.dictionaries(st.sampled_from(MODELS), spent())
PICO = st.integers(0, 10**8)
WEIGHTS = st.dictionaries(st.sampled_from(MODELS), st.builds(Weights, PICO, PICO, PICO, PICO))


@settings(max_examples=300, deadline=None)
@given(SIDE, SIDE, WEIGHTS)
def test_the_steps_sum_to_the_difference_whatever_happened(before: Side, after: Side, weights: Prices) -> None:
    change = split(before, after, weights)
    assert change.before_nano == sum(one.cost_nano for one in before.values())
    assert change.after_nano == sum(one.cost_nano for one in after.values())
    assert sum(step.amount for step in change.steps) == change.after_nano - change.before_nano


@settings(max_examples=200, deadline=None)
@given(SIDE, SIDE, WEIGHTS)
def test_the_other_way_round_has_the_same_steps_with_the_other_sign(
    before: Side, after: Side, weights: dict[tuple[str, str], Weights]
) -> None:
    there, back = split(before, after, weights), split(after, before, weights)
    assert {step.name: step.amount for step in there.steps} == {step.name: -step.amount for step in back.steps}


BASE = Spent(n=100, priced=100, cached=20, told_tokens=80, input_tokens=80_000, output_tokens=8_000, cost_nano=80 * 2_000)
PLAIN = Weights(input=1_000, output=10_000, cache_read=100, cache_write=1_250)


def steps(before: dict[tuple[str, str], Spent], after: dict[tuple[str, str], Spent], weights: Weights | None = PLAIN) -> dict[str, int]:
    known = {} if weights is None else dict.fromkeys(MODELS, weights)
    return {step.name: step.amount for step in split(before, after, known).steps if step.amount}


def of(**told: int) -> Spent:
    return Spent(**{name: getattr(BASE, name) for name in Spent.__slots__} | told)


A, B = MODELS[:2]


@pytest.mark.parametrize(
    ("after", "name"),
    [
        ({A: Spent(300, 300, 60, 240, 240_000, 24_000, 0, 0, 240 * 2_000)}, "volume"),
        ({A: of(input_tokens=160_000, output_tokens=16_000, cost_nano=80 * 4_000)}, "tokens"),
        ({A: of(cost_nano=80 * 3_000)}, "price"),
        ({A: of(cached=60, told_tokens=40, input_tokens=40_000, output_tokens=4_000, cost_nano=40 * 2_000)}, "cache"),
        ({A: of(cache_read_tokens=80_000, cost_nano=80 * 1_100)}, "cache"),
        ({A: of(n=125)}, "volume"),
    ],
)
def test_what_alone_changed_is_the_only_step(after: dict[tuple[str, str], Spent], name: str) -> None:
    found = steps({A: BASE}, after)
    difference = after[A].cost_nano - BASE.cost_nano
    if after[A].n == 125:  # a quarter more calls, all of the new ones unpriced
        assert found == {"volume": found["volume"], "priced": -found["volume"]}
    else:
        assert found == {name: difference}


def test_a_new_model_and_one_that_vanished_are_a_change_of_mix() -> None:
    dear = of(cost_nano=80 * 10_000)
    assert steps({A: BASE}, {B: dear}) == {"mix": dear.cost_nano - BASE.cost_nano}


def test_from_nothing_and_to_nothing_is_volume() -> None:
    assert steps({}, {A: BASE}) == {"volume": BASE.cost_nano}
    assert steps({A: BASE}, {}) == {"volume": -BASE.cost_nano}
    assert steps({}, {}) == {}


def test_without_a_price_or_tokens_the_cost_of_a_call_is_not_split() -> None:
    dearer = of(cost_nano=80 * 3_000)
    assert steps({A: BASE}, {A: dearer}, None) == {"untold": 80 * 1_000}
    assert steps({A: of(told_tokens=0)}, {A: dearer}) == {"untold": 80 * 1_000}


def test_prices_that_appear_are_told_apart_from_calls() -> None:
    assert steps({A: of(priced=0, cached=0, cost_nano=0)}, {A: BASE}) == {"priced": BASE.cost_nano}


@pytest.mark.usefixtures("database")
def test_it_agrees_with_the_catalogue_to_the_nano() -> None:
    now = utc_now()
    arrive(many(800, now - timedelta(days=14), timedelta(days=14)))
    arrive([operation(f"new-{n}", now - timedelta(days=1), model="gpt-5") for n in range(20)])
    day = now.date()
    before, after = (day - timedelta(days=13), day - timedelta(days=6)), (day - timedelta(days=6), day + timedelta(days=1))
    for where in ({}, {"module": ["chat"]}, {"model": ["gpt-5"]}, {"model": ["no such"]}):
        change = changed.cost(changed.Between(before, after, where))
        for (start, end), nano in ((before, change.before_nano), (after, change.after_nano)):
            answer = metrics.query(["cost", "unpriced"], start=start, end=end, where=where).frame.iloc[0]
            assert int((answer["cost"] or 0) * 10**9) == nano
            assert change.unpriced[(start, end) == after] == (answer["unpriced"] or 0)
        assert sum(step.amount for step in change.steps) == change.after_nano - change.before_nano


@pytest.mark.usefixtures("database")
def test_a_price_of_our_own_is_the_reference_of_a_model_that_is_in_no_list() -> None:
    now = utc_now()
    with transaction() as connection:
        overrides.add(
            connection, model="own", units={"input": "1", "output": "4"}, effective_from=now - timedelta(days=30), source="c", actor="a"
        )
    days = [now - timedelta(days=5), now - timedelta(days=1)]
    arrive([operation(f"{n}", day, model="own", provider="us", input_tokens=1_000 * (n + 1)) for n, day in enumerate(days)])
    between = changed.Between((days[0].date(), days[0].date() + timedelta(days=1)), (days[1].date(), now.date() + timedelta(days=1)))
    assert {step.name: step.amount for step in changed.cost(between).steps if step.amount} == {"tokens": 1_000_000}


@pytest.mark.usefixtures("database")
def test_it_names_who_moved_the_cost_most() -> None:
    now = utc_now()
    early, late = now - timedelta(days=5), now - timedelta(days=1)
    arrive(
        [operation(f"a{n}", early, module="tutor") for n in range(4)]
        + [operation(f"b{n}", late, module="chat") for n in range(9)]
        + [operation(f"c{n}", late, module="tutor") for n in range(4)]
        + [operation("d", late, module="lab", provider="us", model="unknown to all")]
    )
    between = changed.Between((early.date(), early.date() + timedelta(days=1)), (late.date(), late.date() + timedelta(days=1)))
    found = changed.movers(between, "module", "cost")
    assert found["module"].tolist() == ["chat", "tutor", "lab"]
    one = 1_000 * 0.25e-6 + 100 * 2e-6
    assert found["change"].tolist()[:2] == pytest.approx([9 * one, 0])
    assert found["change"].isna().tolist() == [False, False, True]

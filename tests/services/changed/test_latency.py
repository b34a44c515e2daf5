"""The steps of a difference in mean latency sum to it, and each step is what it is called."""

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services import changed, metrics
from services.changed.latency import Timed, split
from services.clock import utc_now
from tests.traffic import arrive, many

Side = dict[tuple[str, str, str], Timed]
CELLS = [(module, "p", model) for module in ("chat", "tutor") for model in "abcdef"]
SIDE = st.dictionaries(st.sampled_from(CELLS), st.builds(Timed, st.integers(1, 10**7), st.integers(0, 10**13)))


@settings(max_examples=300, deadline=None)
@given(SIDE, SIDE)
def test_the_steps_sum_to_the_difference_whatever_happened(before: Side, after: Side) -> None:
    change = split(before, after)
    for side, ns in ((before, change.before_ns), (after, change.after_ns)):
        n = sum(timed.n for timed in side.values())
        assert ns == (round(Fraction(sum(timed.us for timed in side.values()) * 1_000, n)) if n else None)
    if change.before_ns is not None and change.after_ns is not None:
        assert sum(step.amount for step in change.steps) == change.after_ns - change.before_ns
        assert {s.label: s.amount for s in change.steps} == {s.label: -s.amount for s in split(after, before).steps}
    else:
        assert not (before and after)
        assert change.steps == ()


def amounts(before: dict[tuple[str, str, str], Timed], after: dict[tuple[str, str, str], Timed]) -> dict[str, int]:
    return {step.label: step.amount for step in split(before, after).steps if step.amount}


def test_each_step_is_what_it_is_called() -> None:
    fast, slow = ("chat", "p", "a"), ("chat", "p", "b")
    other = ("tutor", "p", "a")
    base = {fast: Timed(50, 50_000), slow: Timed(50, 150_000)}
    assert amounts(base, base | {fast: Timed(50, 100_000)}) == {"a in chat": 500_000}
    assert amounts(base, {fast: Timed(25, 25_000), slow: Timed(75, 225_000)}) == {"Model mix": 500_000}
    assert amounts(base, {slow: Timed(9, 27_000)}) == {"Model mix": 1_000_000}
    assert amounts({fast: Timed(1, 1_000)}, {other: Timed(1, 9_000)}) == {"Module mix": 8_000_000}


def test_beyond_the_largest_they_are_told_together() -> None:
    before = {cell: Timed(10, 1_000) for cell in CELLS}
    after = {cell: Timed(10, 1_000 * (2 + place)) for place, cell in enumerate(CELLS)}
    steps = split(before, after).steps
    assert [step.label for step in steps[2:]] == ["f in tutor", "e in tutor", "d in tutor", "c in tutor", "8 others"]


@pytest.mark.usefixtures("database")
def test_it_agrees_with_the_catalogue() -> None:
    now = utc_now()
    arrive(many(600, now - timedelta(days=14), timedelta(days=14)))
    day = now.date()
    before, after = (day - timedelta(days=13), day - timedelta(days=6)), (day - timedelta(days=6), day + timedelta(days=1))
    change = changed.latency(changed.Between(before, after, {"module": ["chat", "tutor"]}))
    for (start, end), ns in ((before, change.before_ns), (after, change.after_ns)):
        answer = metrics.query(["latency_avg"], start=start, end=end, where={"module": ["chat", "tutor"]}).frame.iloc[0]
        assert ns == pytest.approx(answer["latency_avg"] * 1e6, abs=1)
    assert sum(step.amount for step in change.steps) == change.after_ns - change.before_ns  # type: ignore[operator]

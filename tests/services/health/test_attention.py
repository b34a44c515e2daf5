"""What needs somebody: each thing that can be wrong is named once, the worst first, and nothing else is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from services.ai.budgets import NANO, State
from services.health import attention, incidents
from services.health.attention import Seen, Work
from services.health.incidents import HOUR, Hours, Incident
from services.health.monitor import Status

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
WELL = Seen(Status("healthy", NOW, {}, (), ()), (), Work(12, 40.0, 0), pd.DataFrame({"model": [], "unpriced": []}), 0, [], [], {})
BURST = Incident("errors", "tutor", NOW - timedelta(hours=2), NOW - timedelta(hours=1), 40, 1.0, 60, {}, goes_on=False)
BUDGET = State(1, "all", "", "day", NANO, True, (50, 80, 100), NOW, NOW)


def words(seen: Seen) -> list[str]:
    return [need.words for need in attention.needs(seen)]


def test_nothing_needs_attention_where_all_is_well() -> None:
    assert attention.needs(replace(WELL, budgets=[BUDGET, replace(BUDGET, spent_nano=NANO // 3)])) == []


def test_it_names_what_is_degraded_stalled_refused_unpriced_and_dead() -> None:
    seen = Seen(
        Status("degraded", NOW, {}, ("rollups: Telemetry has been waiting for 90 s.",), ()),
        [replace(BUDGET, spent_nano=NANO * 6 // 10, unknown_nano=NANO // 4)],
        Work(1_200, 1_500.0, 3),
        pd.DataFrame({"model": ["a", "b", "c", "d"], "unpriced": [900, 90, 9, 1]}),
        1,
        ["shop"],
        [BURST],
        {},
    )
    found = attention.needs(seen)
    assert [(need.page, need.words) for need in found] == [
        ("health", "rollups: Telemetry has been waiting for 90 s."),
        ("health", "tutor: 40 errors from Sat 01:00 to Sat 02:00 where 1 are usual."),
        ("cost", "85% of the budget for this day over all is used."),
        ("jobs", "3 dead jobs wait for a decision."),
        ("jobs", "1,200 jobs wait, the oldest for 25 minutes."),
        ("telemetry", "1 record was refused today (UTC)."),
        ("telemetry", "The source shop told more names in the last 7 days than are kept apart."),
        ("prices", "1,000 operations of the last 7 days have no known cost: a, b, c and others."),
    ]
    assert {need.urgency for need in found} == {"warning"}


def test_what_goes_on_or_is_wrong_comes_before_what_is_over() -> None:
    starts = [NOW - place * HOUR for place in range(34 * 24, -1, -1)]
    dark = Hours("tutor", starts, np.array([90.0] * (len(starts) - 4) + [0, 1, 0, 0]), np.zeros(len(starts)))
    (silence,) = incidents.incidents(dark, dict.fromkeys(incidents.KINDS, starts[-5]), NOW + timedelta(minutes=20), ZoneInfo("UTC"))
    wrong = {NOW.date() + timedelta(days=n): 2 for n in range(5)}
    found = attention.needs(replace(WELL, incidents=[BURST, silence], differing=wrong))
    assert [(need.urgency, need.words) for need in found] == [
        ("error", "tutor: 1 operation since Sat 00:00 where 270 are usual."),
        ("error", "10 cells differ from the stored operations: numbers of 2026-11-21, 2026-11-22, 2026-11-23 and 2 more days are wrong."),
        ("warning", "tutor: 40 errors from Sat 01:00 to Sat 02:00 where 1 are usual."),
    ]


def test_what_stops_calls_comes_first() -> None:
    spent = replace(BUDGET, scope="module", name="tutor", spent_nano=NANO)
    found = attention.needs(replace(WELL, rejected=2, budgets=[spent]))
    assert [need.urgency for need in found] == ["error", "warning"]
    assert found[0].words == "100% of the budget for this day of the module tutor is used. Calls that it covers are refused."


@pytest.mark.parametrize("cap", [0, NANO])
def test_a_budget_that_nothing_was_taken_from_is_no_need(cap: int) -> None:
    assert words(replace(WELL, budgets=[replace(BUDGET, cap_nano=cap)])) == []


@pytest.mark.parametrize("crossed", [(), (50, 80, 100)])
def test_a_budget_is_judged_by_the_cap_it_has_now(crossed: tuple[int, ...]) -> None:
    one = replace(BUDGET, crossed=crossed, spent_nano=NANO * 6 // 10)
    assert words(replace(WELL, budgets=[replace(one, cap_nano=20 * NANO)])) == []
    assert words(replace(WELL, budgets=[replace(one, cap_nano=NANO // 10)])) == [
        "600% of the budget for this day over all is used. Calls that it covers are refused."
    ]


def test_a_budget_with_no_room_for_a_call_is_a_need_before_it_is_used_up() -> None:
    (need,) = attention.needs(replace(WELL, budgets=[replace(BUDGET, spent_nano=NANO * 49 // 100, refused=3, refused_at=NOW)]))
    assert (need.urgency, need.page) == ("error", "cost")
    assert need.words == (
        "49% of the budget for this day over all is used. 3 calls were refused because not enough is left, the last on Sat 21 Nov 03:00."
    )

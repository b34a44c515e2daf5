"""Facts under their names and in their units."""

from datetime import date

import pytest

from console.ui import analysis_facts
from services.ai.grounding.ground import Count, Currency, Days, DaysChange, Money, Name, Score, Share, ShareChange, Year
from services.analyses.case import Facts, Part


class Risk(Part):
    kind: str
    step: Score | None
    cost: Money | None = None


class Some(Facts):
    currency: Currency | None
    cost: Money
    share: Share
    growth: ShareChange | None
    late: DaysChange
    length: Days
    year: Year
    people: Count
    used: bool
    end: date | None
    missing: tuple[Name, ...]
    steps: tuple[Score, ...]
    risks: tuple[Risk, ...]
    worst: Risk | None


SOME = Some(
    record_name="Adams", as_of=date(2026, 1, 1), currency="GBP", cost=1_200_000, share=0.25, growth=None, late=-3, length=1, year=2020,
    people=12_345, used=True, end=date(2026, 2, 3), missing=("a", "b"), steps=(1.5,), worst=None,
    risks=(Risk(kind="cost", step=4, cost=5), Risk(kind="schedule", step=None)),
)  # fmt: skip


def test_it_names_every_fact_in_its_unit() -> None:
    told = {(fact.path, fact.name, fact.value) for fact in analysis_facts.of(SOME)}
    assert told == {
        ("record_name", "Record name", "Adams"),
        ("currency", "Currency", "GBP"),
        ("cost", "Cost", "£1.2m"),
        ("share", "Share", "25 %"),
        ("growth", "Growth", "unknown"),
        ("late", "Late", "3 days earlier"),
        ("length", "Length", "1 day"),
        ("year", "Year", "2020"),
        ("people", "People", "12,345"),
        ("used", "Used", "yes"),
        ("end", "End", "3 February 2026"),
        ("missing[0]", "Missing", "a"),
        ("missing[1]", "Missing", "b"),
        ("steps[0]", "Steps", "1.5"),
        ("risks[0].kind", "Risks · cost · kind", "cost"),
        ("risks[0].step", "Risks · cost · step", "4"),
        ("risks[0].cost", "Risks · cost · cost", "£5"),
        ("risks[1].kind", "Risks · schedule · kind", "schedule"),
        ("risks[1].step", "Risks · schedule · step", "unknown"),
        ("risks[1].cost", "Risks · schedule · cost", "unknown"),
        ("worst", "Worst", "unknown"),
    }


@pytest.mark.parametrize("path", ["risks[0].kind", "risks[1].step", "risks[1].cost"])
def test_what_tells_a_reader_nothing_is_quiet(path: str) -> None:
    quiet = {fact.path for fact in analysis_facts.of(SOME) if fact.quiet}
    assert path in quiet
    assert quiet == {"risks[0].kind", "risks[1].kind", "risks[1].step", "risks[1].cost"}

"""Risks, anomalies and reports of projects."""

from datetime import date
from decimal import Decimal

import pytest

from services.analyses import anomalies, report, risks
from services.analyses.case import Case
from services.errors import BadInput
from tests.services.analyses.files import project, projects
from tests.services.analyses.test_forecast import year

TODAY = date(2026, 11, 21)


def test_it_scores_likelihood_times_impact_with_drivers() -> None:
    work = project(
        1, [year(2019, rating="Amber", cost=100_00), year(2020, rating="Red", cost=150_00)], start_planned=date(2018, 1, 1),
        end_planned=date(2020, 1, 1), end_current=date(2021, 6, 1), rating="Red", whole_life_minor=150_00, variance_percent=Decimal(12),
    )  # fmt: skip
    told = risks.facts(Case(work, projects(), TODAY))
    by_kind = {risk.kind: risk for risk in told.risks}
    assert (by_kind["schedule"].likelihood, by_kind["schedule"].impact, by_kind["schedule"].level) == (5, 4, "critical")
    assert by_kind["schedule"].drivers[0].days == 517
    assert by_kind["cost"].likelihood == 5
    assert by_kind["cost"].impact == 1  # 150 pounds among millions
    assert by_kind["delivery confidence"].likelihood == 5
    assert told.rating_trend == "worse"
    assert by_kind["spending in the year"].likelihood == 4
    assert [risk.level for risk in told.risks] == sorted((risk.level for risk in told.risks), key=lambda level: risks.RANKS[level])
    assert "517 days later" in risks.render(told)


def test_what_has_not_happened_is_as_likely_as_it_was_for_others() -> None:
    work = project(1, start_planned=date(2018, 1, 1), end_planned=date(2020, 1, 1), end_current=date(2020, 1, 1))
    late = [project(n, end_planned=date(2020, 1, 1), end_current=date(2021, 1, n % 28 + 1)) for n in range(2, 30)]
    told = {risk.kind: risk for risk in risks.facts(Case(work, late, TODAY)).risks}["schedule"]
    assert (told.likelihood, told.impact) == (3, 4)
    alone = {risk.kind: risk for risk in risks.facts(Case(work, [], TODAY)).risks}["schedule"]
    assert (alone.likelihood, alone.impact, alone.level) == (1, None, "unknown")


def test_an_unknown_duration_leaves_the_days() -> None:
    work = project(1, end_planned=date(2020, 1, 1), end_current=date(2020, 3, 1))
    told = {risk.kind: risk for risk in risks.facts(Case(work, [], TODAY)).risks}["schedule"]
    assert (told.likelihood, told.impact) == (2, 2)


def test_a_single_snapshot_grows_from_budget_to_forecast() -> None:
    work = project(1, budget_minor=100, forecast_minor=110, whole_life_minor=100, currency="USD")
    peers = [project(n, whole_life_minor=n * 100, budget_minor=100, forecast_minor=150) for n in range(2, 30)]
    told = {risk.kind: risk for risk in risks.facts(Case(work, peers, TODAY)).risks}["cost"]
    assert told.drivers[0].change == 0.1
    assert told.likelihood == 3


def test_it_finds_jumps_and_contradictions() -> None:
    work = project(
        1,
        [
            year(2014, date(2016, 1, 1), 100_00, rating="Green", start=date(2013, 1, 1)),
            year(2015, date(2026, 1, 1), 900_00, rating="Red", start=date(2014, 1, 1), budget_minor=1_000_00),
            year(2019, date(2012, 1, 1), 0, start=date(2014, 1, 1), variance_percent=Decimal(300), budget_minor=10, forecast_minor=40),
        ],
        currency="GBP",
    )  # fmt: skip
    told = anomalies.facts(Case(work, projects(), TODAY))
    kinds = [(one.year, one.kind) for one in told.anomalies]
    assert (2015, "jump of the cost") in kinds
    assert (2015, "jump of the end") in kinds
    assert (2015, "jump of the rating") in kinds
    assert (2019, "gap") in kinds
    assert (2019, "spending") in kinds
    details = {one.detail for one in told.anomalies if one.kind == "contradiction"}
    assert details == {
        "It ends before it starts",
        "The whole-life cost is nothing or less",
        "The budget of the year is more than the whole-life cost",
        "The start of a project under way moved",
    }
    words = anomalies.render(told)
    assert "£100 → £900, +800 %, since 2014" in words
    assert "Green → Red" in words


def test_a_single_snapshot_may_contradict_itself() -> None:
    told = anomalies.facts(Case(project(1, start_current=date(2020, 1, 1), end_current=date(2019, 1, 1)), [], TODAY))
    assert [one.days for one in told.anomalies] == [-365]
    assert told.unchecked == ("costs of peers", "ends of peers", "spending of peers")
    assert "Too little is known to compare with" in anomalies.render(told)
    assert "nothing unusual" in anomalies.render(anomalies.facts(Case(project(1), [], TODAY)))
    assert "Nothing unusual in 1 report" in anomalies.render(anomalies.facts(Case(project(1, [year(2020)]), [], TODAY)))


def test_few_of_the_real_projects_are_called_anomalous_in_a_year() -> None:
    works = [one for one in projects() if len(one.years) > 2]
    told = [anomalies.facts(Case(one, projects(), TODAY)) for one in works[::10]]
    reports = sum(one.reports for one in told)
    jumps = sum(anomaly.kind.startswith("jump") for one in told for anomaly in one.anomalies)
    assert 0 < jumps < 0.5 * reports


@pytest.mark.parametrize("variant", report.VARIANTS)
def test_it_reports_in_three_ways(variant: str) -> None:
    work = next(one for one in projects() if "Local Land" in one.name)
    told = report.facts(Case(work, [one for one in projects() if one is not work], TODAY, variant))
    words = report.render(told)
    assert words.startswith(f"# {variant.capitalize()} report on Local Land Charges")
    assert ("## Risks: risks" in words) == (variant == "comprehensive")
    assert ("## In short" in words) == (variant == "executive")
    assert ("## Yearly reports" in words) == (variant != "executive")
    assert "£193.3m" in words


def test_there_is_no_fourth_report() -> None:
    with pytest.raises(BadInput, match="comprehensive or executive or technical"):
        report.facts(Case(project(1), [], TODAY, "poetic"))

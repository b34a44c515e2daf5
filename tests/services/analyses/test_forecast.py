"""The forecast: tested on the UK yearly files against later years, beside "no change"; and honest about what is unknown."""

from datetime import date, timedelta

from services.analyses import forecast
from services.analyses.backtest import skill_of_costs, skill_of_days
from services.analyses.case import Case
from services.analyses.history import moves, points
from services.analyses.reference import Reference
from services.records import ProjectYear
from tests.services.analyses.files import NOW, project, projects

TODAY = date(2026, 11, 21)


def year(number: int, end: date | None = None, cost: int | None = None, **told: object) -> ProjectYear:
    facts: dict[str, object] = {
        "year": number, "name": "Programme", "department": None, "start": None, "end": end, "status": None, "rating": None,
        "budget_minor": None, "forecast_minor": None, "variance_percent": None, "whole_life_minor": cost, "narrative": None,
        "imported_at": NOW,
    }  # fmt: skip
    return ProjectYear(**(facts | told))  # type: ignore[arg-type]


def test_it_is_better_than_no_change_on_the_real_years() -> None:
    history = [(one.id, move) for one in projects() for move in moves(points(one))]
    ends, costs = skill_of_days(history), skill_of_costs(history)
    assert ends is not None
    assert costs is not None
    print(ends, costs)
    assert ends.cases > 600
    assert costs.cases > 500
    assert ends.gain > 0.15
    assert costs.gain > 0.08
    assert ends.error <= ends.naive_error
    assert costs.error <= costs.naive_error * 1.005
    assert 0.74 <= ends.covered <= 0.9
    assert 0.78 <= costs.covered <= 0.95
    assert ends.brier < 0.65 * ends.naive_brier
    assert costs.brier < 0.5 * costs.naive_brier


def test_it_learns_nothing_from_the_future_or_from_itself() -> None:
    history = [(one.id, move) for one in projects() for move in moves(points(one))]
    known = Reference.of(history).known(by=2017, besides=history[0][0])
    assert known.last.max() == 2017
    assert history[0][0] not in known.keys
    work = next(one for one in projects() if len(one.years) == 7)
    told = forecast.facts(Case(work, [one for one in projects() if one is not work], TODAY))
    again = forecast.facts(Case(work, [work, *(one for one in projects() if one is not work)], TODAY))
    assert (told.end, told.cost) == (again.end, again.cost)


def test_it_tells_an_interval_around_the_middle() -> None:
    for work in [one for one in projects() if len(one.years) > 3][:20]:
        told = forecast.facts(Case(work, [one for one in projects() if one is not work], TODAY))
        if told.end is not None:
            assert told.end.low <= told.end.expected <= told.end.high
            assert 0 < told.end.chance_in_time < 1
        if told.cost is not None:
            assert 0 < told.cost.low <= told.cost.expected <= told.cost.high
            assert 0 < told.cost.chance_in_budget < 1


def test_it_forecasts_what_peers_did() -> None:
    peers = [
        project(number, [year(2018, date(2020, 1, 1), 100), year(2019, date(2021, 1, 1), 200), year(2020, date(2022, 1, 1), 400)])
        for number in range(2, 30)
    ]
    work = project(1, [year(2020, date(2020, 12, 31), 1_000)])
    told = forecast.facts(Case(work, peers, TODAY))
    assert told.horizon_year == 2021
    assert told.end is not None
    assert told.end.shift in {365, 366}
    assert told.cost is not None
    assert told.cost.expected == 20.0
    assert told.end_skill is not None


def test_it_says_what_it_cannot_tell() -> None:
    nothing = forecast.facts(Case(project(1), projects(), TODAY))
    assert (nothing.end, nothing.cost, nothing.last_report, nothing.end_skill) == (None, None, None, None)
    assert "nothing can be forecast" in forecast.render(nothing)
    alone = forecast.facts(Case(project(1, [year(2020, date(2025, 1, 1), 100)]), [], TODAY))
    assert alone.end is None
    assert "Too few changes" in forecast.render(alone)
    unknown = forecast.facts(Case(project(1, [year(2020, None, -5)]), projects(), TODAY))
    assert unknown.cost_unknown == "No whole-life cost is known."
    assert unknown.horizon_years == 1


def test_it_stays_within_the_calendar() -> None:
    peers = [project(n, [year(2019, date(2020, 1, 1)), year(2020, date(2020, 1, 1) + timedelta(days=4_000))]) for n in range(2, 30)]
    told = forecast.facts(Case(project(1, [year(2020, date(9999, 12, 1))]), peers, TODAY))
    assert told.end is not None
    assert told.end.high == date.max

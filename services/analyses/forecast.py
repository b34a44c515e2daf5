"""When will a project end and what will it cost? As it went with projects like it, with an interval, tested on the past."""

from datetime import date, timedelta
from math import ceil, exp
from typing import Annotated

from services.ai.grounding.ground import Currency, DaysChange, Money, Share, ShareChange, Unit, Year
from services.analyses import phrases
from services.analyses.backtest import HIGH, LOW, SHARES, Skill, skill_of_costs, skill_of_days
from services.analyses.case import Case, Facts, Part, name_of
from services.analyses.history import Move, Point, moves, points
from services.analyses.reference import Outcomes, Reference
from services.records import Project

TITLE = "Forecast"
MOST_YEARS = 5  # further ahead no history reaches
Years = Annotated[int, Unit("count", ("year", "years"))]
Changes = Annotated[int, Unit("count", ("change", "changes"))]


class EndForecast(Part):
    """`naive` is the date as last told. The chance is that the end does not move beyond it."""

    naive: date
    expected: date
    low: date
    high: date
    shift: DaysChange
    shift_low: DaysChange
    shift_high: DaysChange
    chance_in_time: Share


class CostForecast(Part):
    """`naive` is the cost as last told. The chance is that it does not grow beyond it."""

    naive: Money
    expected: Money
    low: Money
    high: Money
    growth: ShareChange
    growth_low: ShareChange
    growth_high: ShareChange
    chance_in_budget: Share


class ForecastFacts(Facts):
    currency: Currency | None
    last_report: Year | None
    horizon_year: Year | None
    horizon_years: Years | None
    interval: Share
    peers: Annotated[int, Unit("count", ("peer", "peers", "project", "projects"))]
    changes: Changes
    end: EndForecast | None
    end_unknown: str | None
    cost: CostForecast | None
    cost_unknown: str | None
    end_skill: Skill | None
    cost_skill: Skill | None


def facts(case: Case[Project]) -> ForecastFacts:
    """Peers are the projects of its source."""
    told = points(case.record)
    last = told[-1] if told else None
    peers = [(peer.id, points(peer)) for peer in case.peers]
    history: list[tuple[int, Move]] = [(key, move) for key, theirs in peers for move in moves(theirs)]
    years = None if last is None else horizon(last)
    known = Reference.of(history).known(by=last.year if last else case.today.year, besides=case.record.id)
    end, end_unknown = _end(known, last, years)
    cost, cost_unknown = _cost(known, last, years)
    return ForecastFacts(
        record_name=name_of(case.record),
        as_of=case.today,
        currency=case.record.currency,
        last_report=None if last is None else last.year,
        horizon_year=None if last is None or years is None else last.year + years,
        horizon_years=years,
        interval=HIGH - LOW,
        peers=len(peers),
        changes=len(known.keys),
        end=end,
        end_unknown=end_unknown,
        cost=cost,
        cost_unknown=cost_unknown,
        end_skill=skill_of_days(history) if end else None,
        cost_skill=skill_of_costs(history) if cost else None,
    )


def horizon(last: Point) -> int:
    """Reports until the end: at least the next one; how often depends on what is left."""
    return 1 if last.left_years is None else min(max(ceil(last.left_years), 1), MOST_YEARS)


def render(told: ForecastFacts) -> str:
    """The forecast as people read it."""
    name = phrases.plain(told.record_name)
    if told.last_report is None:
        summary = f"No yearly report of {name} is known, so nothing can be forecast."
    else:
        summary = (
            f"From the report of {told.last_report}, as it would be told in {told.horizon_year}. It rests on "
            f"{phrases.counted(told.changes, 'change')} between reports of other projects of the same source; "
            f"intervals hold {phrases.percent(told.interval)} of the outcomes."
        )
    return phrases.document(
        f"{TITLE} for {name}",
        [
            ("Summary", summary),
            ("End date", _render_end(told)),
            ("Whole-life cost", _render_cost(told)),
            ("How good such forecasts were", _render_skill(told)),
        ],
    )


def _end(known: Reference, last: Point | None, years: int | None) -> tuple[EndForecast | None, str | None]:
    if last is None or years is None or last.end is None:
        return None, "No end date is known."
    outcomes = known.days_after(last, years)
    if outcomes is None:
        return None, _TOO_FEW
    low, middle, high = (round(days) for days in outcomes.quantiles(SHARES))
    return EndForecast(
        naive=last.end,
        expected=_moved(last.end, middle),
        low=_moved(last.end, low),
        high=_moved(last.end, high),
        shift=middle,
        shift_low=low,
        shift_high=high,
        chance_in_time=round(outcomes.share_at_most(0.0), 4),
    ), None


def _cost(known: Reference, last: Point | None, years: int | None) -> tuple[CostForecast | None, str | None]:
    if last is None or years is None or last.cost is None or last.cost <= 0:
        return None, "No whole-life cost is known."
    outcomes = known.growth_after(last, years)
    if outcomes is None:
        return None, _TOO_FEW
    low, middle, high = _growths(outcomes)
    return CostForecast(
        naive=last.cost,
        expected=round(last.cost * (1 + middle), 2),
        low=round(last.cost * (1 + low), 2),
        high=round(last.cost * (1 + high), 2),
        growth=round(middle, 6),
        growth_low=round(low, 6),
        growth_high=round(high, 6),
        chance_in_budget=round(outcomes.share_at_most(1e-9), 4),
    ), None


_TOO_FEW = "Too few changes of other projects were known by then."


def _growths(outcomes: Outcomes) -> tuple[float, ...]:
    return tuple(exp(growth) - 1 for growth in outcomes.quantiles(SHARES))


def _moved(end: date, days: int) -> date:
    """Within the calendar."""
    return end + timedelta(days=max(min(days, (date.max - end).days), (date.min - end).days))


def _render_end(told: ForecastFacts) -> str:
    if told.end is None:
        return f"Not forecast. {told.end_unknown}"
    rows = [
        ("As last told (no change)", phrases.day(told.end.naive), ""),
        ("Expected", phrases.day(told.end.expected), phrases.later(told.end.shift)),
        ("Early end of the interval", phrases.day(told.end.low), phrases.later(told.end.shift_low)),
        ("Late end of the interval", phrases.day(told.end.high), phrases.later(told.end.shift_high)),
    ]
    chance = f"The chance that the end does not move beyond the date as last told is {phrases.percent(told.end.chance_in_time)}."
    return f"{phrases.table(('', 'Date', 'Against the date as last told'), rows)}\n\n{chance}"


def _render_cost(told: ForecastFacts) -> str:
    if told.cost is None:
        return f"Not forecast. {told.cost_unknown}"
    rows = [
        ("As last told (no change)", phrases.money(told.cost.naive, told.currency), ""),
        ("Expected", phrases.money(told.cost.expected, told.currency), phrases.change(told.cost.growth)),
        ("Low end of the interval", phrases.money(told.cost.low, told.currency), phrases.change(told.cost.growth_low)),
        ("High end of the interval", phrases.money(told.cost.high, told.currency), phrases.change(told.cost.growth_high)),
    ]
    chance = f"The chance that the cost does not grow beyond the cost as last told is {phrases.percent(told.cost.chance_in_budget)}."
    return f"{phrases.table(('', 'Cost', 'Against the cost as last told'), rows)}\n\n{chance}"


def _render_skill(told: ForecastFacts) -> str:
    rows = [
        (
            what, f"{skill.cases:,}", phrases.percent(skill.gain), phrases.percent(skill.covered),
            f"{skill.brier:.3f}", f"{skill.naive_brier:.3f}",
        )
        for what, skill in (("End date", told.end_skill), ("Whole-life cost", told.cost_skill))
        if skill is not None
    ]  # fmt: skip
    head = ("", "Cases", "Better than no change", "Within the interval", "Brier score", "Brier score of no change")
    return phrases.table(head, rows) if rows else ""

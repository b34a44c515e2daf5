"""A report on a project: comprehensive, executive or technical, made of the other analyses and of what was told of it."""

from datetime import date
from typing import Literal

from services.ai.grounding.ground import Currency, Money, Name, ShareChange, Year
from services.analyses import anomalies, forecast, phrases, risks
from services.analyses.anomalies import AnomalyFacts
from services.analyses.case import Case, Facts, Part, name_of, named
from services.analyses.forecast import ForecastFacts
from services.analyses.history import cost_growth, cost_of, points, variance_of
from services.analyses.risks import RiskFacts
from services.errors import BadInput
from services.records import Project

TITLE = "Report"
Variant = Literal["comprehensive", "executive", "technical"]
VARIANTS: tuple[Variant, ...] = ("comprehensive", "executive", "technical")


class Told(Part):
    """One yearly report."""

    year: Year
    start: date | None
    end: date | None
    rating: Name | None
    whole_life_cost: Money | None
    budget: Money | None
    forecast: Money | None
    variance: ShareChange | None


class ReportFacts(Facts):
    variant: Variant
    department: Name | None
    category: Name | None
    source_id: Name | None
    status: Name | None
    rating: Name | None
    currency: Currency | None
    start_planned: date | None
    start_current: date | None
    end_planned: date | None
    end_current: date | None
    whole_life_cost: Money | None
    cost_growth: ShareChange | None
    variance: ShareChange | None
    unknown: tuple[str, ...]
    reports: tuple[Told, ...]
    risks: RiskFacts
    forecast: ForecastFacts
    anomalies: AnomalyFacts


def facts(case: Case[Project]) -> ReportFacts:
    """Peers are the projects of its source. Raises BadInput for a variant that there is not."""
    if case.variant not in VARIANTS:
        raise BadInput(f"A report is {' or '.join(VARIANTS)}, not '{case.variant[:50]}'.")
    project = case.record
    same = Case(project, tuple(case.peers), case.today)
    names = ("department", "category", "status", "rating", "start_current", "end_current", "whole_life_minor", "narrative")
    return ReportFacts(
        record_name=name_of(project),
        as_of=case.today,
        variant=next(variant for variant in VARIANTS if variant == case.variant),
        department=named(project.department),
        category=named(project.category),
        source_id=named(project.source_id),
        status=named(project.status),
        rating=named(project.rating),
        currency=project.currency,
        start_planned=project.start_planned,
        start_current=project.start_current,
        end_planned=project.end_planned,
        end_current=project.end_current,
        whole_life_cost=cost_of(project),
        cost_growth=_rounded(cost_growth(project)),
        variance=_rounded(variance_of(project)),
        unknown=tuple(name.removesuffix("_minor").replace("_", " ") for name in names if getattr(project, name) in {None, ""}),
        reports=tuple(
            Told(
                year=point.year, start=point.start, end=point.end, rating=named(point.rating_told), whole_life_cost=point.cost,
                budget=point.budget, forecast=point.forecast, variance=point.variance,
            )
            for point in points(project)
        ),
        risks=risks.facts(same),
        forecast=forecast.facts(same),
        anomalies=anomalies.facts(same),
    )  # fmt: skip


def render(told: ReportFacts) -> str:
    """The report as people read it."""
    ahead = [*_nested("Forecast", forecast.render(told.forecast)), *_nested("Anomalies", anomalies.render(told.anomalies))]
    parts = {
        "comprehensive": [
            _overview(told), _position(told), *_nested("Risks", risks.render(told.risks)), *ahead, _reports(told), _gaps(told),
        ],
        "executive": [_overview(told), _position(told), _in_short(told), _gaps(told)],
        "technical": [_position(told), _reports(told), *ahead, _gaps(told)],
    }[told.variant]  # fmt: skip
    return phrases.document(f"{told.variant.capitalize()} report on {phrases.plain(told.record_name)}", parts)


def _overview(told: ReportFacts) -> tuple[str, str]:
    rows = [
        ("Department", phrases.plain(told.department)),
        ("Category", phrases.plain(told.category)),
        ("Status", phrases.plain(told.status)),
        ("Rating", phrases.plain(told.rating)),
        ("As of", phrases.day(told.as_of)),
    ]
    return "Overview", phrases.table(("", ""), rows)


def _position(told: ReportFacts) -> tuple[str, str]:
    rows = [
        ("Start", phrases.day(told.start_planned), phrases.day(told.start_current)),
        ("End", phrases.day(told.end_planned), phrases.day(told.end_current)),
    ]
    dates = phrases.table(("", "First told", "As last told"), rows)
    money = (
        f"Whole-life cost: {phrases.money(told.whole_life_cost, told.currency)}, growth since it was first told: "
        f"{phrases.change(told.cost_growth)}. Forecast against the budget of the year: {phrases.change(told.variance)}."
    )
    return "Dates and money", f"{dates}\n\n{money}"


def _in_short(told: ReportFacts) -> tuple[str, str]:
    scored = [risk for risk in told.risks.risks if risk.severity is not None]
    lines = [f"{risk.kind.capitalize()}: {risk.level} risk" for risk in scored] or ["No risk can be scored: too little is known."]
    if told.forecast.end is not None:
        lines.append(
            f"Expected end: {phrases.day(told.forecast.end.expected)}; in time with {phrases.percent(told.forecast.end.chance_in_time)}"
        )
    if told.forecast.cost is not None:
        lines.append(f"Expected whole-life cost: {phrases.money(told.forecast.cost.expected, told.currency)}")
    lines.append(f"Anomalies in its reports: {len(told.anomalies.anomalies) or 'none'}")
    return "In short", phrases.bullets(lines)


def _reports(told: ReportFacts) -> tuple[str, str]:
    rows = [
        (
            str(one.year), phrases.day(one.start), phrases.day(one.end), phrases.plain(one.rating),
            phrases.money(one.whole_life_cost, told.currency), phrases.money(one.budget, told.currency),
            phrases.money(one.forecast, told.currency), phrases.change(one.variance),
        )
        for one in told.reports
    ]  # fmt: skip
    head = ("Year", "Start", "End", "Rating", "Whole-life cost", "Budget", "Forecast", "Variance")
    return "Yearly reports", phrases.table(head, rows) if rows else "None is known."


def _gaps(told: ReportFacts) -> tuple[str, str]:
    return "Unknown", f"{phrases.joined(told.unknown)}." if told.unknown else ""


def _nested(title: str, page: str) -> list[tuple[str, str]]:
    """The sections of another analysis under a heading of this one."""
    sections = page.strip().split("\n\n## ")[1:]
    return [(f"{title}: {head.lower()}", body.strip()) for head, _, body in (section.partition("\n") for section in sections)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)

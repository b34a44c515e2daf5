"""What in a project's reports is not as expected? Jumps that are rare among its peers, and figures that contradict each other."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import exp
from typing import Annotated, Literal

from services.ai.grounding.ground import Currency, DaysChange, Money, Name, Score, ShareChange, Unit, Year
from services.analyses import phrases
from services.analyses.case import Case, Facts, Part, name_of, named
from services.analyses.history import Move, Point, points
from services.analyses.spread import Spread
from services.records import Project

TITLE = "Anomalies"
RARE = 5.0  # robust widths: about one change in twenty of the UK files is further out
# The least widths: most projects change nothing in a year, so any change would be infinitely rare.
GROWTH_FLOOR, DAYS_FLOOR, VARIANCE_FLOOR = 0.08, 60.0, 0.08
JUMP = 2  # steps of the rating in one year
Reports = Annotated[int, Unit("count", ("report", "reports"))]


class Anomaly(Part):
    """One finding. `score` is in robust widths of the peers' changes, for jumps only."""

    kind: Literal["jump of the cost", "jump of the end", "jump of the rating", "spending", "contradiction", "gap"]
    year: Year
    before_year: Year | None = None
    detail: str
    before: Money | None = None
    after: Money | None = None
    growth: ShareChange | None = None
    days: DaysChange | None = None
    rating_before: Name | None = None
    rating_after: Name | None = None
    score: Score | None = None


class AnomalyFacts(Facts):
    currency: Currency | None
    reports: Reports
    first_report: Year | None
    last_report: Year | None
    compared_changes: Annotated[int, Unit("count", ("change", "changes"))]
    anomalies: tuple[Anomaly, ...]
    unchecked: tuple[str, ...]


def facts(case: Case[Project]) -> AnomalyFacts:
    """Peers are the projects of its source."""
    told = points(case.record)
    yearly = [move for peer in case.peers for move in steps(points(peer)) if move.years == 1]
    growth = Spread.of([value for move in yearly if (value := move.growth) is not None], GROWTH_FLOOR)
    days = Spread.of([float(value) for move in yearly if (value := move.days) is not None], DAYS_FLOOR)
    variance = Spread.of([value for move in yearly if (value := move.last.variance) is not None], VARIANCE_FLOOR)
    found = [
        *(anomaly for move in steps(told) for anomaly in _jumps(move, growth, days)),
        *(anomaly for point in told for anomaly in _within(point, variance)),
        *_of_the_record(case),
    ]
    missing = {"costs of peers": growth, "ends of peers": days, "spending of peers": variance}
    return AnomalyFacts(
        record_name=name_of(case.record),
        as_of=case.today,
        currency=case.record.currency,
        reports=len(told),
        first_report=told[0].year if told else None,
        last_report=told[-1].year if told else None,
        compared_changes=len(yearly),
        anomalies=tuple(sorted(found, key=lambda one: (-one.year, one.kind))),
        unchecked=tuple(name for name, spread in missing.items() if spread is None),
    )


def render(told: AnomalyFacts) -> str:
    """The anomalies as people read them."""
    name = phrases.plain(told.record_name)
    if told.anomalies:
        summary = f"{phrases.counted(len(told.anomalies), 'anomaly', 'anomalies')} in {phrases.counted(told.reports, 'report')} of {name}."
    elif told.reports:
        summary = f"Nothing unusual in {phrases.counted(told.reports, 'report')} of {name}."
    else:
        summary = f"No yearly report of {name} is known, so only its latest figures were checked: nothing unusual."
    notes = []
    if told.compared_changes:
        notes.append(f"Jumps are held against {phrases.counted(told.compared_changes, 'yearly change')} of its peers.")
    if told.unchecked:
        notes.append(f"Too little is known to compare with: {phrases.joined(told.unchecked)}.")
    rows = [(str(one.year), one.kind, _detail(one, told.currency)) for one in told.anomalies]
    return phrases.document(
        f"{TITLE} of {name}",
        [
            ("Summary", " ".join([summary, *notes])),
            ("Findings", phrases.table(("Year", "Kind", "What"), rows) if rows else ""),
        ],
    )


def steps(told: Sequence[Point]) -> list[Move]:
    """Every report with the one before."""
    return [Move(first, last) for first, last in pairwise(told)]


def _jumps(move: Move, growth: Spread | None, days: Spread | None) -> Iterator[Anomaly]:
    year, before = move.last.year, move.first.year
    if move.years > 1:
        yield Anomaly(kind="gap", year=year, before_year=before, detail="Years between these reports are missing")
    score = None if growth is None or move.growth is None else growth.score(move.growth)
    if score is not None and abs(score) > RARE and move.growth is not None:
        yield Anomaly(
            kind="jump of the cost", year=year, before_year=before, detail="The whole-life cost", before=move.first.cost,
            after=move.last.cost, growth=round(exp(move.growth) - 1, 6), score=round(score, 2),
        )  # fmt: skip
    score = None if days is None or move.days is None else days.score(float(move.days))
    if score is not None and abs(score) > RARE:
        yield Anomaly(kind="jump of the end", year=year, before_year=before, detail="The end", days=move.days, score=round(score, 2))
    ratings = move.first.rating, move.last.rating
    if ratings[0] is not None and ratings[1] is not None and abs(ratings[1] - ratings[0]) >= JUMP:
        yield Anomaly(
            kind="jump of the rating", year=year, before_year=before, detail="The rating",
            rating_before=named(move.first.rating_told), rating_after=named(move.last.rating_told),
        )  # fmt: skip
    if move.first.start and move.last.start and move.first.start != move.last.start and move.last.start > move.first.start:
        shift = (move.last.start - move.first.start).days
        if shift > DAYS_FLOOR:
            yield Anomaly(kind="contradiction", year=year, before_year=before, detail="The start of a project under way moved", days=shift)


def _within(point: Point, variance: Spread | None) -> Iterator[Anomaly]:
    if point.start and point.end and point.end < point.start:
        yield Anomaly(kind="contradiction", year=point.year, detail="It ends before it starts", days=(point.end - point.start).days)
    if point.cost is not None and point.cost <= 0:
        yield Anomaly(kind="contradiction", year=point.year, detail="The whole-life cost is nothing or less", after=point.cost)
    if point.cost is not None and point.budget is not None and 0 < point.cost < point.budget:
        yield Anomaly(
            kind="contradiction", year=point.year, detail="The budget of the year is more than the whole-life cost",
            before=point.cost, after=point.budget,
        )  # fmt: skip
    score = None if variance is None or point.variance is None else variance.score(point.variance)
    if score is not None and abs(score) > RARE and point.variance is not None:
        yield Anomaly(
            kind="spending", year=point.year, detail="Forecast against the budget of the year", before=point.budget,
            after=point.forecast, growth=round(point.variance, 6), score=round(score, 2),
        )  # fmt: skip


def _of_the_record(case: Case[Project]) -> Iterator[Anomaly]:
    """Where nothing is told by year, the latest figures are all there is."""
    project = case.record
    start, end = project.start_current or project.start_planned, project.end_current or project.end_planned
    if not project.years and start and end and end < start:
        yield Anomaly(kind="contradiction", year=end.year, detail="It ends before it starts", days=(end - start).days)


def _detail(one: Anomaly, currency: str | None) -> str:
    words = [one.detail]
    if one.before is not None and one.after is not None:
        words.append(f"{phrases.money(one.before, currency)} → {phrases.money(one.after, currency)}")
    elif one.after is not None:
        words.append(phrases.money(one.after, currency))
    if one.rating_before is not None:
        words.append(f"{phrases.plain(one.rating_before)} → {phrases.plain(one.rating_after)}")
    if one.growth is not None:
        words.append(phrases.change(one.growth))
    if one.days is not None:
        words.append(phrases.later(one.days))
    if one.before_year is not None:
        words.append(f"since {one.before_year}")
    if one.score is not None:
        words.append(f"{phrases.number(abs(one.score), 1)} robust deviations")
    return ", ".join(words)

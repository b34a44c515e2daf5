"""What may go wrong with a project? Likelihood times impact, each from what was told of it and of its peers, with the drivers."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from services.ai.grounding.ground import Currency, DaysChange, Money, Name, Share, ShareChange, Unit, Year
from services.analyses import phrases
from services.analyses.case import Case, Facts, Part, name_of, named
from services.analyses.history import cost_growth, cost_of, level, points, slip_days, variance_of
from services.analyses.spread import FEWEST, share_below
from services.records import Project

TITLE = "Risks"
Step = Annotated[int, Unit("score")]  # 1 to 5
Severity = Annotated[int, Unit("score")]  # 1 to 25
Level = Literal["low", "medium", "high", "critical", "unknown"]
LEVELS: tuple[tuple[int, Level], ...] = ((15, "critical"), (10, "high"), (5, "medium"), (1, "low"))
RANKS: dict[Level, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3, "unknown": 4}

# Values from which on a step from 1 to 5 is the next one.
SLIP_SHARE = (1e-9, 0.05, 0.15, 0.3)  # of the planned duration
SLIP_DAYS = (30, 180, 365, 730)
GROWTH = (1e-9, 0.05, 0.15, 0.4)
VARIANCE = (0.02, 0.05, 0.1, 0.25)
BASE_RATE = (0.15, 0.3, 0.5, 0.7)  # of peers that this happened to
COST_RANK = (0.2, 0.4, 0.6, 0.8)  # among its peers' costs
GREW_MUCH = 0.1


class Driver(Part):
    """One reason: what, and the value that speaks for it."""

    label: str
    days: DaysChange | None = None
    change: ShareChange | None = None
    share: Share | None = None
    rating: Name | None = None


class Risk(Part):
    """Steps from 1 to 5; severity is their product. What cannot be told is unknown, with the reason."""

    kind: Literal["schedule", "cost", "delivery confidence", "spending in the year"]
    level: Level
    likelihood: Step | None
    impact: Step | None
    severity: Severity | None
    drivers: tuple[Driver, ...]
    unknown: str | None


class Rated(Part):
    year: Year
    rating: Name


class RiskFacts(Facts):
    department: Name | None
    currency: Currency | None
    whole_life_cost: Money | None
    risks: tuple[Risk, ...]
    scored: Annotated[int, Unit("count", ("risk", "risks"))]
    highest: Level
    ratings: tuple[Rated, ...]
    rating_trend: Literal["better", "worse", "unchanged", "unknown"]
    peers: Annotated[int, Unit("count", ("peer", "peers", "project", "projects"))]
    peers_slipped: Share | None
    peers_grown: Share | None
    much_growth: ShareChange
    peers_in_doubt: Share | None


@dataclass(frozen=True, slots=True)
class _Peers:
    """What happened to the others."""

    slips: list[int]
    growths: list[float]
    levels: list[int]
    costs: list[float]

    @classmethod
    def of(cls, peers: Sequence[Project]) -> "_Peers":
        return cls(
            [days for peer in peers if (days := slip_days(peer)) is not None],
            [growth for peer in peers if (growth := cost_growth(peer)) is not None],
            [step for peer in peers if (step := level(peer.rating)) is not None],
            [cost for peer in peers if (cost := cost_of(peer)) is not None and cost > 0],
        )

    @property
    def slipped(self) -> float | None:
        return _rate([days > 0 for days in self.slips])

    @property
    def grown(self) -> float | None:
        return _rate([growth > GREW_MUCH for growth in self.growths])

    @property
    def in_doubt(self) -> float | None:
        return _rate([step >= 4 for step in self.levels])

    def median_slip(self) -> int | None:
        late = [days for days in self.slips if days > 0]
        return round(float(np.median(late))) if len(late) >= FEWEST else None

    def size(self, project: Project) -> int | None:
        """How much depends on it: its cost's place among theirs."""
        cost = cost_of(project)
        place = None if cost is None or cost <= 0 else share_below(cost, self.costs)
        return None if place is None else step(place, COST_RANK)


def facts(case: Case[Project]) -> RiskFacts:
    """Peers are the projects of its source."""
    project, all_peers = case.record, tuple(case.peers)
    peers = _Peers.of(all_peers)
    ratings = [(point.year, point.rating, point.rating_told) for point in points(project) if point.rating is not None]
    trend = _trend([rating for _, rating, _ in ratings if rating is not None])
    risks = sorted(
        (_schedule(project, peers), _cost(project, peers), _confidence(project, peers, trend), _spending(project, peers)),
        key=lambda risk: (RANKS[risk.level], -(risk.severity or 0)),
    )
    return RiskFacts(
        record_name=name_of(project),
        as_of=case.today,
        department=named(project.department),
        currency=project.currency,
        whole_life_cost=cost_of(project),
        risks=tuple(risks),
        scored=sum(risk.severity is not None for risk in risks),
        highest=risks[0].level,
        ratings=tuple(Rated(year=year, rating=named(told) or "") for year, _, told in ratings),
        rating_trend=trend,
        peers=len(all_peers),
        peers_slipped=peers.slipped,
        peers_grown=peers.grown,
        much_growth=GREW_MUCH,
        peers_in_doubt=peers.in_doubt,
    )


def render(told: RiskFacts) -> str:
    """The risks as people read them."""
    name = phrases.plain(told.record_name)
    summary = (
        f"None of the risks of {name} can be scored: too little is known of it."
        if not told.scored
        else f"The highest risk of {name} is **{told.risks[0].kind}**: {told.highest}."
    )
    rows = [
        (risk.kind, risk.level, _step(risk.likelihood), _step(risk.impact), _step(risk.severity), _drivers(risk)) for risk in told.risks
    ]
    return phrases.document(
        f"{TITLE} of {name}",
        [
            ("Summary", f"{summary} Likelihood and impact are steps of a scale; severity is their product."),
            ("Risks", phrases.table(("Risk", "Level", "Likelihood", "Impact", "Severity", "Why"), rows)),
            ("Ratings", _ratings(told)),
            ("Its peers", _base_rates(told)),
        ],
    )


def step(value: float, cuts: Sequence[float]) -> int:
    """1 below the first cut, one more from each of them on."""
    return 1 + bisect_right(cuts, value)


def _schedule(project: Project, peers: _Peers) -> Risk:
    slip = slip_days(project)
    drivers = [Driver(label="share of peers whose end moved back", share=peers.slipped)] if peers.slipped is not None else []
    base = None if peers.slipped is None else step(peers.slipped, BASE_RATE)
    if slip is None:
        return _risk("schedule", base, None, drivers, "The planned or the current end is unknown.")
    start = project.start_planned or project.start_current
    length = None if start is None or project.end_planned is None else (project.end_planned - start).days
    drivers.insert(0, Driver(label="end moved since the first plan", days=slip))
    if length is not None and length > 0:
        drivers.insert(1, Driver(label="of the planned duration", change=round(slip / length, 6)))
        own: int | None = step(slip / length, SLIP_SHARE)
    else:
        own = step(slip, SLIP_DAYS)
    typical = slip if slip > 0 else peers.median_slip()
    return _risk("schedule", _worse(own, base if slip <= 0 else None), None if typical is None else step(typical, SLIP_DAYS), drivers)


def _cost(project: Project, peers: _Peers) -> Risk:
    growth, size = cost_growth(project), peers.size(project)
    drivers = [Driver(label="share of peers whose cost grew much", share=peers.grown)] if peers.grown is not None else []
    base = None if peers.grown is None else step(peers.grown, BASE_RATE)
    if growth is None:
        return _risk("cost", base, size, drivers, "Its cost was not told again, so growth is unknown.")
    drivers.insert(0, Driver(label="growth of the cost", change=round(growth, 6)))
    own = step(growth, GROWTH)
    return _risk("cost", own if growth > 0 else _worse(own, base), size, drivers, None if size else "Its size among its peers is unknown.")


def _confidence(project: Project, peers: _Peers, trend: str) -> Risk:
    rating, size = level(project.rating), peers.size(project)
    drivers = [] if project.rating is None else [Driver(label="latest rating", rating=named(project.rating))]
    if trend != "unknown":
        drivers.append(Driver(label=f"trend of the rating: {trend}"))
    if rating is None:
        return _risk("delivery confidence", None, size, drivers, "It has no rating that is a colour.")
    likelihood = min(5, rating + 1) if trend == "worse" else max(1, rating - 1) if trend == "better" else rating
    return _risk("delivery confidence", likelihood, size, drivers, None if size else "Its size among its peers is unknown.")


def _spending(project: Project, peers: _Peers) -> Risk:
    variance, size = variance_of(project), peers.size(project)
    if variance is None:
        return _risk("spending in the year", None, size, [], "Budget or forecast of the year is unknown.")
    drivers = [Driver(label="forecast against the budget of the year", change=round(variance, 6))]
    return _risk(
        "spending in the year", step(abs(variance), VARIANCE), size, drivers, None if size else "Its size among its peers is unknown."
    )


def _risk(
    kind: Literal["schedule", "cost", "delivery confidence", "spending in the year"],
    likelihood: int | None,
    impact: int | None,
    drivers: list[Driver],
    unknown: str | None = None,
) -> Risk:
    severity = None if likelihood is None or impact is None else likelihood * impact
    told: Level = "unknown" if severity is None else next(name for least, name in LEVELS if severity >= least)
    reason = unknown if severity is not None or unknown else "Too little is known to score it."
    return Risk(
        kind=kind, level=told, likelihood=likelihood, impact=impact, severity=severity, drivers=tuple(drivers), unknown=reason
    )  # fmt: skip


def _trend(ratings: list[int]) -> Literal["better", "worse", "unchanged", "unknown"]:
    """The last rating against the one before."""
    if len(ratings) < 2:
        return "unknown"
    return "worse" if ratings[-1] > ratings[-2] else "better" if ratings[-1] < ratings[-2] else "unchanged"


def _worse(own: int | None, base: int | None) -> int | None:
    """What has not happened yet is as likely as it was for others, but no more than even."""
    return own if base is None or own is None else max(own, min(base, 3))


def _rate(told: list[bool]) -> float | None:
    return round(sum(told) / len(told), 6) if len(told) >= FEWEST else None


def _step(value: int | None) -> str:
    return phrases.UNKNOWN if value is None else str(value)


def _drivers(risk: Risk) -> str:
    told = [*(_driver(driver) for driver in risk.drivers), *([risk.unknown] if risk.unknown else [])]
    return "; ".join(told)


def _driver(driver: Driver) -> str:
    if driver.days is not None:
        return f"{driver.label}: {phrases.later(driver.days)}"
    if driver.change is not None:
        return f"{driver.label}: {phrases.change(driver.change)}"
    if driver.share is not None:
        return f"{driver.label}: {phrases.percent(driver.share)}"
    return f"{driver.label}: {phrases.plain(driver.rating)}" if driver.rating is not None else driver.label


def _ratings(told: RiskFacts) -> str:
    if not told.ratings:
        return "No rating that is a colour was ever told."
    return phrases.table(("Year", "Rating"), [(str(one.year), phrases.plain(one.rating)) for one in told.ratings])


def _base_rates(told: RiskFacts) -> str:
    rates = (
        ("had their end moved back", told.peers_slipped),
        (f"had their cost grow by more than {phrases.percent(told.much_growth)}", told.peers_grown),
        ("are rated amber/red or red", told.peers_in_doubt),
    )
    lines = [f"{phrases.percent(rate)} {what}" for what, rate in rates if rate is not None]
    return f"Of {phrases.counted(told.peers, 'peer')}:\n\n{phrases.bullets(lines)}" if lines else "Too little is known of its peers."

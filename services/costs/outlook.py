"""Budgets and how they will end: what they hold back, our own calls, told apart from what all operations cost in their scope."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import dropwhile
from zoneinfo import ZoneInfo

import pandas as pd

from services import metrics
from services.ai import budgets
from services.ai.budgets import State
from services.ai.providers.spoken import known_as
from services.clock import day_start, today, utc_now
from services.costs.forecast import Forecast, Spending, forecast
from services.db import transaction
from services.metrics.catalogue import NANO
from services.metrics.freshness import zone_of

HISTORY_DAYS = 90
OWN = "binnacle"  # the source of our own calls
Where = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Course:
    """USD used in a period so far; None where nobody counts it. `forecast` is None without a day to go by."""

    used: Decimal | None
    forecast: Forecast | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """A budget, our own calls as its ledger has them, and all operations of its scope as telemetry tells them: these it cannot stop."""

    budget: State
    own: Course
    everything: Course

    @property
    def cap(self) -> Decimal:
        return Decimal(self.budget.cap_nano) / NANO


@dataclass(frozen=True, slots=True)
class Month:
    """USD of operations today and in this month, None where none of them could be priced; and how the month will end."""

    today: Decimal | None
    so_far: Decimal | None
    forecast: Forecast | None
    by_day: pd.DataFrame  # bucket, cost: of the last ninety days


class Daily:
    """Cost by day of the last ninety days of `zone`, each filter asked once."""

    def __init__(self, now: datetime, zone: ZoneInfo) -> None:
        self.today = today(zone)
        begin, end = (day_start(self.today + timedelta(days=n), zone) for n in (0, 1))
        self._elapsed = min(max((now - begin) / (end - begin), 0.0), 1.0)
        self._answers: dict[str, pd.DataFrame] = {}
        self._costs: dict[str, dict[date, Decimal | None]] = {}

    def frame(self, where: Where) -> pd.DataFrame:
        """Columns bucket and cost (Decimal, None where unknown)."""
        if str(where) not in self._answers:
            start, end = self.today - timedelta(days=HISTORY_DAYS), self.today + timedelta(days=1)
            self._answers[str(where)] = metrics.query(["cost"], start=start, end=end, interval="day", where=where).frame
        return self._answers[str(where)]

    def _by_day(self, where: Where) -> dict[date, Decimal | None]:
        if str(where) not in self._costs:
            frame = self.frame(where)
            self._costs[str(where)] = dict(zip(frame["bucket"].dt.date, frame["cost"], strict=True))
        return self._costs[str(where)]

    def used(self, where: Where, first: date) -> Decimal | None:
        """USD from `first` to now; None where operations ran and none of them could be priced."""
        costs = [cost for day, cost in self._by_day(where).items() if day >= first]
        used = sum((cost for cost in costs if cost is not None), Decimal(0))
        return None if None in costs and not used else used

    def forecast(self, where: Where, end: date, used: Decimal) -> Forecast | None:
        """From what was `used` of the period so far until the day before `end`."""
        costs = [float(cost or 0) for cost in self._by_day(where).values()]
        past = list(dropwhile(lambda cost: not cost, costs[:-1]))
        so_far = min(costs[-1], float(used))
        return forecast(Spending(self.today, past, so_far, self._elapsed), float(used) - so_far, end)


def look(where: Mapping[str, list[str]]) -> tuple[Month, list[Outlook]]:
    """The month of what is kept, and every budget that holds: read together, because both rest on the same days."""
    with transaction() as connection:
        states, zone = budgets.states(connection), zone_of(connection)
    daily = Daily(utc_now(), zone)
    return _month(daily, dict(where)), [_outlook(state, daily) for state in states]


def _month(daily: Daily, kept: Where) -> Month:
    first = daily.today.replace(day=1)
    so_far = daily.used(kept, first)
    end = (first + timedelta(days=31)).replace(day=1)
    made = None if so_far is None else daily.forecast(kept, end, so_far)
    return Month(daily.used(kept, daily.today), so_far, made, daily.frame(kept))


def _outlook(state: State, daily: Daily) -> Outlook:
    first = daily.today if state.period == "day" else daily.today.replace(day=1)
    end = first + timedelta(days=1) if state.period == "day" else (first + timedelta(days=31)).replace(day=1)
    own = Decimal(state.used_nano) / NANO
    where = _where(state)
    if where is None:
        return Outlook(state, Course(own, None), Course(None, None))
    everything = daily.used(where, first)
    return Outlook(
        state,
        Course(own, daily.forecast(where | {"source": [OWN]}, end, own)),
        Course(everything, None if everything is None else daily.forecast(where, end, everything)),
    )


def _where(state: State) -> Where | None:
    """The filter that is a budget's scope; None for a user, whose operations are not counted by day."""
    match state.scope:
        case "all":
            return {}
        case "module":
            return {"module": [state.name]}
        case "model":
            provider, _, model = state.name.rpartition("/")
            if not provider or state.name in metrics.values("model"):  # names of models may have strokes themselves
                return {"model": [state.name]}
            return {"model": [model], "provider": [known_as(provider)]}
        case _:
            return None

"""Budgets: what may be spent on models in a day or a month of the reporting zone, over all or for one module, model or user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, text

from services.accounts import audit
from services.ai import periods
from services.clock import day_start
from services.errors import BadInput, NotFound
from services.settings import settings

Scope = Literal["all", "module", "model", "user"]
Period = Literal["day", "month"]
NANO = 10**9
THRESHOLDS = (50, 80, 100)
SET_LOCK = 0x62756467  # shared by who reserves, alone for who changes which budgets there are
DEFAULTS: tuple[tuple[Period, int], ...] = (("day", 1 * NANO), ("month", 20 * NANO))
APPLYING = """
    ended_at is null and (scope = 'all' or (scope = 'module' and name = :module) or (scope = 'model' and name in (:model, :full_model))
        or (scope = 'user' and name = :user))
"""


@dataclass(frozen=True, slots=True)
class State:
    """A budget with what its current period has used of it; unknown is what may have been billed, at its ceiling.

    `refused` calls found no room in it, the last at `refused_at`, since it is as it is: a call is admitted only if all of what it may
    cost fits, so a budget may refuse every call before it is used up.
    """

    id: int
    scope: Scope
    name: str
    period: Period
    cap_nano: int
    hard_stop: bool
    thresholds: tuple[int, ...]
    starts_at: datetime
    ends_at: datetime
    reserved_nano: int = 0
    spent_nano: int = 0
    unknown_nano: int = 0
    crossed: tuple[int, ...] = ()
    refused: int = 0
    refused_at: datetime | None = None

    @property
    def used_nano(self) -> int:
        """What may be gone already."""
        return self.spent_nano + self.unknown_nano

    @property
    def reached(self) -> tuple[int, ...]:
        """Thresholds that what is used has reached under the cap of now."""
        return tuple(percent for percent in self.thresholds if self.used_nano and self.used_nano * 100 >= percent * self.cap_nano)


def set_budget(
    connection: Connection,
    *,
    scope: Scope,
    name: str = "",
    period: Period,
    cap_nano: int,
    hard_stop: bool = True,
    thresholds: Sequence[int] = THRESHOLDS,
    actor: str,
) -> int:
    """Make a budget, or change the one there is; its id. What was spent in the running period counts. Raises BadInput naming the field."""
    _refuse_impossible(scope, name, period, cap_nano, thresholds)
    alone(connection)
    ensure_defaults(connection)
    held = {"scope": scope, "name": name, "period": period}
    before = _standing(connection, "scope = :scope and name = :name and period = :period", held)
    made: int = connection.execute(
        text(
            "insert into budgets (scope, name, period, cap_nano, hard_stop, thresholds)"
            " values (:scope, :name, :period, :cap, :stop, :thresholds)"
            " on conflict (scope, name, period) where ended_at is null do update"
            " set cap_nano = excluded.cap_nano, hard_stop = excluded.hard_stop, thresholds = excluded.thresholds returning id"
        ),
        {"scope": scope, "name": name, "period": period, "cap": cap_nano, "stop": hard_stop, "thresholds": sorted(set(thresholds))},
    ).scalar_one()
    now = connection.execute(text("select now()")).scalar_one()
    periods.begin(connection, made, *span(period, now))
    detail = {"scope": scope, "name": name, "period": period, "cap_nano": cap_nano, "hard_stop": hard_stop, "thresholds": list(thresholds)}
    audit.record(connection, actor, "budget.set", f"budget {made}", detail, before=before, after=detail)
    return made


def end(connection: Connection, budget_id: int, actor: str) -> None:
    """Let it hold nothing back any more; what it counted stays. Raises NotFound."""
    alone(connection)
    before = _standing(connection, "id = :id", {"id": budget_id})
    ended = connection.execute(
        text("update budgets set ended_at = now() where id = :id and ended_at is null returning id"), {"id": budget_id}
    ).one_or_none()
    if ended is None:
        raise NotFound(f"There is no budget {budget_id}.")
    audit.record(connection, actor, "budget.end", f"budget {budget_id}", before=before)


def applying(connection: Connection, *, module: str, provider: str, model: str, user: str | None) -> list[int]:
    """Ids of the running periods that a call counts in. The set of budgets stays as it is until the transaction ends."""
    connection.execute(text("select pg_advisory_xact_lock_shared(:lock)"), {"lock": SET_LOCK})
    about = {"module": module, "model": model, "full_model": f"{provider}/{model}", "user": user}
    find = text(f"select id, period, now() as now from budgets where {APPLYING} order by id")  # noqa: S608 - a constant
    found = connection.execute(find, about).all()
    if not found and _never_set(connection):
        ensure_defaults(connection)
        found = connection.execute(find, about).all()
    return periods.ids(connection, [(budget.id, *span(budget.period, budget.now)) for budget in found])


def ensure_defaults(connection: Connection) -> None:
    """The first budgets, where there never was one: nobody forgets to set them."""
    if not _never_set(connection):
        return
    for period, cap in DEFAULTS:
        connection.execute(
            text(
                "insert into budgets (scope, name, period, cap_nano) values ('all', '', :period, :cap)"
                " on conflict (scope, name, period) where ended_at is null do nothing"
            ),
            {"period": period, "cap": cap},
        )


def states(connection: Connection) -> list[State]:
    """Every budget that holds, with its running period; one that was not called upon yet has used nothing."""
    ensure_defaults(connection)
    found = connection.execute(text("select *, now() as now from budgets where ended_at is null order by scope, name, period")).all()
    return [_state(connection, budget) for budget in found]


def span(period: Period, now: datetime, zone: ZoneInfo | None = None) -> tuple[datetime, datetime]:
    """Beginning and end of the day or month that is running in the reporting zone."""
    zone = zone or settings().zone
    today = now.astimezone(zone).date()
    first = today if period == "day" else today.replace(day=1)
    after = today + timedelta(days=1) if period == "day" else _next_month(first)
    return day_start(first, zone), day_start(after, zone)


def alone(connection: Connection) -> None:
    """Wait until nobody reserves, and let nobody until the transaction ends."""
    connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": SET_LOCK})


def _state(connection: Connection, budget: Row[Any]) -> State:
    starts_at, ends_at = span(budget.period, budget.now)
    told = {name: getattr(budget, name) for name in ("id", "scope", "name", "period", "cap_nano", "hard_stop")}
    used = periods.used(connection, budget.id, starts_at)
    return State(**told, thresholds=tuple(budget.thresholds), starts_at=starts_at, ends_at=ends_at, **used)


def _standing(connection: Connection, which: str, values: Mapping[str, object]) -> dict[str, object] | None:
    """What the audit says of the budget that holds now; None where there is none."""
    row = (
        connection.execute(
            text(f"select scope, name, period, cap_nano, hard_stop, thresholds from budgets where ended_at is null and {which}"),  # noqa: S608
            values,
        )
        .mappings()
        .one_or_none()
    )
    return None if row is None else dict(row)


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _never_set(connection: Connection) -> bool:
    return not connection.execute(text("select exists (select from budgets)")).scalar_one()


def _refuse_impossible(scope: str, name: str, period: str, cap_nano: int, thresholds: Sequence[int]) -> None:
    if scope not in ("all", "module", "model", "user"):
        raise BadInput(f"scope: there is no '{scope}'; there are all, module, model and user.")
    if (scope == "all") != (name == "") or len(name) > 200 or "\0" in name:
        raise BadInput("name: the module, model or user it is for, up to 200 characters; none for all.")
    if period not in ("day", "month"):
        raise BadInput("period: day or month.")
    if not 0 <= cap_nano <= 1_000_000 * NANO:
        raise BadInput("cap: between 0 and 1,000,000 USD.")
    if not all(1 <= percent <= 1_000 for percent in thresholds) or len(thresholds) > 10:
        raise BadInput("thresholds: up to ten percentages from 1 to 1000.")

"""What needs somebody, worst first, each with the page that helps. The reading is here; what makes of it a need is `needs`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import pandas as pd

from services import clock, metrics
from services.ai import budgets
from services.ai.budgets import State
from services.db import transaction
from services.health import incidents, monitor, verification
from services.health.incidents import Incident
from services.health.monitor import Status
from services.jobs import listing
from services.settings import settings
from services.telemetry import overview

OLDEST_WAIT_S = 300
UNPRICED_DAYS = 7
INCIDENT_DAYS = 1  # one that was over before that is history, which Health keeps
NAMED = 3
DEAD = (("view", "Dead letters"),)


@dataclass(frozen=True, slots=True)
class Need:
    """`words` say what is wrong and how much of it; `page` is where to look, with what of its address."""

    urgency: Literal["error", "warning"]
    words: str
    page: str
    address: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """Jobs that wait, for how long the oldest has, and those that are dead and not put aside."""

    waiting: int
    oldest_wait_s: float
    dead: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything a need can come from; `unpriced` has a row a model: model, unpriced."""

    status: Status
    budgets: Sequence[State]
    work: Work
    unpriced: pd.DataFrame
    rejected: int
    collected: Sequence[str]
    incidents: Sequence[Incident]
    differing: Mapping[date, int]


def look() -> Seen:
    """Read it all; raises Unavailable when the database is away."""
    today = clock.today(settings().zone)
    models = metrics.query(["unpriced"], by=["model"], start=today - timedelta(days=UNPRICED_DAYS - 1), end=today + timedelta(days=1)).frame
    found, differing = incidents.latest(INCIDENT_DAYS), verification.differing()
    with transaction() as connection:
        queues = listing.queues(connection)
        work = Work(
            sum(queue.depth for queue in queues),
            max((queue.oldest_wait_s for queue in queues), default=0.0),
            sum(alike.n for alike in listing.dead_alike(connection)),
        )
        return Seen(
            monitor.status(),
            budgets.states(connection),
            work,
            models[models["unpriced"] > 0].sort_values("unpriced", ascending=False),
            overview.today(connection)["rejected"],
            list(overview.collected(connection)),
            found,
            differing,
        )


def needs(seen: Seen) -> list[Need]:
    """What needs somebody, worst first; nothing where all is well."""
    found = [Need("error" if seen.status.status == "down" else "warning", reason, "health") for reason in seen.status.reasons]
    found += [_of_incident(one) for one in seen.incidents]
    if seen.differing:
        cells = _many(sum(seen.differing.values()), "cell differs", "cells differ")
        wrong = f"numbers of {verification.named(seen.differing)} are wrong"
        found.append(Need("error", f"{cells} from the stored operations: {wrong}.", "health"))
    found += [need for state in seen.budgets if (need := _of_budget(state))]
    if seen.work.dead:
        found.append(Need("warning", f"{_many(seen.work.dead, 'dead job waits', 'dead jobs wait')} for a decision.", "jobs", DEAD))
    if seen.work.waiting and seen.work.oldest_wait_s > OLDEST_WAIT_S:
        waits = f"{seen.work.oldest_wait_s / 60:,.0f} minutes"
        found.append(Need("warning", f"{_many(seen.work.waiting, 'job waits', 'jobs wait')}, the oldest for {waits}.", "jobs"))
    if seen.rejected:
        found.append(Need("warning", f"{_many(seen.rejected, 'record was', 'records were')} refused today (UTC).", "telemetry"))
    names = f"told more names in the last {overview.DAYS} days than are kept apart"
    found += [Need("warning", f"The source {source} {names}.", "telemetry") for source in seen.collected]
    if len(seen.unpriced):
        found.append(Need("warning", _words_of_unpriced(seen.unpriced), "prices"))
    return sorted(found, key=lambda need: need.urgency)  # "error" before "warning", otherwise as they stand


def _of_incident(one: Incident) -> Need:
    """One that goes on is worse than one that is over."""
    start, end = (moment.astimezone(settings().zone) for moment in (one.started_at, one.ended_at))
    when = f"since {start:%a %H:%M}" if one.goes_on else f"from {start:%a %H:%M} to {end:%a %H:%M}"
    what = f"{one.seen:,} errors" if one.kind == "errors" else f"{_many(one.seen, 'operation', 'operations')}"
    return Need("error" if one.goes_on else "warning", f"{one.module}: {what} {when} where {one.expected:,.0f} are usual.", "health")


def _of_budget(state: State) -> Need | None:
    """Past a threshold of its own, or without room for a call. A cap of zero is reached by being there, and says nothing."""
    if not state.cap_nano or not (state.reached or state.refused):
        return None
    whose = "over all" if state.scope == "all" else f"of the {state.scope} {state.name}"
    share, over = state.used_nano / state.cap_nano, state.used_nano >= state.cap_nano
    words = f"{share:.0%} of the budget for this {state.period} {whose} is used."
    if over and state.hard_stop:
        words += " Calls that it covers are refused."
    if state.refused_at is not None:
        calls = _many(state.refused, "call was", "calls were")
        words += f" {calls} refused because not enough is left, the last on {state.refused_at.astimezone(settings().zone):%a %d %b %H:%M}."
    return Need("error" if over or state.refused else "warning", words, "cost")


def _words_of_unpriced(models: pd.DataFrame) -> str:
    named = ", ".join(models["model"].head(NAMED)) + (" and others" if len(models) > NAMED else "")
    operations = int(models["unpriced"].sum())
    have = "operation of the last {} days has" if operations == 1 else "operations of the last {} days have"
    return f"{operations:,} {have.format(UNPRICED_DAYS)} no known cost: {named}."


def _many(n: int, one: str, more: str) -> str:
    return f"1 {one}" if n == 1 else f"{n:,} {more}"

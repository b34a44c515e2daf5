"""The schedules that every console has."""

from dataclasses import replace
from datetime import time

from sqlalchemy import Connection

from services.ask import statistics
from services.errors import Conflict, NotFound
from services.schedules import schedules
from services.schedules.plan import Plan
from services.schedules.slots import Timing
from services.settings import settings

ACTOR = "system"
FACTOID_SLOTS = (time(6, 0), time(10, 30), time(14, 0), time(18, 30))
FACTOIDS_WARMED = (time(5, 50), time(10, 20), time(13, 50), time(18, 20))


def plans() -> dict[str, Plan]:
    """By name: the hourly broom; statistics of sessions and of Ask; the nightly comparison of the last two days with the stored operations;
    summaries of councils' figures where they changed; the four slots of factoids, with a look at them shortly before each; and what
    looks for findings."""
    zone = settings().reporting_zone
    return {
        "housekeeping": Plan("housekeeping", Timing(zone, every_s=3600)),
        "session-statistics": Plan("sessions.statistics", Timing(zone, every_s=3600)),
        "ask-statistics": Plan(statistics.KIND, Timing(zone, every_s=statistics.EVERY_S)),
        "sitewide-summaries": Plan("sitewide.summaries", Timing(zone, every_s=1800)),
        "sitewide-warm": Plan("sitewide.revalidate", Timing(zone, FACTOIDS_WARMED), catch_up_s=900),
        "sitewide-factoids": Plan("sitewide.factoids", Timing(zone, FACTOID_SLOTS), catch_up_s=3 * 3600),
        "verify": Plan("rollups.verify", Timing(zone, (time(3, 15),)), catch_up_s=12 * 3600),
        "costs": Plan("costs.find", Timing(zone, every_s=3600)),
        "incidents": Plan("incidents.find", Timing(zone, every_s=900)),
    }


def ensure_builtin(connection: Connection) -> None:
    """Make those that are missing, and let them follow the reporting zone; what an operator changed or paused stays so."""
    for name, plan in plans().items():
        try:
            old = schedules.get(connection, name).plan
        except NotFound:
            _make(connection, name, plan)
            continue
        if old.timing.zone != plan.timing.zone:
            schedules.update(connection, name, replace(old, timing=replace(old.timing, zone=plan.timing.zone)), actor=ACTOR)


def _make(connection: Connection, name: str, plan: Plan) -> None:
    try:
        schedules.create(connection, name, plan, actor=ACTOR)
    except Conflict:
        return  # another dispatcher was quicker

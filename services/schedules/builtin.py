"""The schedules that every console has."""

from dataclasses import replace
from datetime import time

from sqlalchemy import Connection

from services.errors import Conflict, NotFound
from services.schedules import schedules
from services.schedules.plan import Plan
from services.schedules.slots import Timing
from services.settings import settings

ACTOR = "system"


def plans() -> dict[str, Plan]:
    """By name: the hourly broom and statistics of sessions, the nightly comparison of the last two days with the stored operations, and
    what looks for findings."""
    zone = settings().reporting_zone
    return {
        "housekeeping": Plan("housekeeping", Timing(zone, every_s=3600)),
        "session-statistics": Plan("sessions.statistics", Timing(zone, every_s=3600)),
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

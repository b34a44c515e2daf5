"""Ninety days of sample traffic through the inbox, newest day first so that pages are useful at once."""

import time
from collections.abc import Callable

from services.db import transaction
from services.errors import TooMuch
from services.sample import plan as plans
from services.sample.day import Day, draw
from services.sample.plan import Plan
from services.settings import settings
from services.telemetry.inbox import accept

SOURCE = DOOR = "sample"
OPERATIONS = 120_000
DAYS = 90
PAUSE_S = 0.5

Report = Callable[[int, int, str], object]  # done, total, note


def generate(report: Report, stopping: Callable[[], bool], *, operations: int = OPERATIONS, days: int = DAYS) -> dict[str, object]:
    """Send the days that are not in yet; returns how far it is. The first run fixes the sample, a restart continues it.

    A day and the note that it is done are one transaction, and every record has an id of its own, so nothing comes twice.
    """
    with transaction() as connection:
        plan = plans.load(connection)
        if plan is None:
            plan = Plan.drawn_up(days, operations, settings().reporting_zone)
            plans.save(connection, plan)
    while plan.state == "arriving" and not stopping():
        day = draw(plan, plan.done)
        done = plans.advanced(plan)
        while not (sent := _send(done, day)) and not stopping():
            time.sleep(PAUSE_S)
        if sent:
            plan = done
            report(plan.done, plan.days, f"{plan.day(plan.done - 1):%d %B %Y}")
    return {"days": plan.done, "of": plan.days, "state": plan.state}


def _send(done: Plan, day: Day) -> bool:
    """Whether the day, and the plan that says it is done, are in; not while the inbox is full."""
    try:
        with transaction() as connection:
            # The few go first: the many alone may fill the smallest inbox, and then nothing would ever follow them.
            accept(connection, "sessions", day.sessions, source=SOURCE, door=DOOR)
            accept(connection, "operations", day.operations, source=SOURCE, door=DOOR)
            plans.save(connection, done)
    except TooMuch:
        return False
    return True

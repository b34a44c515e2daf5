"""Schedules: local times or intervals become jobs, with one decision kept for every slot."""

from services.schedules.builtin import ensure_builtin
from services.schedules.decisions import forget_old
from services.schedules.plan import Plan
from services.schedules.schedules import (
    Overview,
    Schedule,
    create,
    delete,
    dry_run,
    get,
    listing,
    overview,
    pause,
    resume,
    run_now,
    tick,
    update,
)
from services.schedules.slots import Timing

__all__ = [
    "Overview",
    "Plan",
    "Schedule",
    "Timing",
    "create",
    "delete",
    "dry_run",
    "ensure_builtin",
    "forget_old",
    "get",
    "listing",
    "overview",
    "pause",
    "resume",
    "run_now",
    "tick",
    "update",
]

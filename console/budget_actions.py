"""What a person can do about budgets from a page: each checks the role itself, in a transaction of its own, and is audited."""

from decimal import Decimal

from console.auth import identity, rights
from services.ai import budgets
from services.ai.budgets import NANO, Period, Scope
from services.db import transaction
from services.errors import BadInput

ROLE = rights.action(__name__)


def set_budget(scope: Scope, name: str, period: Period, cap_usd: Decimal, *, hard_stop: bool, thresholds: str) -> str:
    """Make or change a budget; `thresholds` are percentages with commas between them. Returns what was done, in words.

    Raises Forbidden and BadInput.
    """
    actor = identity.require(ROLE).name
    with transaction() as connection:
        budgets.set_budget(
            connection,
            scope=scope,
            name="" if scope == "all" else name.strip(),
            period=period,
            cap_nano=int(cap_usd * NANO),
            hard_stop=hard_stop,
            thresholds=_percentages(thresholds),
            actor=actor,
        )
    return "The budget is set; what its running period has used already counts."


def end_budget(budget_id: int) -> str:
    """Let a budget hold nothing back any more. What was done, in words. Raises Forbidden and NotFound."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        budgets.end(connection, budget_id, actor)
    return "The budget is ended; what it counted stays."


def _percentages(told: str) -> list[int]:
    try:
        return [int(part) for part in told.replace("%", "").split(",") if part.strip()]
    except ValueError:
        raise BadInput(f"thresholds: whole percentages with commas between them, such as 50, 80, 100, not '{told}'.") from None

"""The end of a call: what it cost, what it says of its provider's health, and the operation it is, in one transaction."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from services.ai import breaker, ledger, prices, telling
from services.ai.admission import Admitted
from services.ai.ledger import Ending
from services.ai.outcomes import OUTCOMES, Outcome
from services.ai.providers.spoken import Usage
from services.db import transaction
from services.errors import Unavailable

INSIST_S = 3.0  # how long to try while Postgres is away; then the intent becomes unknown
PAUSE_S = 0.25

Beside = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class Heard:
    """How a call ended as its caller sees it. `answered`: with words or vectors; times are seconds since it began."""

    outcome: Outcome
    usage: Usage | None
    took_s: float
    first_s: float | None = None
    answered: bool = True
    retry_after_s: float | None = None


def settle(admitted: Admitted, heard: Heard, beside: Beside | None = None) -> Ending:
    """Write it all, with what the answer leaves behind (`beside`). Raises Unavailable when Postgres stays away: then it is unknown."""
    ending = ending_of(admitted, heard)
    deadline = time.monotonic() + INSIST_S
    while True:
        try:
            with transaction() as connection:
                _write(connection, admitted, ending, heard.retry_after_s, beside)
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_S)
        else:
            return ending


def ending_of(admitted: Admitted, heard: Heard) -> Ending:
    """A told usage that can be is billed; without one nothing is billed where the provider bills nothing, and else nobody knows."""
    outcome, usage = heard.outcome, heard.usage
    if usage is not None and not usage.can_be(spoken=heard.answered and heard.first_s is not None):
        usage, outcome = None, "usage_wrong" if outcome == "answered" else outcome
    elif usage is None and outcome == "answered":
        outcome = "usage_missing"
    if OUTCOMES[outcome].billed == "no" or (admitted.prices is not None and prices.free(admitted.prices)):
        cost: int | None = 0
    else:
        cost = None if usage is None or admitted.prices is None else prices.cost_nano(admitted.prices, usage)
    return Ending(outcome, cost, usage, round(heard.took_s * 1e6), None if heard.first_s is None else round(heard.first_s * 1e6))


def _write(connection: Connection, admitted: Admitted, ending: Ending, retry_after_s: float | None, beside: Beside | None) -> None:
    """The order of its locks is that of admission: health, then periods."""
    breaker.note(connection, admitted.place, ending.outcome, retry_after_s)
    if ledger.close(connection, admitted.entry.id, ending):
        telling.call(connection, admitted.entry, ending)
    if beside is not None:
        beside(connection)

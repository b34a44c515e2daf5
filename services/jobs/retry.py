"""What becomes of a job after an attempt: a pure decision, no clock and no database."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from services.errors import BadInput, BinnacleError, Conflict, Forbidden, NotFound, Unauthenticated

# The same attempt would fail again, so a person has to change something first: what was sent, who may, or the code.
PERMANENT = (
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
    Unauthenticated,
    AssertionError,
    AttributeError,
    ImportError,
    NameError,
    NotImplementedError,
    SyntaxError,
    TypeError,
)
FIRST_S, CEILING_S = 2.0, 600.0
LONGEST_S = 86_400.0  # whoever asks for more time than a day is asked again tomorrow
POISON = 3  # losses in a row: the job probably kills its worker

Jitter = Callable[[], float]  # uniform in [0, 1)


@dataclass(frozen=True, slots=True)
class Decision:
    """`delay_s` seconds until it is due again; 0 for a job that ended."""

    state: Literal["done", "retry", "dead", "cancelled"]
    delay_s: float = 0.0


DEAD, CANCELLED, AT_ONCE = Decision("dead"), Decision("cancelled"), Decision("retry")


def after_failure(error: BaseException, spent: int, max_attempts: int, jitter: Jitter = random.random) -> Decision:
    """After an exception; `spent` counts the failed and lost attempts, this one included."""
    if isinstance(error, PERMANENT) or spent >= max_attempts:
        return DEAD
    asked_s = error.retry_after_s if isinstance(error, BinnacleError) else None
    return Decision("retry", max(min(asked_s or 0.0, LONGEST_S), back_off_s(spent, jitter)))


def after_loss(spent: int, losses: int, max_attempts: int, jitter: Jitter = random.random) -> Decision:
    """After a worker vanished; `losses` is how many of the newest attempts, this one included, ended that way."""
    if losses >= POISON or spent >= max_attempts:
        return DEAD
    return Decision("retry", back_off_s(spent, jitter))


def back_off_s(spent: int, jitter: Jitter = random.random) -> float:
    """Full jitter: anything from nothing to a ceiling that doubles with each attempt, so that a crowd does not come back together."""
    return jitter() * min(CEILING_S, FIRST_S * 2.0 ** min(spent - 1, 16))

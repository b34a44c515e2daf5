"""Every way a call, or the wish to make one, can end: by name, with what follows from it."""

from dataclasses import dataclass
from typing import Literal

from services.errors import Conflict, Unavailable

Outcome = Literal[
    "answered", "cached", "template", "truncated", "usage_missing", "usage_wrong",
    "unreachable", "timed_out", "rate_limited", "overloaded", "server_error", "cut", "empty", "unreadable",
    "bad_key", "refused", "unknown_model", "blocked", "invalid_output", "lost",
    "budget_gone", "unpriced", "too_many", "breaker_open", "not_set_up",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meaning:
    """`billed`: "no"; or, where the usage is not told, "told" and "maybe" alike count as unknown spend.

    `again`: another try at the same model may help. `counts`: it speaks against the provider's health. `ends`: no other model is asked.
    """

    words: str
    billed: Literal["no", "told", "maybe"] = "no"
    again: bool = False
    counts: bool = False
    ends: bool = False


OUTCOMES: dict[Outcome, Meaning] = {
    "answered": Meaning("The model answered.", billed="told"),
    "cached": Meaning("The same question had been answered before."),
    "template": Meaning("Rendered without a model."),
    "truncated": Meaning("The answer reached the limit of output tokens.", billed="told"),
    "usage_missing": Meaning("The answer does not say what it used, so its cost is unknown.", billed="maybe"),
    "usage_wrong": Meaning("What the answer says it used cannot be, so its cost is unknown.", billed="maybe"),
    "unreachable": Meaning("The provider does not answer.", again=True, counts=True),
    "timed_out": Meaning("The provider did not answer in time.", billed="maybe", again=True, counts=True),
    "rate_limited": Meaning("The provider asks to wait.", again=True),
    "overloaded": Meaning("The provider is overloaded.", again=True, counts=True),
    "server_error": Meaning("The provider failed.", again=True, counts=True),
    "cut": Meaning("The answer broke off.", billed="maybe", again=True, counts=True),
    "empty": Meaning("The answer is empty.", billed="told", again=True, counts=True),
    "unreadable": Meaning("The answer is none of the provider's protocol.", billed="maybe", again=True, counts=True),
    "bad_key": Meaning("The provider does not accept the key.", counts=True),
    "refused": Meaning("The provider refuses the request."),
    "unknown_model": Meaning("The provider does not know the model."),
    "blocked": Meaning("The provider's safety rules block the question or its answer.", billed="told", ends=True),
    "invalid_output": Meaning("The answer is not of the shape that was asked for.", billed="told", again=True),
    "lost": Meaning("The worker that asked died, so the cost is unknown.", billed="maybe"),
    "budget_gone": Meaning("The budget does not allow another call.", ends=True),
    "unpriced": Meaning("The model has no known price, so the budget cannot tell whether it allows the call."),
    "too_many": Meaning("The rate limit set for this model is reached.", again=True),
    "breaker_open": Meaning("The provider failed too often and is left alone for a while."),
    "not_set_up": Meaning("No provider for this task is set up."),
}

WAITS: tuple[Outcome, ...] = ("rate_limited", "too_many")  # it is known when it will be better


class Unanswered(Unavailable):
    """No model could answer; later one may."""

    def __init__(self, outcome: Outcome, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message, retry_after_s)
        self.outcome = outcome


class Refused(Conflict):
    """No model answers this as things are: somebody has to change something first."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


def error(outcome: Outcome, message: str, retry_after_s: float | None = None) -> Unanswered | Refused:
    """The exception for a question that ended so: a job that may be tried again, or one that may not."""
    meaning = OUTCOMES[outcome]
    if outcome in WAITS or outcome == "breaker_open" or (meaning.again and outcome != "invalid_output"):
        return Unanswered(outcome, message, None if retry_after_s is None else int(retry_after_s) + 1)
    return Refused(outcome, message)

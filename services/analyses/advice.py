"""What to do about each way in which a model did not word an analysis."""

from dataclasses import dataclass

from services.ai.outcomes import OUTCOMES, Outcome
from services.analyses.results import Result

WAIT = "Run it again later."
ADVICE: dict[Outcome, str] = {
    "template": "Set GEMINI_API_KEY or OLLAMA_HOSTS to have models word analyses.",
    "truncated": "Let an administrator allow the task more output tokens.",
    "unreachable": f"See the Health page. {WAIT}",
    "timed_out": "Run it again later, or let an administrator allow the task more time.",
    "rate_limited": WAIT,
    "overloaded": WAIT,
    "server_error": WAIT,
    "cut": WAIT,
    "empty": WAIT,
    "unreadable": f"See whether the address of the provider is right. {WAIT}",
    "bad_key": "Let an administrator set a valid GEMINI_API_KEY, then run it again.",
    "refused": "Let an administrator look at the model of the task and its settings.",
    "unknown_model": "Let an administrator choose another model for the task.",
    "blocked": "Look for what in the record may offend. The facts hold all the same.",
    "invalid_output": "Run it again, or let an administrator choose another model for the task.",
    "lost": WAIT,
    "budget_gone": "Run it again in the next period, or let an administrator raise the budget.",
    "unpriced": "Let an operator add a price for the model on the Prices page.",
    "too_many": WAIT,
    "breaker_open": f"It is left alone for a minute or so. {WAIT}",
    "not_set_up": "Set GEMINI_API_KEY or OLLAMA_HOSTS to have models word analyses.",
}
WORDED: tuple[Outcome, ...] = ("answered", "cached", "usage_missing", "usage_wrong")  # a model answered, all is as it should be


@dataclass(frozen=True, slots=True)
class Notice:
    """Why it is not in a model's words, and what to do about it."""

    outcome: Outcome
    words: str
    advice: str


def notice(result: Result) -> Notice | None:
    """None where a model worded it."""
    outcome = next((known for known in OUTCOMES if known == result.outcome), None)
    if outcome is None or outcome in WORDED:
        return None
    return Notice(outcome, OUTCOMES[outcome].words, ADVICE[outcome])

"""One model of a chain: asked at most three times, whether again after trouble or after an answer of the wrong shape."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from services.ai import call
from services.ai.call import Answer
from services.ai.outcomes import OUTCOMES
from services.ai.providers.spoken import Failure, Turn
from services.ai.question import Question, Trail

MOST_CALLS = 3
FIRST_S, LONGEST_PAUSE_S = 0.5, 5.0  # a worker sleeps no longer than that: what takes longer is put back or asked elsewhere
CORRECT = "That is not what was asked for: {faults}\nAnswer again with JSON only, of exactly the schema given."

Got = TypeVar("Got")


def ask(question: Question, provider: str, model: str, trail: Trail) -> Answer:
    """The model's answer. Raises Failure: that of the last call, or of the one that no other may follow."""
    prompt = question.prompt

    def once() -> Answer:
        nonlocal prompt
        try:
            return call.ask(question, provider, model, prompt, trail)
        except Failure as failure:
            if failure.outcome == "invalid_output":
                said = Turn("model", failure.said or "(nothing)")
                prompt = question.prompt.followed_by(said, Turn("user", CORRECT.format(faults=failure.words)))
            raise

    return tried(once, question.ends_at)


def tried(once: Callable[[], Got], ends_at: float) -> Got:
    """Do it up to three times, with pauses, until the monotonic clock shows `ends_at`. Raises the last Failure."""
    for number in range(1, MOST_CALLS):
        try:
            return once()
        except Failure as failure:
            if not OUTCOMES[failure.outcome].again:
                raise
            pause_s = 0.0 if failure.outcome == "invalid_output" else _pause_s(failure, number)
            if pause_s > LONGEST_PAUSE_S or time.monotonic() + pause_s >= ends_at:
                raise
        time.sleep(pause_s)
    return once()


def _pause_s(failure: Failure, number: int) -> float:
    """As long as was asked for, or full jitter under a ceiling that doubles; never all callers at once."""
    jitter = random.random() * FIRST_S * 2.0 ** (number - 1)  # noqa: S311 - spreads load, no secret
    return jitter if failure.retry_after_s is None else failure.retry_after_s + jitter

"""What every provider is asked and answers, whatever its protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from services.ai.outcomes import Outcome

MOST_TOKENS = 1_000_000_000  # what telemetry takes for a count
PER_TURN = 64  # tokens that a protocol may put around one turn

KNOWN_AS = {"gemini": "gcp.gemini"}  # what telemetry, and so the prices, call them


def known_as(provider: str) -> str:
    """How telemetry calls a provider of ours."""
    return KNOWN_AS.get(provider, provider)


@dataclass(frozen=True, slots=True)
class Turn:
    """One side's words."""

    role: Literal["user", "model"]
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked; with a `schema` (JSON Schema) the answer is to be JSON."""

    system: str
    turns: tuple[Turn, ...]
    schema: Mapping[str, object] | None
    temperature: float
    max_output_tokens: int

    @property
    def ceiling_tokens(self) -> int:
        """More input tokens than it can have: a token holds at least one byte."""
        return len(self.system.encode()) + sum(len(turn.text.encode()) + PER_TURN for turn in self.turns) + PER_TURN

    def followed_by(self, *turns: Turn) -> "Prompt":
        """The same, going on."""
        return replace(self, turns=self.turns + turns)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider tells them; input holds what its cache had, output holds reasoning."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    reasoning_tokens: int = 0

    def can_be(self, *, spoken: bool) -> bool:
        """Whether these counts are possible for a call that was, or was not, answered with words."""
        return (
            0 < self.input_tokens <= MOST_TOKENS
            and (1 if spoken else 0) <= self.output_tokens <= MOST_TOKENS
            and 0 <= self.cache_read_tokens <= self.input_tokens
            and 0 <= self.reasoning_tokens <= self.output_tokens
        )


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an answer, or the whole of it; `usage` and `finish` come with the last."""

    text: str
    usage: Usage | None = None
    finish: Literal["stop", "length", "blocked"] | None = None


@dataclass(frozen=True, slots=True)
class Vectors:
    """One vector a text."""

    values: list[list[float]]
    usage: Usage | None


class Failure(Exception):
    """A call, or the wish to make one, ended without a usable answer.

    `retry_after_s` where waiting that long helps; `said` is what the model did say.
    """

    def __init__(self, outcome: Outcome, words: str, retry_after_s: float | None = None, said: str = "") -> None:
        super().__init__(words)
        self.outcome = outcome
        self.words = words
        self.retry_after_s = retry_after_s
        self.said = said


def by_status(status: int, words: str, retry_after_s: float | None = None) -> Failure:
    """What an HTTP status means."""
    outcomes: dict[int, Outcome] = {401: "bad_key", 403: "bad_key", 404: "unknown_model", 429: "rate_limited", 503: "overloaded"}
    outcome = outcomes.get(status, "server_error" if status >= 500 else "refused")
    return Failure(outcome, words, retry_after_s)


def retry_after(told: str | None) -> float | None:
    """Seconds of a Retry-After header; its other form, a date, is rare enough to be left unknown."""
    try:
        seconds = float(told or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 else None

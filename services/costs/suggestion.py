"""A suggestion: something that costs money for nothing, where it is, what shows it and what it would save."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

DAYS = 30  # what is looked at, and what savings are told for
LEAST_NANO = 10_000_000  # a cent a month: less is not worth a line


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`saves_nano` in thirty days; `evidence` holds the numbers that its words are made of, all JSON."""

    kind: str
    module: str
    operation: str  # "" where it is about all operations of the module
    provider: str
    model: str
    saves_nano: int
    evidence: Mapping[str, Any]

    @property
    def saves(self) -> Decimal:
        """The same in USD."""
        return Decimal(self.saves_nano) / 10**9


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind is called, what to do about it, and its evidence in words."""

    label: str
    advice: str
    words: Callable[[Mapping[str, Any]], str]


KINDS = {
    "repeated_prompts": Kind(
        "Repeated prompts",
        "Keep answers in a cache of the application, by the words of the prompt.",
        lambda told: (
            f"{told['repeats']:,} of {told['calls']:,} calls asked what had been asked before, word for word, within {told['days']} days."
        ),
    ),
    "cheaper_model": Kind(
        "A cheaper model does the same",
        "Try the cheaper model for all of it; compare the answers first.",
        lambda told: (
            f"{told['other_model']} ({told['other_provider']}) does {told['other_calls']:,} calls of this operation, with "
            f"{told['other_error_rate']:.1%} errors against {told['error_rate']:.1%} and answers of similar length. "
            f"The same tokens would cost {told['share']:.0%} of it there."
        ),
    ),
    "batch": Kind(
        "Batchable traffic",
        "Send it through the provider's batch interface.",
        lambda told: (
            f"{told['calls']:,} calls of {told['days']} days name no user and no session, none was streamed, and {told['in_bursts']:.0%} "
            f"came in bursts: nobody waits for them. The batch price is {told['share']:.0%} of the price paid."
        ),
    ),
    "price_cliff": Kind(
        "Prompts just over a price cliff",
        "Shorten these prompts, or split them.",
        lambda told: (
            f"{told['calls']:,} prompts were up to a quarter longer than {told['cliff']:,} tokens, beyond which every token of the call is "
            "dearer."
        ),
    ),
    "billed_retries": Kind(
        "Retries billed twice",
        "Raise the time-out of the caller, or retry only what was not billed.",
        lambda told: (
            f"{told['calls']:,} failed calls were billed, and the same call was made again within {told['within_min']} minutes "
            f"(mostly after {told['error_type']})."
        ),
    ),
    "cache_collapse": Kind(
        "Cache hits collapsed",
        "Look for what changed in the prompt's beginning or in the cache's key about a week ago.",
        lambda told: f"{told['what']} fell from {told['before']:.0%} to {told['now']:.0%} in the last {told['days']} days.",
    ),
}

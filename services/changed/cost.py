"""The difference in cost between two ranges, split by what made it. Pure: sums go in, steps come out.

For each model, cost = operations × its share of them × share priced × share not answered by the application's cache × tokens a call
× what the provider's cache takes off × price. Tokens of different kinds are added up at one reference price of the model, the same for
both ranges, so that "price" is what the tokens cost against it. Where tokens were not told or nobody knows a price, the cost of a call
cannot be split further.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from services.changed.steps import Factors, Step, added, share, whole

Model = tuple[str, str]  # provider, model
# The factors in the order of a product, and the step that each adds to.
FACTORS = ("volume", "mix", "priced", "cache", "tokens", "cache", "price", "untold")
STEPS = {
    "volume": "Volume",
    "mix": "Model mix",
    "tokens": "Tokens a call",
    "price": "Price",
    "cache": "Caching",
    "priced": "Share priced",
    "untold": "Cost a call, not split",
}
ALWAYS = ("volume", "mix", "tokens", "price", "cache")  # the others are told where they are something


@dataclass(frozen=True, slots=True)
class Spent:
    """What one model did in one range: counts of operations, sums of tokens over those that told them, nano-USD."""

    n: int = 0
    priced: int = 0
    cached: int = 0
    told_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_nano: int = 0


@dataclass(frozen=True, slots=True)
class Weights:
    """Pico-USD of one token by kind: the reference that tokens are added up by."""

    input: int
    output: int
    cache_read: int
    cache_write: int


@dataclass(frozen=True, slots=True)
class CostChange:
    """Nano-USD; the steps sum to after - before. `unpriced` are operations, before and after, that are in no cost."""

    before_nano: int
    after_nano: int
    steps: tuple[Step, ...]
    unpriced: tuple[int, int]


NOTHING = Spent()


def split(before: Mapping[Model, Spent], after: Mapping[Model, Spent], weights: Mapping[Model, Weights]) -> CostChange:
    """The steps from one range to the other; a model may be in one of them only."""
    n_before, n_after = (sum(spent.n for spent in side.values()) for side in (before, after))
    parts = dict.fromkeys(STEPS, Fraction(0))
    for model in sorted({*before, *after}):
        old, new = before.get(model, NOTHING), after.get(model, NOTHING)
        by = weights.get(model)
        known = by is not None and _told(old, by) and _told(new, by)
        amounts = added(_factors(old, n_before, by if known else None), _factors(new, n_after, by if known else None))
        for name, amount in zip(FACTORS, amounts, strict=True):
            parts[name] += amount
    nano_before, nano_after = (sum(spent.cost_nano for spent in side.values()) for side in (before, after))
    rounded = whole(parts, nano_after - nano_before)
    return CostChange(
        nano_before,
        nano_after,
        tuple(Step(name, label, rounded[name]) for name, label in STEPS.items() if rounded[name] or name in ALWAYS),
        tuple(sum(spent.n - spent.priced for spent in side.values()) for side in (before, after)),  # type: ignore[arg-type]
    )


def _told(spent: Spent, by: Weights) -> bool:
    """Whether a call's cost can be told as tokens times price."""
    return not _billed(spent) or (spent.told_tokens > 0 and _plain(spent, by) > 0 and _weighed(spent, by) > 0)


def _factors(spent: Spent, n: int, by: Weights | None) -> Factors:
    """Their product is the cost of this model; `by` None where its cost a call is not to be split."""
    billed = _billed(spent)
    ahead = [Fraction(n), share(spent.n, n), share(spent.priced, spent.n), share(billed, spent.priced)]
    if not billed:
        return [*ahead, None, None, None, None]
    a_call = Fraction(spent.cost_nano, billed)
    if by is None:
        return [*ahead, None, None, None, a_call]
    plain, weighed = _plain(spent, by), _weighed(spent, by)
    tokens, kept = Fraction(plain, spent.told_tokens), Fraction(weighed, plain)
    return [*ahead, tokens, kept, a_call / (tokens * kept), None]


def _billed(spent: Spent) -> int:
    """Operations that the cost is of: those with a price that were not answered by a cache, unless only these cost something."""
    return spent.priced - spent.cached if spent.priced > spent.cached or not spent.cost_nano else spent.priced


def _plain(spent: Spent, by: Weights) -> int:
    """All tokens at the reference price as if the provider had no cache."""
    return spent.input_tokens * by.input + spent.output_tokens * by.output


def _weighed(spent: Spent, by: Weights) -> int:
    """The same with what the provider's cache takes off or puts on."""
    read, write = spent.cache_read_tokens, spent.cache_write_tokens
    return _plain(spent, by) + read * (by.cache_read - by.input) + write * (by.cache_write - by.input)

"""Suggestions that the rollups alone show: a cheaper model for the same work, a cache that is no longer hit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from itertools import groupby
from math import sqrt

from services.costs.suggestion import DAYS, Suggestion
from services.metrics.snapshot import Snapshot
from services.metrics.totals import totals
from services.pricing.cost import PICO_PER_NANO
from services.pricing.current import Model, base_pico
from services.pricing.unit_prices import UnitPrices

FEWEST_CALLS, FEWEST_SHARE = 50, 0.05  # of an operation, before a model counts as one that does it
MOST_SHARE = 0.6  # of the cost, that a cheaper model would take
ALIKE = 2.0  # times longer or shorter, and it is other work
RECENT_DAYS = 7
HIT_BEFORE, HIT_LEFT = 0.10, 0.5  # a hit rate worth having, and the share of it left that is a collapse
FEWEST_RECENT = 100
BY = ("module", "operation", "provider", "model")
Prices = Mapping[Model, UnitPrices]


@dataclass(frozen=True, slots=True)
class Work:
    """Sums of one model for one operation of a module."""

    n: int
    errors: int
    priced: int
    cached: int
    told_tokens: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cost_nano: int

    @property
    def billed(self) -> int:
        return max(self.priced - self.cached, 0)

    @property
    def error_rate(self) -> float:
        return self.errors / self.n


Key = tuple[str, str, str, str]  # BY
COLUMNS = tuple(field.name for field in fields(Work))


def work(snapshot: Snapshot, start: date, end: date) -> dict[Key, Work]:
    """What was done in days [start, end) by module, operation, provider and model."""
    sums = totals(snapshot, (start, end), BY, COLUMNS, {})
    rows = zip(*(sums[name] for name in COLUMNS), strict=True)
    return {key: Work(*(value or 0 for value in row)) for key, row in zip(sums.keys, rows, strict=True)}  # type: ignore[misc]


def cheaper_models(done: Mapping[Key, Work], prices: Prices) -> Iterator[Suggestion]:
    """For each dear model, the one that does the same work beside it for least."""
    for (module, operation), group in groupby(sorted(done), key=lambda key: key[:2]):
        keys = list(group)
        most = sum(done[key].n for key in keys)
        able = [key for key in keys if done[key].n >= max(FEWEST_CALLS, FEWEST_SHARE * most) and done[key].told_tokens and done[key].billed]
        for key in (one for one in able if done[one].cost_nano):  # what cost nothing needs no cheaper one
            good = [other for other in able if other != key and _as_good(done[other], done[key])]
            offers = [(_cost_at(done[key], prices.get(other[2:])), other) for other in good]
            least = min(((cost, other) for cost, other in offers if cost is not None), default=None)
            if least is None or least[0] > MOST_SHARE * done[key].cost_nano:
                continue
            cost, other = least
            evidence = {
                "other_provider": other[2],
                "other_model": other[3],
                "other_calls": done[other].n,
                "other_error_rate": done[other].error_rate,
                "error_rate": done[key].error_rate,
                "calls": done[key].n,
                "share": cost / done[key].cost_nano,
            }
            yield Suggestion("cheaper_model", module, operation, key[2], key[3], done[key].cost_nano - cost, evidence)


def cache_collapses(before: Mapping[Key, Work], recent: Mapping[Key, Work], prices: Prices) -> Iterator[Suggestion]:
    """Where answers of the application's cache, or tokens of the provider's, became much rarer in the last days."""
    for key, now in recent.items():
        then = before.get(key)
        if then is None or min(now.n, then.n) < FEWEST_RECENT:
            continue
        answered = (then.cached / then.n, now.cached / now.n)
        if _collapsed(*answered) and now.billed:
            lost = (answered[0] - answered[1]) * now.n * now.cost_nano / now.billed
            yield _collapse(key, "Answers from the application's cache", answered, lost)
        known = prices.get(key[2:])
        if known is None or not then.input_tokens or not now.input_tokens:
            continue
        read = (then.cache_read_tokens / then.input_tokens, now.cache_read_tokens / now.input_tokens)
        off_pico = base_pico(known.input) - base_pico(known.cache_read)
        if _collapsed(*read) and off_pico > 0:
            lost = (read[0] - read[1]) * now.input_tokens * off_pico / PICO_PER_NANO
            yield _collapse(key, "Input tokens read from the provider's cache", read, lost)


def split_days(end: date) -> tuple[tuple[date, date], tuple[date, date]]:
    """The days before, and the recent ones."""
    middle = end - timedelta(days=RECENT_DAYS)
    return (end - timedelta(days=DAYS), middle), (middle, end)


def _collapsed(before: float, now: float) -> bool:
    return before >= HIT_BEFORE and now <= HIT_LEFT * before


def _collapse(key: Key, what: str, rates: Sequence[float], lost_nano: float) -> Suggestion:
    evidence = {"what": what, "before": rates[0], "now": rates[1], "days": RECENT_DAYS}
    return Suggestion("cache_collapse", *key, round(lost_nano * DAYS / RECENT_DAYS), evidence)


def _as_good(other: Work, one: Work) -> bool:
    """Whether it fails no more often, as far as so many calls can tell, and does work of the same size."""
    together = (other.errors + one.errors) / (other.n + one.n)
    doubt = 2 * sqrt(together * (1 - together) * (1 / other.n + 1 / one.n))
    sizes = ((work.input_tokens / work.told_tokens, work.output_tokens / work.told_tokens) for work in (other, one))
    alike = all(max(a, b) <= ALIKE * max(min(a, b), 1) for a, b in zip(*sizes, strict=True))
    return alike and other.error_rate <= one.error_rate + doubt


def _cost_at(done: Work, prices: UnitPrices | None) -> int | None:
    """Nano-USD of the same billed calls at another price, its cache unused; None where that is unknown."""
    if prices is None:
        return None
    pico = done.input_tokens * base_pico(prices.input) + done.output_tokens * base_pico(prices.output)
    return pico * done.billed // done.told_tokens // PICO_PER_NANO

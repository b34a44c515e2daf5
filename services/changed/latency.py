"""The difference in mean latency between two ranges, split by what made it. Pure: sums go in, steps come out.

Mean latency = sum over modules and models of: the module's share of operations × the model's share in the module × its mean latency.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from services.changed.steps import Factors, Step, added, share, whole

Cell = tuple[str, str, str]  # module, provider, model
NS_PER_US = 1_000
MOST_NAMED = 4
MIXES = {"module_mix": "Module mix", "model_mix": "Model mix"}


@dataclass(frozen=True, slots=True)
class Timed:
    """Operations of one module and model that told how long they took, and how long that was together."""

    n: int = 0
    us: int = 0


@dataclass(frozen=True, slots=True)
class LatencyChange:
    """Nanoseconds of the mean; the steps sum to after - before. None where a range has no operation that told its latency."""

    before_ns: int | None
    after_ns: int | None
    steps: tuple[Step, ...]


NOTHING = Timed()


def split(before: Mapping[Cell, Timed], after: Mapping[Cell, Timed]) -> LatencyChange:
    """The steps from one range to the other: what moved between modules and models, and who became slower or faster themselves."""
    ns_before, ns_after = _mean_ns(before), _mean_ns(after)
    if ns_before is None or ns_after is None:
        return LatencyChange(ns_before, ns_after, ())
    of_before, of_after = _by_module(before), _by_module(after)
    mixes = dict.fromkeys(MIXES, Fraction(0))
    within: dict[str, Fraction] = {}
    for cell in sorted({*before, *after}):
        old = _factors(before.get(cell, NOTHING), of_before, cell[0])
        new = _factors(after.get(cell, NOTHING), of_after, cell[0])
        modules, models, own = (part * NS_PER_US for part in added(old, new))
        mixes["module_mix"] += modules
        mixes["model_mix"] += models
        name = f"{cell[2]} in {cell[0]}"
        within[name] = within.get(name, Fraction(0)) + own
    parts = mixes | _named(within)
    rounded = whole(parts, ns_after - ns_before)
    return LatencyChange(ns_before, ns_after, tuple(Step(name, MIXES.get(name, name), rounded[name]) for name in parts))


def _named(within: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """Those that changed most by name, the others together."""
    order = sorted(within, key=lambda name: (-abs(within[name]), name))
    if len(order) <= MOST_NAMED + 1:
        return {name: within[name] for name in order}
    rest = sum((within[name] for name in order[MOST_NAMED:]), Fraction(0))
    return {name: within[name] for name in order[:MOST_NAMED]} | {f"{len(order) - MOST_NAMED} others": rest}


def _mean_ns(cells: Mapping[Cell, Timed]) -> int | None:
    n, us = sum(timed.n for timed in cells.values()), sum(timed.us for timed in cells.values())
    return round(Fraction(us * NS_PER_US, n)) if n else None


def _by_module(cells: Mapping[Cell, Timed]) -> dict[str, int]:
    """Operations of each module, and under "" of all."""
    counts: dict[str, int] = {"": 0}
    for (module, _, _), timed in cells.items():
        counts[module] = counts.get(module, 0) + timed.n
    return counts | {"": sum(timed.n for timed in cells.values())}


def _factors(timed: Timed, counts: Mapping[str, int], module: str) -> Factors:
    of_module = counts.get(module, 0)
    return [share(of_module, counts[""]), share(timed.n, of_module), share(timed.us, timed.n)]

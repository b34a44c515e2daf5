"""What can be measured and by what it can be split. A measure is a few rollup columns and the arithmetic over their sums."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np

from services.metrics.table import Column, Table

Family = Literal["operation", "session", "distinct", "feedback"]
Unit = Literal["count", "share", "usd", "ms", "tokens", "per_min", "rating", "s"]
Better = Literal["up", "down"] | None
Compute = Callable[[Table], Column]

NANO = Decimal(10) ** 9


@dataclass(frozen=True, slots=True)
class Measure:
    """`needs` are the summed columns that `compute` turns into the value; `better` says which way is good news."""

    name: str
    label: str
    unit: Unit
    better: Better
    help: str
    family: Family
    needs: tuple[str, ...]
    compute: Compute
    empty: int | None = None  # value of a bucket in which nothing happened; None = unknown


@dataclass(frozen=True, slots=True)
class Dimension:
    """`families` are the kinds of measure it can split."""

    name: str
    label: str
    families: tuple[Family, ...]


def _sum(column: str) -> Compute:
    return lambda sums: sums[column]


def _ratio(part: str, whole: str, scale: float = 1.0) -> Compute:
    """part / whole, unknown where the whole is nothing or the part was never told."""

    def compute(sums: Table) -> Column:
        over = sums.number(whole)
        return sums.number(part) / np.where(over > 0, over, np.nan) * scale

    return compute


def _dollars(sums: Table) -> Column:
    """Decimal USD; None where operations ran and none of them could be priced."""
    return [None if nano is None else Decimal(nano) / NANO for nano in sums["cost_nano"]]


def _dollars_per_operation(sums: Table) -> Column:
    """Decimal USD over the operations that have a price."""
    pairs = zip(sums["cost_nano"], sums["priced"], strict=True)
    return [None if nano is None or not priced else Decimal(nano) / NANO / priced for nano, priced in pairs]


def _dollars_per_success(sums: Table) -> Column:
    """Decimal USD over the operations that did not fail."""
    rows = zip(sums["cost_nano"], sums["n"], sums["errors"], strict=True)
    return [None if nano is None or not n or n == errors else Decimal(nano) / NANO / (n - errors) for nano, n, errors in rows]


def _unpriced(sums: Table) -> Column:
    return [None if n is None else n - (priced or 0) for n, priced in zip(sums["n"], sums["priced"], strict=True)]


def _total_tokens(sums: Table) -> Column:
    """Input plus output; unknown only where neither was told."""
    pairs = zip(sums["input_tokens"], sums["output_tokens"], strict=True)
    return [None if sent is None and got is None else (sent or 0) + (got or 0) for sent, got in pairs]


def _quantile(histogram: str, share: float) -> Compute:
    return lambda sums: sums[f"{histogram}@{share}"]


def _quantiles(prefix: str, what: str, histogram: str, shares: Sequence[int]) -> list[Measure]:
    return [
        Measure(f"{prefix}_p{s}", f"{what} p{s}", "ms", "down", f"{s} % of operations were at least this fast.", "operation",
                (f"{histogram}@{s / 100}",), _quantile(histogram, s / 100))
        for s in shares
    ]  # fmt: skip


def _told(name: str, label: str, help_text: str) -> Measure:
    return Measure(name, label, "tokens", None, help_text, "operation", (name,), _sum(name), 0)


def _measure(
    name: str, label: str, unit: Unit, better: Better, needs: str, compute: Compute, told: str, empty: int | None = None
) -> Measure:
    """A measure over operations; `needs` are column names apart by spaces, `told` says what it means."""
    return Measure(name, label, unit, better, told, "operation", tuple(needs.split()), compute, empty)


def _of_sessions(
    name: str, label: str, unit: Unit, better: Better, needs: str, compute: Compute, told: str, empty: int | None = None
) -> Measure:
    return Measure(name, label, unit, better, told, "session", tuple(needs.split()), compute, empty)


def _of_feedback(
    name: str, label: str, unit: Unit, better: Better, needs: str, compute: Compute, told: str, empty: int | None = None
) -> Measure:
    return Measure(name, label, unit, better, told, "feedback", tuple(needs.split()), compute, empty)


def _up_share(sums: Table) -> Column:
    """Thumbs up over all thumbs; unknown where nobody gave one."""
    given = sums.number("up") + sums.number("down")
    return sums.number("up") / np.where(given > 0, given, np.nan)


def _distinct(name: str, label: str, kind: str, help_text: str) -> Measure:
    return Measure(name, label, "count", "up", help_text, "distinct", (kind,), _sum(kind), 0)


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in [
        _measure("operations", "Operations", "count", None, "n", _sum("n"), "AI calls, whatever their outcome.", 0),
        _measure("errors", "Errors", "count", "down", "errors", _sum("errors"), "Operations that ended in an error.", 0),
        _measure("error_rate", "Error rate", "share", "down", "errors n", _ratio("errors", "n"), "Errors over operations."),
        _measure("cached_share", "Cached share", "share", "up", "cached n", _ratio("cached", "n"),
                 "Operations answered from an application cache."),
        _measure("cost", "Cost", "usd", "down", "cost_nano", _dollars,
                 "What priced operations cost; unpriced ones are not in it.", 0),
        _measure("cost_per_operation", "Cost per operation", "usd", "down", "cost_nano priced", _dollars_per_operation,
                 "Cost over the operations that have a price."),
        _measure("cost_per_success", "Cost per success", "usd", "down", "cost_nano n errors", _dollars_per_success,
                 "Cost over the operations that went well, what failed paid by them; where some are unpriced it is too low."),
        _measure("priced_share", "Priced share", "share", "up", "priced n", _ratio("priced", "n"), "Operations whose cost is known."),
        _measure("unpriced", "Unpriced", "count", "down", "n priced", _unpriced, "Operations whose cost is unknown.", 0),
        _told("input_tokens", "Input tokens", "Tokens sent, cache tokens included."),
        _told("output_tokens", "Output tokens", "Tokens received, reasoning included."),
        _measure("total_tokens", "Tokens", "tokens", None, "input_tokens output_tokens", _total_tokens,
                 "Input and output tokens.", 0),
        _told("cache_read_tokens", "Cache read tokens", "Input tokens the provider read from its prompt cache."),
        _told("cache_write_tokens", "Cache write tokens", "Input tokens the provider wrote to its prompt cache."),
        _told("reasoning_tokens", "Reasoning tokens", "Output tokens spent on reasoning."),
        _measure("latency_avg", "Average latency", "ms", "down", "latency_us latency_n", _ratio("latency_us", "latency_n", 1e-3),
                 "Mean duration of operations that told theirs."),
        *_quantiles("latency", "Latency", "latency_hist", (50, 90, 95, 99)),
        _measure("ttft_avg", "Average time to first token", "ms", "down", "ttft_us ttft_n", _ratio("ttft_us", "ttft_n", 1e-3),
                 "Mean wait for the first token of streamed answers."),
        *_quantiles("ttft", "Time to first token", "ttft_hist", (50, 95)),
        _measure("output_speed", "Tokens a second", "count", "up", "output_tokens latency_us", _ratio("output_tokens", "latency_us", 1e6),
                 "Output tokens over the time that operations took."),
        _measure("throughput", "Throughput", "per_min", None, "n minutes", _ratio("n", "minutes"), "Operations a minute.", 0),
        _distinct("users", "Users", "user", "Distinct users of operations."),
        _distinct("sessions", "Active sessions", "session", "Distinct sessions with operations."),
        _of_sessions("sessions_started", "Sessions", "count", "up", "session_n", _sum("session_n"), "Sessions that began.", 0),
        _distinct("session_users", "Session users", "session_user", "Distinct users who began a session."),
        _of_sessions("session_duration", "Session duration", "s", None, "duration_us duration_n", _ratio("duration_us", "duration_n", 1e-6),
                     "Mean time from a session's start to its end, where known."),
        _of_sessions("session_messages", "Messages per session", "count", None, "messages messages_n", _ratio("messages", "messages_n"),
                     "Mean messages of sessions that told theirs."),
        _of_sessions("session_rating", "Satisfaction", "rating", "up", "rating rated", _ratio("rating", "rated"),
                     "Mean rating, 1 to 5, of rated sessions."),
        _of_sessions("rated_share", "Rated share", "share", "up", "rated session_n", _ratio("rated", "session_n"),
                     "Sessions that were rated."),
        _of_sessions("topic_coverage", "Topic coverage", "share", "up", "with_topic session_n", _ratio("with_topic", "session_n"),
                     "Sessions that told at least one topic."),
        _of_sessions("sessions_without_end", "Sessions without end", "count", None, "endless", _sum("endless"),
                     "Sessions whose end nobody told; they have no duration.", 0),
        _of_sessions("sessions_backwards", "Sessions ending before they start", "count", "down", "backwards", _sum("backwards"),
                     "Sessions told to end before they start; they have no duration.", 0),
        _of_sessions("sessions_overnight", "Sessions over midnight", "count", None, "overnight", _sum("overnight"),
                     "Sessions that end on a later day than they start; they count on the day of their start.", 0),
        _of_feedback("feedback", "Feedback", "count", None, "feedback_n", _sum("feedback_n"),
                     "What people said of sessions and operations.", 0),
        _of_feedback("feedback_rating", "Feedback rating", "rating", "up", "feedback_sum feedback_rated",
                     _ratio("feedback_sum", "feedback_rated"), "Mean rating, 1 to 5, of feedback that rates."),
        _of_feedback("thumbs_up_share", "Thumbs up", "share", "up", "up down", _up_share, "Thumbs up over all thumbs of feedback."),
    ]
}  # fmt: skip

EVERY: tuple[Family, ...] = ("operation", "session", "distinct", "feedback")
BY_CALL: tuple[Family, ...] = ("operation", "distinct", "feedback")
DIMENSIONS: dict[str, Dimension] = {
    dimension.name: dimension
    for dimension in [
        Dimension("environment", "Environment", EVERY),
        Dimension("source", "Source", EVERY),
        Dimension("module", "Module", EVERY),
        Dimension("operation", "Operation", BY_CALL),
        Dimension("provider", "Provider", BY_CALL),
        Dimension("model", "Model", BY_CALL),
        Dimension("topic", "Topic", ("session",)),
        Dimension("subject", "Subject", ("session",)),
        Dimension("cohort", "Cohort", ("session",)),
        Dimension("weekday", "Weekday", EVERY),
        Dimension("hour", "Hour of the day", ("session",)),
        Dimension("error_type", "Error type", ("operation",)),
    ]
}


WEEKDAYS = tuple(f"{number} {name}" for number, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), 1))
HOURS = tuple(f"{hour:02d}" for hour in range(24))


def splits(measure: str) -> tuple[str, ...]:
    """The dimensions that a measure can be split and filtered by."""
    return tuple(name for name in DIMENSIONS if can_split(name, MEASURES[measure]))


def can_split(dimension: str, measure: Measure) -> bool:
    """Whether some rollup holds the measure by the dimension."""
    if dimension == "error_type":
        return measure.name == "errors"
    if dimension == "hour":
        return measure.name == "sessions_started"
    if measure.name == "session_users":
        return dimension in ("environment", "source", "module", "weekday")
    return measure.family in DIMENSIONS[dimension].families


def conflict(measure: str, asked: Collection[str]) -> str | None:
    """Two dimensions of `asked` that no rollup holds together for the measure, in words."""
    apart = {"hour": ("topic", "subject", "cohort")}
    for one, others in apart.items():
        other = next((name for name in others if one in asked and name in asked), None)
        if other is not None:
            return f"'{measure}' is not kept by {DIMENSIONS[one].label.lower()} and {DIMENSIONS[other].label.lower()} together."
    return None


def quantiles_of(counts: np.ndarray, estimates: np.ndarray, share: float) -> np.ndarray:
    """The `share` quantile of each row of histogram counts by nearest rank; NaN where a row is empty."""
    totals = counts.sum(axis=1)
    ranks = np.maximum(np.ceil(share * totals), 1)
    positions = (counts.cumsum(axis=1) < ranks[:, None]).sum(axis=1)
    return np.where(totals > 0, estimates[np.minimum(positions, len(estimates) - 1)], np.nan)

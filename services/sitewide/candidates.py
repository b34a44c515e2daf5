"""What a summary and the one before it have to tell: every candidate with its facts, its sentence and how interesting it is. Pure.

Facts hold numbers of the summary and ratios of two of them, nothing else; whatever words are made of a candidate are checked against them.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256

from services.sitewide.amounts import amount, percent, times
from services.sitewide.facts import Change, Extreme, Facts, Gap, Outlier, Share
from services.sitewide.reading import Group, Summary

LEAST_COUNCILS = 8  # of fewer, nothing is typical
LEAST_GROUP = 3
LEAST_RATIO, MOST_RATIO = 1.3, 200.0  # less is no news, more is a fault in the data or a field that few have
LEAST_CHANGE = 0.03
LEAST_SHARE, MOST_SHARE = 0.05, 0.9995
MOST_MOVED = 0.1  # of the councils may have come or gone between two years that are compared
LEAST_COMPLETE = Decimal("0.8")
CURRENCY = "GBP"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may be said. `key` is what it is about, `facts_hash` what exactly it says; `sources` are (slug, year, hash).

    `interest` is from 0 to 1, whatever the year. `codes` are the councils that it names.
    """

    key: str
    kind: str
    summary: Summary
    facts: Facts
    sentence: str
    interest: float
    sources: tuple[tuple[str, int, str], ...]
    codes: tuple[str, ...] = ()

    @property
    def facts_hash(self) -> str:
        return sha256(self.facts.model_dump_json().encode()).hexdigest()


def candidates(summaries: Iterable[Summary]) -> list[Candidate]:
    """Every candidate of all fields and years."""
    by_field: dict[str, dict[int, Summary]] = {}
    for one in summaries:
        by_field.setdefault(one.slug, {})[one.year] = one
    return [
        candidate
        for years in by_field.values()
        for year, one in sorted(years.items())
        if _usable(one)
        for candidate in of(one, years.get(year - 1))
    ]


def of(summary: Summary, before: Summary | None = None) -> Iterator[Candidate]:
    """Candidates of one summary, and of its change since the year before."""
    yield from _extreme(summary)
    yield from _outlier(summary)
    yield from _share(summary)
    yield from _gap(summary, "type", summary.by_type)
    yield from _gap(summary, "nation", summary.by_nation)
    if before is not None and _usable(before):
        yield from _movement(summary, before)


def _usable(one: Summary) -> bool:
    """Money and things counted, of enough councils, known of nearly all of them."""
    return one.n >= LEAST_COUNCILS and one.completeness >= LEAST_COMPLETE and one.unit != "answers" and bool(one.max)


def _extreme(one: Summary) -> Iterator[Candidate]:
    top, mean = one.top[0], one.mean
    if mean is None or top.value is None or mean <= 0:
        return
    ratio = float(top.value / mean)
    if not LEAST_RATIO <= ratio <= MOST_RATIO:
        return
    facts = Extreme(**_base(one), council=top.name, value=float(top.value), average=float(mean), multiple=round(ratio, 1), councils=one.n)
    yield _candidate(
        one, "extreme", facts, _log_interest(ratio, 64),
        f"{top.name} has the highest figure of “{one.title}” in {one.label}: {_said(one, top.value)},"
        f" {times(ratio)} the average of {_said(one, mean)} over {one.n:,} councils.",
        codes=(top.code,),
    )  # fmt: skip


def _outlier(one: Summary) -> Iterator[Candidate]:
    """Only where the first stands apart from the second."""
    first, second = one.top[0], one.top[1]
    if first.value is None or second.value is None or second.value <= 0:
        return
    ratio = float(first.value / second.value)
    if not 1.5 <= ratio <= MOST_RATIO:
        return
    facts = Outlier(
        **_base(one), council=first.name, value=float(first.value), runner_up=second.name, runner_up_value=float(second.value),
        multiple=round(ratio, 1),
    )  # fmt: skip
    yield _candidate(
        one, "outlier", facts, _log_interest(ratio, 16),
        f"In {one.label} {first.name} stands apart in “{one.title}”: its {_said(one, first.value)} is {times(ratio)} what the next highest"
        f" council, {second.name}, has ({_said(one, second.value)}).",
        codes=(first.code, second.code),
    )  # fmt: skip


def _share(one: Summary) -> Iterator[Candidate]:
    """What the top five hold of all; meaningless where some figures are below zero."""
    if one.total is None or one.min is None or one.min < 0 or one.total <= 0:
        return
    part = float(sum((council.value for council in one.top if council.value is not None), Decimal(0)) / one.total)
    fair = len(one.top) / one.n
    if part < max(LEAST_SHARE, 2 * fair) or part > MOST_SHARE:
        return
    facts = Share(**_base(one), share=round(part, 4), total=float(one.total), councils=one.n, leader=one.top[0].name, top_councils=5)
    yield _candidate(
        one, "share", facts, min(1.0, part * 1.2),
        f"The top five of {one.n:,} councils, led by {one.top[0].name}, account for {percent(part)} of the {_said(one, one.total)} of"
        f" “{one.title}” in {one.label}.",
        codes=tuple(council.code for council in one.top),
    )  # fmt: skip


def _gap(one: Summary, what: str, groups: Mapping[str, Group]) -> Iterator[Candidate]:
    """Between the type, or nation, with the highest average and the one with the lowest that is above zero."""
    known = {name: group for name, group in groups.items() if name != "unknown" and group.n >= LEAST_GROUP and group.mean > 0}
    if len(known) < 2:
        return
    order = sorted(known, key=lambda name: (known[name].mean, name))
    low, high = order[0], order[-1]
    ratio = float(known[high].mean / known[low].mean)
    if not LEAST_RATIO <= ratio <= MOST_RATIO:
        return
    facts = Gap(
        **_base(one), higher=high, higher_average=float(known[high].mean), lower=low, lower_average=float(known[low].mean),
        multiple=round(ratio, 1),
    )  # fmt: skip
    yield _candidate(
        one, f"{what} gap", facts, _log_interest(ratio, 64),
        f"By {what}, “{one.title}” in {one.label} averages {_said(one, known[high].mean)} for {high} and {_said(one, known[low].mean)} for"
        f" {low}: {times(ratio)} as much.",
    )  # fmt: skip


def _movement(one: Summary, before: Summary) -> Iterator[Candidate]:
    if one.mean is None or before.mean is None or before.mean <= 0 or one.mean <= 0 or abs(one.n - before.n) > MOST_MOVED * before.n:
        return
    change = float(one.mean / before.mean) - 1
    if abs(change) < LEAST_CHANGE or change > 9:
        return
    facts = Change(
        **_base(one), year_before=before.year, average=float(one.mean), average_before=float(before.mean), change=round(change, 4),
        councils=one.n,
    )  # fmt: skip
    went = "rose" if change > 0 else "fell"
    yield _candidate(
        one, "movement", facts, min(1.0, _log_interest(1 + abs(change), 4) + 0.1),
        f"The average of “{one.title}” {went} by {percent(abs(change))}, from {_said(one, before.mean)} in {before.label} to"
        f" {_said(one, one.mean)} in {one.label}.",
        others=(before,),
    )  # fmt: skip


def _candidate(
    one: Summary, kind: str, facts: Facts, interest: float, sentence: str, *, codes: tuple[str, ...] = (), others: Sequence[Summary] = ()
) -> Candidate:
    """Fields with more money in them, and better known ones, are more interesting."""
    size = min(1.0, math.log10(max(1.0, abs(float(one.total or 0)))) / 11)
    weighed = interest * (0.5 + 0.5 * size) * float(one.quality)
    sources = tuple((source.slug, source.year, source.source_hash) for source in (one, *others))
    return Candidate(f"{kind}:{one.slug}:{one.year}", kind, one, facts, sentence, round(weighed, 6), sources, codes)


def _base(one: Summary) -> dict[str, object]:
    return {
        "field": one.title, "year": one.year, "year_ends": one.year + 1, "unit": one.unit, "currency": one.unit if _is_money(one) else None,
    }  # fmt: skip


def _said(one: Summary, value: Decimal) -> str:
    return amount(value, one.unit if _is_money(one) else None)


def _is_money(one: Summary) -> bool:
    return one.unit.isupper() and len(one.unit) == len(CURRENCY)


def _log_interest(ratio: float, most: float) -> float:
    return min(1.0, math.log(ratio) / math.log(most))

"""Suggestions that need the stored operations of the last thirty days: only a background job may look at so many."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Row, text

from services.costs.suggestion import DAYS, Suggestion
from services.pricing import overrides
from services.pricing.cost import price
from services.pricing.current import base_pico, of_override
from services.pricing.unit_prices import unit_prices

FEWEST_REPEATS, FEWEST_RETRIES, FEWEST_OVER, FEWEST_BATCH = 10, 10, 10, 200
WITHIN_MIN = 5
BURST, IN_BURSTS = 20, 0.8  # calls in a quarter hour that are a burst; the share of calls that must come so
OVER = 1.25
MOST_ROWS = 100_000
BATCHES = ("batch", "flex")
STORED = "o.day >= :first_day and o.started_at >= :start and o.started_at < :end"
PLACE = "s.module, s.operation, s.provider, s.model"
# Two places where words are known: prompts of applications, where the console keeps them, and the questions of our own calls.
REPEATS = f"""
with asked as (
    select o.series_id, o.started_at, o.cost_nano, md5(p.prompt) as words
    from operation_payloads p join operations o on (o.day, o.id) = (p.day, p.id)
    where p.day >= :first_day and {STORED} and p.prompt <> '' and not o.cached and o.error_type is null
), placed as (
    select *, row_number() over (partition by series_id, words order by started_at) as place from asked
)
select {PLACE}, count(*) as calls, count(*) filter (where place > 1) as repeats,
       coalesce(sum(cost_nano) filter (where place > 1), 0)::bigint as nano, min(started_at) as since
from placed join series s on s.id = series_id group by 1, 2, 3, 4
union all
select module, operation, provider, model, count(*), count(*) filter (where place > 1),
       coalesce(sum(cost_nano) filter (where place > 1), 0)::bigint, min(at)
from (
    select *, row_number() over (partition by module, operation, provider, model, request_hash order by at) as place
    from ai_ledger where at >= :start and at < :end and state = 'settled'
) own group by 1, 2, 3, 4
"""  # noqa: S608 - constants
RETRIES = f"""
select {PLACE}, count(*) as calls, sum(o.cost_nano)::bigint as nano, mode() within group (order by o.error_type) as error_type
from operations o join series s on s.id = o.series_id
where {STORED} and o.error_type is not null and o.cost_nano > 0 and o.input_tokens > 0 and exists (
    select from operations n
    where n.day between o.day and o.day + 1 and n.day >= :first_day and n.started_at > o.started_at
      and n.started_at <= o.started_at + make_interval(mins => :within) and n.series_id = o.series_id and n.input_tokens = o.input_tokens
      and n.user_key is not distinct from o.user_key and n.session_key is not distinct from o.session_key
)
group by 1, 2, 3, 4
"""  # noqa: S608
UNATTENDED = f"""
select {PLACE}, count(*) as calls, sum(o.cost_nano)::bigint as nano, sum(o.input_tokens)::bigint as input_tokens,
       sum(o.output_tokens)::bigint as output_tokens, min(o.started_at) as since,
       (select sum(r.n) filter (where r.n >= :burst)::float / sum(r.n) from rollup_15m r
        where r.series_id = o.series_id and r.bucket >= :start) as in_bursts
from operations o join series s on s.id = o.series_id
where {STORED} and coalesce(o.service_tier, '') <> all(:batches)
group by o.series_id, 1, 2, 3, 4
having count(*) >= :fewest and count(o.user_key) = 0 and count(o.session_key) = 0 and count(o.ttft_us) = 0 and sum(o.cost_nano) > 0
"""  # noqa: S608
LONG = f"""
select {PLACE}, o.started_at, o.input_tokens, o.output_tokens, o.cache_read_tokens, o.cache_write_tokens, o.reasoning_tokens, o.cost_nano,
       o.cached, o.service_tier
from operations o join series s on s.id = o.series_id
where {STORED} and s.provider = :provider and s.model = :model and o.input_tokens > :cliff and o.input_tokens <= :cliff * :over
  and o.cost_nano > 0 limit :most
"""  # noqa: S608
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


@dataclass(frozen=True, slots=True)
class Window:
    """[start, end), thirty days or fewer."""

    start: datetime
    end: datetime

    @property
    def values(self) -> dict[str, object]:
        """For the statements above."""
        return {"start": self.start, "end": self.end, "first_day": self.start.date()}

    def monthly(self, nano: int, since: datetime | None = None) -> tuple[int, int]:
        """What was seen since then (or in all of it) as nano-USD of thirty days, and the days it was seen in, at least one."""
        days = max((self.end - max(since or self.start, self.start)) / timedelta(days=1), 1.0)
        return round(nano * DAYS / days), round(days)


def repeated_prompts(connection: Connection, window: Window) -> Iterator[Suggestion]:
    """Calls that asked again what had been answered."""
    for row in connection.execute(text(REPEATS), window.values):
        if row.repeats >= FEWEST_REPEATS:
            saves, days = window.monthly(row.nano, row.since)
            yield _at(row, "repeated_prompts", saves, {"repeats": row.repeats, "calls": row.calls, "days": days})


def billed_retries(connection: Connection, window: Window) -> Iterator[Suggestion]:
    """Failures that were billed and tried again."""
    for row in connection.execute(text(RETRIES), window.values | {"within": WITHIN_MIN}):
        if row.calls >= FEWEST_RETRIES:
            saves, _ = window.monthly(row.nano)
            yield _at(row, "billed_retries", saves, {"calls": row.calls, "within_min": WITHIN_MIN, "error_type": row.error_type})


def batchable(connection: Connection, window: Window) -> Iterator[Suggestion]:
    """Traffic that nobody waits for, of models whose batches are cheaper."""
    ours = overrides.load(connection)
    found = connection.execute(text(UNATTENDED), window.values | {"batches": list(BATCHES), "burst": BURST, "fewest": FEWEST_BATCH}).all()
    for row in found:
        if (row.in_bursts or 0) < IN_BURSTS or of_override(ours, row.provider, row.model, window.end):
            continue
        plain, batch = (unit_prices(row.provider, row.model, window.end, tier) for tier in ("", "batch"))
        if plain is None or batch is None:
            continue
        now, then = (
            (row.input_tokens or 0) * base_pico(prices.input) + (row.output_tokens or 0) * base_pico(prices.output)
            for prices in (plain, batch)
        )
        if then < now:
            saves, days = window.monthly(row.nano * (now - then) // now, row.since)
            yield _at(row, "batch", saves, {"calls": row.calls, "days": days, "in_bursts": row.in_bursts, "share": then / now})


def over_cliffs(connection: Connection, window: Window) -> Iterator[Suggestion]:
    """Prompts a little longer than where a model becomes dearer."""
    models = connection.execute(text("select distinct provider, model from series where last_operation_at >= :start"), window.values).all()
    ours = overrides.load(connection)
    for provider, model in models:
        known = unit_prices(provider, model, window.end)
        if known is None or of_override(ours, provider, model, window.end):
            continue
        for cliff, pico in known.input[1:]:
            if pico > base_pico(known.input):
                yield from _over(connection, window, (provider, model), cliff)


def _over(connection: Connection, window: Window, model: tuple[str, str], cliff: int) -> Iterator[Suggestion]:
    asked = window.values | {"provider": model[0], "model": model[1], "cliff": cliff, "over": OVER, "most": MOST_ROWS}
    result = connection.execute(text(LONG), asked)
    calls = pd.DataFrame(result.all(), columns=list(result.keys()))
    if len(calls) < FEWEST_OVER:
        return
    calls["started_at"] = pd.to_datetime(calls["started_at"], utc=True)
    calls = calls.astype(dict.fromkeys((*TOKENS, "cost_nano"), "Int64") | {"cached": bool, "service_tier": "str"})
    shorter = (cliff / calls["input_tokens"]).astype("float64")
    cut = calls.assign(
        input_tokens=pd.Series(cliff, index=calls.index, dtype="Int64"),
        cost_nano=pd.Series(pd.NA, index=calls.index, dtype="Int64"),
        **{name: (calls[name] * shorter).fillna(0).astype("int64").astype("Int64") for name in ("cache_read_tokens", "cache_write_tokens")},
    )
    calls["less"] = calls["cost_nano"] - price(cut)[0]
    for (module, operation, provider, name), group in calls.groupby(["module", "operation", "provider", "model"]):
        less = int(group["less"].sum())
        if len(group) >= FEWEST_OVER and less > 0:
            saves, _ = window.monthly(less)
            yield Suggestion("price_cliff", module, operation, provider, name, saves, {"calls": len(group), "cliff": cliff})


def _at(row: Row[Any], kind: str, saves: int, evidence: dict[str, object]) -> Suggestion:
    return Suggestion(kind, row.module, row.operation, row.provider, row.model, saves, evidence)

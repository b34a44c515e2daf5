"""What a second telling of a call adds: what the first left unknown, never more of anything."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import Connection, text

from services.pricing import overrides, versions
from services.pricing.cost import price
from services.rollups import changes, session_days
from services.telemetry import operations, series
from services.telemetry.inbox import UNKNOWN
from services.telemetry.tellings import Call

SINGLE = ("user_key", "session_key", "ttft_us", "latency_us", "finish_reason", "service_tier")
PLACES = ("module", "operation", "provider", "model")
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
FIELDS = (*SINGLE, *PLACES, *TOKENS)


def filled(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """`first` with the gaps of FIELDS filled from `second`, row by row of the same index. Token counts are taken together or not at all:
    two libraries may count differently.
    """
    out = first.copy()
    for name in SINGLE:
        out[name] = first[name].where(first[name].notna(), second[name])
    for name in PLACES:
        out[name] = first[name].where(first[name] != UNKNOWN, second[name])
    untold = first["input_tokens"].isna() & first["output_tokens"].isna()
    for name in TOKENS:
        out[name] = first[name].where(~untold, second[name])
    out["adjusted"] = first["adjusted"].where(~untold, second["adjusted"])
    return out


def fill_here(told: pd.DataFrame, again: Mapping[int, Call]) -> pd.DataFrame:
    """The operations of a move, those that are told again in the same move filled; the index is their position."""
    positions = pd.Series(told.index, index=told["id"])
    pairs = [(int(positions[call.id]), position) for position, call in again.items() if call.id in positions.index]
    if not pairs:
        return told
    firsts, seconds = zip(*dict(reversed(pairs)).items(), strict=True)  # the earliest of several tellings fills
    first, second = told.loc[list(firsts)], told.loc[list(seconds)].set_axis(list(firsts), axis=0)
    return pd.concat([told.drop(index=list(firsts)), filled(first, second)]).sort_index()


def fill_stored(connection: Connection, seconds: pd.DataFrame, zone: ZoneInfo) -> int:
    """Fill operations that were stored earlier; `seconds` has their `call_id` and `call_day`. How many were changed."""
    if seconds.empty:
        return 0
    seconds = seconds.drop_duplicates("call_id").set_index("call_id")
    before = operations.stored(
        connection,
        "(o.day, o.id) in (select * from unnest(cast(:days as date[]), cast(:ids as uuid[])))",
        {"days": seconds["call_day"].tolist(), "ids": seconds.index.tolist()},
    ).set_index("id", drop=False)
    after = filled(before, seconds.loc[before.index].set_axis(before.index, axis=0))
    gained = before[list(FIELDS)].isna() & after[list(FIELDS)].notna()
    changed = gained.any(axis=1) | (before[list(PLACES)] != after[list(PLACES)]).any(axis=1)
    before, after = before[changed].reset_index(drop=True), after[changed].reset_index(drop=True)
    if after.empty:
        return 0
    after["series_id"] = series.resolve(connection, after)
    computed = after["price_version"].notna() | after["cost_nano"].isna()
    after["cost_nano"] = after["cost_nano"].mask(computed)
    after["cost_nano"], priced = price(after, overrides.load(connection))
    after["price_version"] = versions.of(connection, priced, after.index)
    operations.update(connection, after)
    changes.replace(connection, before, after, zone)
    newly = after[before["session_key"].isna() & after["session_key"].notna()]
    if len(newly):
        session_days.merge(
            connection, session_days.from_operations(newly.assign(series_id=series.resolve(connection, series.of_sessions(newly))))
        )
    return len(after)


def withdraw(connection: Connection, calls: list[Call], zone: ZoneInfo) -> None:
    """Take operations out again that turned out to be tellings of others."""
    if not calls:
        return
    where = {"days": [call.day for call in calls], "ids": [call.id for call in calls]}
    pairs = "select * from unnest(cast(:days as date[]), cast(:ids as uuid[]))"
    gone = operations.stored(connection, f"(o.day, o.id) in ({pairs})", where)
    for table in ("operations", "operation_payloads"):
        connection.execute(text(f"delete from {table} where (day, id) in ({pairs})"), where)  # noqa: S608 - constants
    changes.replace(connection, gone, gone.iloc[:0], zone)
    connection.execute(
        text(
            "update sessions s set operations = s.operations - 1"
            " from unnest(cast(:sources as text[]), cast(:keys as text[])) g (source, key)"
            " where s.source = g.source and s.session_key = g.key"
        ),
        gone[["source", "session_key"]].dropna().rename(columns={"source": "sources", "session_key": "keys"}).to_dict("list"),
    )

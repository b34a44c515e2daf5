"""Distinct users and sessions a day: exact keys, and beside them 16,384 bits for ranges too large to count exactly."""

from hashlib import blake2b
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, text

from services.db.copy import copy_rows

BITS = 16_384


def key_hash(key: str) -> int:
    """A signed 64-bit name of a user or session key; stable, so a deleted user can be found again."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)


def session_hash(source: str, session_key: str) -> int:
    """A session's key belongs to its source: two apps may both have a session "1"."""
    return key_hash(f"{source}\0{session_key}")


def merge(connection: Connection, operations: pd.DataFrame) -> None:
    """Add the users and sessions of operations (columns day, series_id, source, user_key, session_key)."""
    users = operations[["day", "series_id"]].assign(kind="user", key=operations["user_key"])
    sessions = operations[["day", "series_id"]].assign(kind="session", key=operations["source"] + "\0" + operations["session_key"])
    add_keys(connection, pd.concat([users, sessions]).dropna(subset="key"))


KEYS_OF = """
select (o.started_at at time zone :zone)::date as day, o.series_id, s.source, o.user_key, o.session_key
from (select distinct day, series_id from left_days) l
join operations o on o.series_id = l.series_id
 and o.started_at >= l.day::timestamp at time zone :zone and o.started_at < (l.day + 1)::timestamp at time zone :zone
join series s on s.id = o.series_id
where o.user_key is not null or o.session_key is not null
"""


def recount(connection: Connection, cells: pd.DataFrame, zone: ZoneInfo) -> None:
    """Count the users and sessions of cells (columns day, series_id) again from the stored operations."""
    connection.execute(text("create temp table if not exists left_days (day date, series_id integer) on commit delete rows"))
    copy_rows(connection, "left_days", cells.drop_duplicates())
    for table in ("rollup_distinct_key", "rollup_distinct"):
        where = "(d.day, d.series_id) = (l.day, l.series_id) and d.kind in ('user', 'session')"
        connection.execute(text(f"delete from {table} d using left_days l where {where}"))  # noqa: S608 - constant names
    rows = connection.execute(text(KEYS_OF), {"zone": zone.key}).all()
    connection.execute(text("truncate left_days"))
    if rows:
        merge(connection, pd.DataFrame(rows, columns=["day", "series_id", "source", "user_key", "session_key"]))


def add_keys(connection: Connection, keys: pd.DataFrame) -> None:
    """Add rows (day, series_id, kind, key) that may be known already."""
    unique = keys.drop_duplicates()
    if unique.empty:
        return
    codes, names = pd.factorize(unique["key"])
    hashes = np.array([key_hash(str(name)) for name in names], dtype=np.int64)
    rows = unique[["day", "series_id", "kind"]].assign(key_hash=hashes[codes])
    connection.execute(text("create temp table if not exists new_keys (like rollup_distinct_key) on commit delete rows"))
    copy_rows(connection, "new_keys", rows)
    added = connection.execute(
        text("insert into rollup_distinct_key select * from new_keys order by 1, 2, 3, 4 on conflict do nothing returning *")
    ).all()
    connection.execute(text("truncate new_keys"))
    if added:
        day, series_id, kind, hashed = zip(*added, strict=True)  # a frame of the rows themselves takes ten times as long
        _add_bits(connection, pd.DataFrame({"day": day, "series_id": series_id, "kind": kind, "key_hash": hashed}))


RENAME = """
update rollup_distinct_key k set key_hash = n.new_hash from new_names n join series s on s.source = n.source
where k.series_id = s.id and k.kind = n.kind and k.key_hash = n.old_hash
returning k.day, k.series_id, k.kind
"""


def rename(connection: Connection, names: pd.DataFrame) -> int:
    """Know keys by another hash from now on, on every day: columns source, kind, old_hash, new_hash; how many key rows. Counts stay."""
    columns = "source text, kind text, old_hash bigint, new_hash bigint"
    connection.execute(text(f"create temp table if not exists new_names ({columns}) on commit delete rows"))
    copy_rows(connection, "new_names", names[["source", "kind", "old_hash", "new_hash"]])
    renamed = connection.execute(text(RENAME)).all()
    connection.execute(text("truncate new_names"))
    cells = pd.DataFrame(renamed, columns=["day", "series_id", "kind"]).drop_duplicates()
    for _, of_day in cells.groupby("day"):  # the keys of one busy day at a time fit into memory
        _bits_again(connection, of_day)
    return len(renamed)


def _bits_again(connection: Connection, cells: pd.DataFrame) -> None:
    """Count cells (columns day, series_id, kind) again from their keys."""
    connection.execute(text("create temp table if not exists left_kinds (day date, series_id integer, kind text) on commit delete rows"))
    copy_rows(connection, "left_kinds", cells)
    rows = connection.execute(text("select k.* from rollup_distinct_key k join left_kinds using (day, series_id, kind)")).all()
    where = "(d.day, d.series_id, d.kind) = (l.day, l.series_id, l.kind)"
    connection.execute(text(f"delete from rollup_distinct d using left_kinds l where {where}"))  # noqa: S608 - a constant
    connection.execute(text("truncate left_kinds"))
    _add_bits(connection, pd.DataFrame(rows, columns=["day", "series_id", "kind", "key_hash"]))


def _add_bits(connection: Connection, added: pd.DataFrame) -> None:
    """Count keys that were new and set their bits. Built here: in SQL every key would cost a 2 kB bit string of its own."""
    positions = added.assign(position=added["key_hash"] & (BITS - 1)).groupby(["day", "series_id", "kind"])["position"]
    counts = positions.agg(n="size", bits=lambda members: "x" + _bits(members.to_numpy()).hex()).reset_index()
    connection.execute(text("create temp table if not exists new_bits (like rollup_distinct) on commit delete rows"))
    copy_rows(connection, "new_bits", counts)
    connection.execute(
        text(
            "insert into rollup_distinct as d select * from new_bits order by 1, 2, 3"
            " on conflict (day, series_id, kind) do update set n = d.n + excluded.n, bits = d.bits | excluded.bits"
        )
    )
    connection.execute(text("truncate new_bits"))


def _bits(positions: npt.NDArray[np.int64]) -> bytes:
    """BITS bits, the given positions set, counted from the left as Postgres does."""
    flags = np.zeros(BITS, dtype=bool)
    flags[positions] = True
    return np.packbits(flags).tobytes()

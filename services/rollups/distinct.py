"""Distinct users and sessions a day: exact keys, and beside them 16,384 bits for ranges too large to count exactly."""

from hashlib import blake2b

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from services.db.copy import copy_rows

BITS = 16_384


def key_hash(key: str) -> int:
    """A signed 64-bit name of a user or session key; stable, so a deleted user can be found again."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)


def merge(connection: Connection, operations: pd.DataFrame) -> None:
    """Add the users and sessions of operations (columns day, series_id, source, user_key, session_key)."""
    users = operations[["day", "series_id"]].assign(kind="user", key=operations["user_key"])
    sessions = operations[["day", "series_id"]].assign(kind="session", key=operations["source"] + "\0" + operations["session_key"])
    add_keys(connection, pd.concat([users, sessions]).dropna(subset="key"))


def add_keys(connection: Connection, keys: pd.DataFrame) -> None:
    """Add rows (day, series_id, kind, key) that may be known already."""
    unique = keys.drop_duplicates()
    if unique.empty:
        return
    codes, names = pd.factorize(unique["key"])
    hashes = np.array([key_hash(str(name)) for name in names], dtype=np.int64)
    connection.execute(
        text(
            "create temp table if not exists new_keys (day date, series_id integer, kind text, key_hash bigint) on commit delete rows"
        )
    )
    copy_rows(connection, "new_keys", unique[["day", "series_id", "kind"]].assign(key_hash=hashes[codes]))
    connection.execute(
        text(
            f"""
            with added as (
                insert into rollup_distinct_key (day, series_id, kind, key_hash)
                select day, series_id, kind, key_hash from new_keys order by 1, 2, 3, 4
                on conflict do nothing
                returning day, series_id, kind, key_hash
            )
            insert into rollup_distinct as d (day, series_id, kind, n, bits)
            select day, series_id, kind, count(*), {BITS_OF_KEYS} from added group by 1, 2, 3 order by 1, 2, 3
            on conflict (day, series_id, kind) do update set n = d.n + excluded.n, bits = d.bits | excluded.bits
            """  # noqa: S608 - the only inserted text is the constant below
        )
    )
    connection.execute(text("truncate new_keys"))


BITS_OF_KEYS = f"bit_or(set_bit(repeat('0', {BITS})::bit({BITS}), (key_hash & {BITS - 1})::integer, 1))"

"""Refused records get another chance once the rule or the reading that refused them has changed, or are thrown away."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, text

from services.accounts import audit
from services.errors import BadInput
from services.telemetry import inbox, otlp
from services.telemetry.importers.load import DOOR as FILES
from services.telemetry.records import Rejection, refusal

MOST = 10_000
MATCHES = """
(cast(:field as text) is null or field = :field) and (cast(:reason as text) is null or reason = :reason)
and (cast(:source as text) is null or source = :source)
"""
TAKE = f"""
delete from telemetry_rejected where id = any(array(
    select id from telemetry_rejected where complete and door <> :files and {MATCHES} order by id limit :most for update skip locked
)) returning id, (received_at at time zone 'UTC')::date as day, noun, source, environment, door, position, raw
"""  # noqa: S608 - of constants
# A record counts as refused on the day it was refused last: not on the first day too, nor for ever.
UNCOUNT = """
update telemetry_counts set rejected = greatest(rejected - :n, 0) where day = :day and source = :source and door = :door
"""


def replay(
    connection: Connection, field: str | None = None, reason: str | None = None, source: str | None = None, *, actor: str = "system"
) -> tuple[int, int]:
    """Send refused records that match (None: any) through the door again: how many, and how many of them were accepted.

    At most 10,000, the oldest first; only what was kept whole, and nothing of files, whose rows are no records. What is refused again is
    kept with its new reason. Raises TooMuch while the workers are too far behind; nothing has changed then.
    """
    asked = {"field": field, "reason": reason, "source": source}
    taken = list(connection.execute(text(TAKE), asked | {"files": FILES, "most": MOST}))
    taken.sort(key=_order)
    accepted = 0
    # By source and door, as the move counts: locks on the counts are taken in one order everywhere.
    for door, rows in groupby(taken, key=_door):
        of_door = list(rows)
        _uncount(connection, door, Counter(row.day for row in of_door))
        accepted += sum(_again(connection, list(alike)) for _, alike in groupby(of_door, key=_origin))
    counts = {"tried": len(taken), "accepted": accepted}
    kept = {"refused": len(taken) - accepted}
    audit.record(connection, actor, "rejected.replay", source or "*", {**asked, **counts}, before={"refused": len(taken)}, after=kept)
    return len(taken), accepted


def discard(
    connection: Connection,
    field: str | None = None,
    reason: str | None = None,
    source: str | None = None,
    *,
    up_to: int | None = None,
    actor: str = "system",
) -> int:
    """Delete refused records that match (None: any), whole or cut, files' rows included; how many. They stay counted as rejected.

    `up_to` is the newest id of those that somebody saw counted: what was refused after it stays.
    """
    asked = {"field": field, "reason": reason, "source": source}
    which = f"{MATCHES} and (cast(:up_to as bigint) is null or id <= :up_to)"
    gone = connection.execute(text(f"delete from telemetry_rejected where {which}"), asked | {"up_to": up_to}).rowcount  # noqa: S608 - constant
    audit.record(
        connection, actor, "rejected.discard", source or "*", asked | {"discarded": gone}, before={"refused": gone}, after={"refused": 0}
    )
    return gone


def _door(row: Row[Any]) -> tuple[str, str]:
    return row.source, row.door


def _origin(row: Row[Any]) -> tuple[str, ...]:
    return row.source, row.door, row.noun, row.environment or ""


def _order(row: Row[Any]) -> tuple[object, ...]:
    return *_origin(row), row.id


def _uncount(connection: Connection, door: tuple[str, str], refused: Mapping[date, int]) -> None:
    for day, n in sorted(refused.items()):
        connection.execute(text(UNCOUNT), {"n": n, "day": day, "source": door[0], "door": door[1]})


def _again(connection: Connection, rows: Sequence[Row[Any]]) -> int:
    """Rows of one origin back through the door; how many were accepted."""
    records: list[object] = []
    ignored = 0
    for row in rows:
        told, no_calls = _told(row)
        records += told
        ignored += no_calls
    receipt = inbox.accept(
        connection,
        rows[0].noun,
        records,
        source=rows[0].source,
        environment=rows[0].environment,
        door=rows[0].door,
        ignored=ignored,
    )
    return receipt.accepted


def _told(row: Row[Any]) -> tuple[Sequence[object | Rejection], int]:
    """What a refused row tells today: its records, and how many spans in it are no AI calls."""
    raw = json.loads(row.raw)
    if row.noun != "operations" or not isinstance(raw, dict) or "resourceSpans" not in raw:
        return [raw], 0
    try:
        read = otlp.read(otlp.from_json(row.raw.encode()))
    except BadInput as error:
        return [refusal(row.position, ("(record)", str(error)), raw)], 0
    if not read.records and not read.ignored:
        return [refusal(row.position, ("(record)", "holds no span"), raw)], 0
    return read.records, read.ignored

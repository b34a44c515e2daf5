"""One call, told twice: which operations of a move are calls that were counted already, by another library or in another span.

Two tellings are one call when
- the provider's answer has the same name in both, they are told by different libraries, and they overlap in time; or
- one span is the parent of the other, both are AI calls and ended alike: a call takes in one child, so retries stay calls; or
- both failed without an answer, in the same process, to the same model, told by different libraries, one within the other in time.
None of it depends on the order of arrival. What was told is remembered for as long as a sender may still bring the second half.
Keys are random, so they are looked up and written in their order: each page of the index is then read once a move, not once a key.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from operator import itemgetter

import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection, text

from services.db.copy import copy_rows

KEPT = timedelta(days=2)
LONGEST_PARENT_H = 6
CLOCK_SLACK = timedelta(milliseconds=5)  # two libraries in one process start their clocks one after the other
ALIAS, CHILD, RESPONSE, BESIDE = "a", "c", "r", "b"
NOTED = ("kind", "key", "operation_id", "day", "failed", "told_by", "started_at", "ended_at")

# `offset 0` keeps a look-up a look-up: a planner that joins instead reads all that is remembered for every move.
KNOWN = f"""
select t.kind::text as kind, encode(uuid_send(t.key), 'hex') as key, encode(uuid_send(t.operation_id), 'hex') as operation_id,
       t.day, t.failed, t.told_by, t.started_at, t.ended_at
from unnest(cast(:keys as uuid[])) k (key)
cross join lateral (
    select * from operation_tellings t where t.key = k.key and t.noted_at > now() - interval '{KEPT.days} days' offset 0
) t
order by t.noted_at
"""  # noqa: S608 - a constant
PARENTS = """
select encode(uuid_send(o.id), 'hex') as id, o.day, o.error_type is not null as failed
from unnest(cast(:ids as uuid[]), cast(:days as date[])) p (id, day)
cross join lateral (
    select * from operations o where o.id = p.id and o.day = p.day and o.day between cast(:first as date) and cast(:last as date) offset 0
) o
"""


@dataclass(frozen=True, slots=True)
class Call:
    """An operation that is or will be stored."""

    id: str
    day: date
    failed: bool


@dataclass(frozen=True, slots=True)
class Telling:
    """Which call was told, by whom, and when it was."""

    call: Call
    told_by: str
    started_at: datetime
    ended_at: datetime

    def overlaps(self, other: "Telling") -> bool:
        """Whether both were under way at some moment."""
        return self.started_at <= other.ended_at + CLOCK_SLACK and other.started_at <= self.ended_at + CLOCK_SLACK

    def within(self, other: "Telling") -> bool:
        """Whether this one began and ended inside the other."""
        return other.started_at - CLOCK_SLACK <= self.started_at and self.ended_at <= other.ended_at + CLOCK_SLACK


@dataclass(frozen=True, slots=True)
class Arrival:
    """What of an operation matters here; `position` is its row."""

    position: int
    id: str
    parent: str | None
    response_key: str | None
    beside_key: str | None
    telling: Telling


@dataclass(slots=True)
class Known:
    """What is remembered, as far as the operations of one move may touch it; calls by the id of a span that tells them."""

    calls: dict[str, Call] = field(default_factory=dict)
    children: dict[str, list[Telling]] = field(default_factory=lambda: defaultdict(list))
    twins: dict[tuple[str, str], list[Telling]] = field(default_factory=lambda: defaultdict(list))
    joined: dict[str, Call] = field(default_factory=dict)

    def now(self, call: Call) -> Call:
        """The call that stands for this one, should they have turned out to be one."""
        while call.id in self.joined:
            call = self.joined[call.id]
        return call


@dataclass(slots=True)
class Settled:
    """By position in the move the call that an operation tells again; calls stored earlier that are no calls of their own, with the one
    that stands for them; and what is to be remembered.
    """

    again: dict[int, Call] = field(default_factory=dict)
    withdrawn: list[tuple[Call, Call]] = field(default_factory=list)
    noted: list[tuple[int, str, str, Telling]] = field(default_factory=list)


def settle(connection: Connection, operations: pd.DataFrame) -> Settled:
    """Decide over operations in order of arrival: columns id as hex, day, started_at, latency_us, error_type and the keys of the inbox."""
    arrivals = list(_arrivals(operations[operations["told_by"].notna()]))
    return decide(arrivals, _known(connection, arrivals)) if arrivals else Settled()


def decide(arrivals: Iterable[Arrival], known: Known) -> Settled:
    """The decision itself, on what is known; adds what it learns to `known`."""
    settled = Settled()
    here: dict[str, int] = {}  # calls that would be stored by this very move
    for arrival in arrivals:
        told = known.calls.get(arrival.id)
        if told is not None:
            if known.now(told).id != arrival.id:
                settled.again[arrival.position] = known.now(told)  # taken in before, and sent again
            continue
        found = [known.now(call) for call in _same(arrival, known) if known.now(call).id != arrival.id]
        call = found[0] if found else arrival.telling.call
        for other in found[1:]:
            if other.id != call.id:
                _join(other, call, known, settled, here)
        telling = arrival.telling
        if found:
            telling = replace(telling, call=call)
            settled.again[arrival.position] = call
            settled.noted.append((arrival.position, ALIAS, arrival.id, telling))
        else:
            here[arrival.id] = arrival.position
        _note(arrival, telling, known, settled)
    return settled


def _same(arrival: Arrival, known: Known) -> Iterator[Call]:
    """Every call known so far that this arrival tells again."""
    for found in (_twin(arrival, known), _within_parent(arrival, known), _around_child(arrival, known)):
        if found is not None:
            yield found


def _note(arrival: Arrival, telling: Telling, known: Known, settled: Settled) -> None:
    known.calls[arrival.id] = telling.call
    for kind, key in ((RESPONSE, arrival.response_key), (BESIDE, arrival.beside_key)):
        if key:
            known.twins[kind, key].append(telling)
            settled.noted.append((arrival.position, kind, key, telling))
    if arrival.parent:
        known.children[arrival.parent].append(telling)
        settled.noted.append((arrival.position, CHILD, arrival.parent, telling))


def _join(gone: Call, kept: Call, known: Known, settled: Settled, here: dict[str, int]) -> None:
    """Two calls counted so far turn out to be one."""
    known.joined[gone.id] = kept
    if gone.id in here:
        settled.again[here[gone.id]] = kept
    else:
        settled.withdrawn.append((gone, kept))


def _within_parent(arrival: Arrival, known: Known) -> Call | None:
    """The call of the parent span, unless another child is that call already, or it ended otherwise."""
    parent = known.calls.get(arrival.parent) if arrival.parent else None
    if parent is None or arrival.parent is None or parent.failed != arrival.telling.call.failed:
        return None
    call = known.now(parent)
    return None if any(known.now(child.call).id == call.id for child in known.children[arrival.parent]) else call


def _around_child(arrival: Arrival, known: Known) -> Call | None:
    """The call of the first child span that ended as this one did."""
    return next((c.call for c in known.children.get(arrival.id, ()) if c.call.failed == arrival.telling.call.failed), None)


def _twin(arrival: Arrival, known: Known) -> Call | None:
    """The earliest call with the same key, told by other libraries only, and at the same time."""
    for kind, key in ((RESPONSE, arrival.response_key), (BESIDE, arrival.beside_key)):
        candidates = known.twins.get((kind, key), []) if key else []
        own = {known.now(t.call).id for t in candidates if t.told_by == arrival.telling.told_by}
        for other in candidates:
            if known.now(other.call).id not in own and _meet(kind, arrival.telling, other):
                return other.call
    return None


def _meet(kind: str, one: Telling, other: Telling) -> bool:
    return one.overlaps(other) if kind == RESPONSE else one.within(other) or other.within(one)


def remember(connection: Connection, settled: Settled, is_new: Sequence[bool]) -> None:
    """Keep what was noted of operations that were new or told again; what was stored before is remembered already."""
    for gone, kept in settled.withdrawn:
        connection.execute(
            text("update operation_tellings set operation_id = cast(:kept as uuid), day = :day where operation_id = cast(:gone as uuid)"),
            {"kept": kept.id, "day": kept.day, "gone": gone.id},
        )
    aliases = [(ALIAS, gone.id, kept.id, kept.day, kept.failed, "", None, None) for gone, kept in settled.withdrawn]
    noted = [
        (kind, key, t.call.id, t.call.day, t.call.failed, t.told_by, t.started_at, t.ended_at)
        for position, kind, key, t in settled.noted
        if is_new[position] or position in settled.again
    ]
    if noted or aliases:
        columns = [list(column) for column in zip(*sorted([*aliases, *noted], key=itemgetter(1)), strict=True)]
        copy_rows(connection, "operation_tellings", pa.table(dict(zip(NOTED, columns, strict=True))))


def forget_old(connection: Connection) -> int:
    """Drop what no sender will come back to; how many rows."""
    return connection.execute(text("delete from operation_tellings where noted_at < now() - :kept"), {"kept": KEPT}).rowcount


def _arrivals(operations: pd.DataFrame) -> Iterator[Arrival]:
    ended_at = operations["started_at"] + pd.to_timedelta(operations["latency_us"].fillna(0).astype("int64"), unit="us")
    days = [day.date() if isinstance(day, datetime) else day for day in operations["day"]]
    columns = [operations[name].tolist() for name in ("position", "id", "told_by", "parent", "response_key", "beside_key")]
    failed = operations["error_type"].notna().tolist()
    spans = zip(operations["started_at"].dt.to_pydatetime(), ended_at.dt.to_pydatetime(), strict=True)
    for position, key, told_by, parent, response_key, beside_key, day, bad, (start, end) in zip(*columns, days, failed, spans, strict=True):
        telling = Telling(Call(key, day, bad), told_by, start, end)
        yield Arrival(position, key, _hex(parent), _hex(response_key), _hex(beside_key), telling)


def _hex(value: object) -> str | None:
    return value.hex() if isinstance(value, bytes) else None


def _days(telling: Telling) -> Iterator[date]:
    yield telling.call.day
    if telling.started_at.hour < LONGEST_PARENT_H:
        yield telling.call.day - timedelta(days=1)


def _known(connection: Connection, arrivals: Sequence[Arrival]) -> Known:
    known = Known()
    keys = {key for a in arrivals for key in (a.id, a.parent, a.response_key, a.beside_key) if key}
    for row in connection.execute(text(KNOWN), {"keys": _array(sorted(keys))}):
        telling = Telling(Call(row.operation_id, row.day, row.failed), row.told_by, row.started_at, row.ended_at)
        if row.kind == ALIAS:
            known.calls[row.key] = telling.call
        elif row.kind == CHILD:
            known.children[row.key].append(telling)
        else:
            known.twins[row.kind, row.key].append(telling)
    # A parent began on the same day as its child, or just before midnight.
    parents = {(a.parent, day) for a in arrivals if a.parent and a.parent not in known.calls for day in _days(a.telling)}
    if parents:
        ids, days = zip(*sorted(parents), strict=True)
        for found in connection.execute(text(PARENTS), {"ids": _array(ids), "days": _array(days), "first": min(days), "last": max(days)}):
            known.calls[found.id] = Call(found.id, found.day, found.failed)
    return known


def _array(values: Iterable[object]) -> str:
    """One literal instead of tens of thousands, which take longer to parse than to look up; for ids and days, which need no quotes."""
    return f"{{{','.join(map(str, values))}}}"

"""Which jobs are meant: one set of filters for the list, its count, and what is done to everything that matches."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict, get_args

from sqlalchemy import Connection, text

from services.errors import BadInput

State = Literal["queued", "retry", "running", "done", "cancelled", "dead", "discarded", "waiting", "live"]
STATES = get_args(State)
LONGEST_TRANSACTION = timedelta(hours=1)  # ids follow the clock within this


class Filters(TypedDict, total=False):
    """Nothing given, everything meant; None is as good as not given. All that are given must hold.

    `state` is one of the table's, or waiting (queued, retry), live (waiting, running), discarded (dead and put aside; `dead` is the rest).
    `args` is (path, value) as in `args.customer.id:17`: a dotted path into the arguments, and what is there or in a list there.
    `since` (inclusive) and `until` (exclusive) are aware and cut by when the job was made.
    """

    state: str | None
    queue: str | None
    kind: str | None
    tag: str | None
    actor: str | None
    since: datetime | None
    until: datetime | None
    args: tuple[str, str] | None
    fingerprint: str | None


EQUAL = {"queue": "queue = :queue", "kind": "kind = :kind", "actor": "created_by = :actor", "fingerprint": "fingerprint = :fingerprint"}
STATE = {
    "waiting": "state in ('queued', 'retry')",
    "live": "state in ('queued', 'retry', 'running')",
    "dead": "state = 'dead' and discarded_at is null",
    "discarded": "state = 'dead' and discarded_at is not null",
}


def where(connection: Connection, filters: Filters) -> tuple[str, dict[str, Any]]:
    """The condition on `jobs` and its parameters; raises BadInput for a filter nobody can mean."""
    told = {name: value for name, value in filters.items() if value is not None}
    parts, values = ["true"], {name: told[name] for name in EQUAL if name in told}
    parts += [EQUAL[name] for name in values]
    if "state" in told:
        parts.append(_state(str(told["state"])))
    if "tag" in told:
        parts.append("tags @> array[cast(:tag as text)]")
        values["tag"] = told["tag"]
    if filters.get("args"):
        shapes = dict(_shapes(*filters["args"] or ("", "")))
        parts.append("(" + " or ".join(f"args @> cast(:{name} as jsonb)" for name in shapes) + ")")
        values |= shapes
    for name, sign in (("since", ">="), ("until", "<")):
        instant = told.get(name)
        if isinstance(instant, datetime):
            parts.append(f"created_at {sign} :{name} and id {sign} :{name}_id")
            values |= {name: instant, f"{name}_id": _id_at(connection, instant, name)}
    return " and ".join(parts), values


def _state(name: str) -> str:
    if name not in STATES:
        raise BadInput(f"There is no state '{name}': it is one of {', '.join(STATES)}.")
    return STATE.get(name, f"state = '{name}'")


def _shapes(path: str, value: str) -> Iterator[tuple[str, str]]:
    """JSON that the arguments may contain: the value as it is written or as JSON reads it, there or in a list there."""
    keys = path.removeprefix("args.").split(".")
    if not all(keys) or "\0" in path + value:
        raise BadInput(f"'{path}' is no path into a job's arguments: write it as customer.id.")
    meanings: list[object] = [value]
    try:
        read = json.loads(value, parse_constant=str)
    except ValueError:
        read = value
    if not isinstance(read, str):
        meanings.append(read)
    for number, meaning in enumerate([*meanings, *([one] for one in meanings)]):
        shape = meaning
        for key in reversed(keys):
            shape = {key: shape}
        yield f"args_{number}", json.dumps(shape)


def _id_at(connection: Connection, instant: datetime, name: str) -> int:
    """A bound on ids that time implies, so that the newest or oldest million need not be read: found by halving the ids there are.

    Ids are given when a row is written and `created_at` is when its transaction began, so they agree within the longest transaction.
    """
    if instant.utcoffset() is None:
        raise BadInput(f"'{name}' must say its zone.")
    edge = instant - LONGEST_TRANSACTION if name == "since" else instant + LONGEST_TRANSACTION
    following = text("select id, created_at from jobs where id >= :id order by id limit 1")
    low, high = connection.execute(text("select coalesce(min(id), 0), coalesce(max(id), 0) + 1 from jobs")).one()
    while low < high:
        middle = (low + high) // 2
        found = connection.execute(following, {"id": middle}).one_or_none()
        if found is None or found.created_at >= edge:
            high = middle
        else:
            low = found.id + 1
    return int(low)

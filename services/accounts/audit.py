"""Who changed what, from what, to what: kept for ever.

A line keeps the actor's name of that day. No name of an account is ever given to another one (`names`), nor that of a key, so whatever
an account is called by now, a name says who it was.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

Told = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Line:
    """One change. `before` and `after` are None where there was, or is, nothing; `detail` is what else there is to say."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    detail: dict[str, Any]


def record(
    connection: Connection,
    actor: str,
    action: str,
    subject: str,
    detail: Told | None = None,
    *,
    before: Told | None = None,
    after: Told | None = None,
) -> None:
    """Write one line in the caller's transaction: the change and its record stand or fall together. Never a secret."""
    connection.execute(
        text(
            "insert into audit (actor, action, subject, detail, before, after) values (:actor, :action, :subject,"
            " cast(:detail as jsonb), cast(:before as jsonb), cast(:after as jsonb))"
        ),
        {"actor": actor, "action": action, "subject": subject, "detail": json.dumps(detail or {})}
        | {"before": _as_json(before), "after": _as_json(after)},
    )


def listing(
    connection: Connection,
    *,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[Line]:
    """Lines that match, newest first. `action` is a whole one or the noun before its dot; `subject` any part of one, whatever its case."""
    found = connection.execute(
        text(
            "select id, at, actor, action, subject, before, after, detail from audit"
            " where (cast(:actor as text) is null or actor = :actor)"
            " and (cast(:action as text) is null or action = :action or split_part(action, '.', 1) = :action)"
            " and (cast(:subject as text) is null or strpos(lower(subject), lower(:subject)) > 0)"
            " and (cast(:before_id as bigint) is null or id < :before_id) order by id desc limit :limit"
        ),
        {"actor": actor, "action": action, "subject": subject, "before_id": before_id, "limit": limit},
    )
    return [Line(*row) for row in found]


def known(connection: Connection) -> tuple[list[str], list[str]]:
    """The actors and the actions there are, by name."""
    actors = connection.execute(text("select distinct actor from audit order by 1")).scalars().all()
    return list(actors), list(connection.execute(text("select distinct action from audit order by 1")).scalars())


def _as_json(told: Told | None) -> str | None:
    return None if told is None else json.dumps(told, default=str)

"""Conversations and their turns: each asker's own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, text

from services.ask.asker import Asker
from services.ask.frame import Frame, from_json
from services.ask.subjects import SUBJECTS
from services.errors import BadInput, NotFound, TooMuch

A_MINUTE = 60
SHOWN = 50


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer. `rating` is 1 for helpful, 0 for not, None for not told."""

    id: int
    asked_at: datetime
    message: str
    source: str
    reply: Mapping[str, Any]
    response_ms: float
    rating: int | None


@dataclass(frozen=True, slots=True)
class Conversation:
    """`frame` is what was asked last in it."""

    id: UUID
    frame: Frame | None
    is_new: bool


def find(connection: Connection, told: str | None, asker: Asker) -> Conversation:
    """That conversation, or a new one; raises NotFound for one that is not the asker's and BadInput for what is no id."""
    if told is None:
        return Conversation(uuid4(), None, is_new=True)
    try:
        asked = UUID(told)
    except ValueError as error:
        raise BadInput("A conversation_id is as an earlier answer gave it; leave it out to begin anew.") from error
    row = connection.execute(
        text(f"select frame from ask_conversations where id = :id and {asker.owning}"),  # noqa: S608 - words of ours
        {"id": asked} | asker.values,
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such conversation of yours.")
    return Conversation(asked, from_json(row.frame, SUBJECTS) if row.frame else None, is_new=False)


def check_rate(connection: Connection, asker: Asker) -> None:
    """Raises TooMuch for whoever has asked as often as one may in a minute."""
    row = connection.execute(
        text(
            f"""
            select count(*) as n, ceil(extract(epoch from min(asked_at) + interval '1 minute' - now()))::int as wait_s
            from ask_turns where {asker.owning} and asked_at > now() - interval '1 minute'
            """  # noqa: S608 - words of ours
        ),
        asker.values,
    ).one()
    if row.n >= A_MINUTE:
        raise TooMuch(f"At most {A_MINUTE} questions a minute, please.", retry_after_s=max(row.wait_s, 1))


def keep(
    connection: Connection,
    conversation: Conversation,
    asker: Asker,
    message: str,
    source: str,
    reply: Mapping[str, Any],
    *,
    frame: Frame | None,
    blocked: Sequence[str],
    response_ms: float,
) -> int:
    """Note a turn and what it was about; its id. A lost note costs nobody anything, so nobody waits for the disk."""
    made: int = connection.execute(
        text(
            """
            with quick as (select set_config('synchronous_commit', 'off', true)),
            talk as (
                insert into ask_conversations (id, actor, owner_id, frame) select :id, :actor, :owner_id, cast(:frame as jsonb) from quick
                on conflict (id) do update set frame = coalesce(excluded.frame, ask_conversations.frame)
            )
            insert into ask_turns (conversation_id, actor, owner_id, message, source, reply, blocked, response_ms)
            values (:id, :actor, :owner_id, :message, :source, cast(:reply as jsonb), :blocked, :response_ms) returning id
            """
        ),
        {
            "id": conversation.id,
            "frame": json.dumps(frame.as_json()) if frame else None,
            "message": message,
            "source": source,
            "reply": json.dumps(reply),
            "blocked": list(blocked),
            "response_ms": response_ms,
        }
        | asker.values,
    ).scalar_one()
    return made


def turns(connection: Connection, conversation_id: str, asker: Asker) -> list[Turn]:
    """The newest turns of a conversation, oldest first; none of one that is not the asker's."""
    rows = connection.execute(
        text(
            f"""
            select * from (select id, asked_at, message, source, reply, response_ms, rating from ask_turns
            where conversation_id = cast(:id as uuid) and {asker.owning} order by id desc limit :most) t order by id
            """  # noqa: S608 - words of ours
        ),
        {"id": conversation_id, "most": SHOWN} | asker.values,
    )
    return [Turn(*row) for row in rows]


def listing(connection: Connection, asker: Asker) -> list[tuple[str, datetime, str]]:
    """Id, beginning and first question of the asker's newest conversations."""
    rows = connection.execute(
        text(
            f"""
            select c.id, c.started_at, (select t.message from ask_turns t where t.conversation_id = c.id order by t.id limit 1) as first
            from ask_conversations c where {asker.owning} order by c.started_at desc limit :most
            """  # noqa: S608 - words of ours
        ),
        {"most": SHOWN} | asker.values,
    )
    return [(str(row.id), row.started_at, row.first or "") for row in rows]


def rate(connection: Connection, turn_id: int, asker: Asker, rating: int) -> None:
    """Mark one's own answer as helpful (1) or not (0); raises NotFound for another's."""
    told = connection.execute(
        text(f"update ask_turns set rating = :rating where id = :id and {asker.owning} returning id"),  # noqa: S608 - words of ours
        {"id": turn_id, "rating": rating} | asker.values,
    ).scalar()
    if told is None:
        raise NotFound("There is no such answer of yours.")

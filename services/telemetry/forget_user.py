"""Delete one user's data: the key and its sessions' keys become random names, what was said goes; counts and cost stay."""

import json
import secrets
import time
from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, text

from services.accounts import audit
from services.db import transaction
from services.db.copy import copy_rows
from services.errors import BadInput, Conflict, Unavailable
from services.rollups import distinct, session_days
from services.rollups.state import lock, note_move
from services.telemetry import inbox
from services.telemetry.move import move_once

TRIES = 5
OURS = "binnacle"  # the source of our own calls
LONGEST_S, PAUSE_S = 600.0, 0.2  # how long the inbox may take to be moved, and how often to look while another move is at work
NAMES = ("source", "session_key", "own", "new_key", "word")
FORGOTTEN = """
create temp table if not exists forgotten_sessions (source text, session_key text, own boolean, new_key text, word text)
on commit delete rows
"""
# What a source may ask for is its own; without one the user is forgotten everywhere.
OF_SOURCE = "(cast(:source as text) is null or {name}.source = :source)"
SESSIONS = f"""
select source, session_key, bool_or(own) as own from (
    select s.source, s.session_key, true as own from sessions s where s.user_key = :key and {OF_SOURCE.format(name="s")}
    union all
    select s.source, o.session_key, false from operations o join series s on s.id = o.series_id
    where o.user_key = :key and o.session_key is not null and {OF_SOURCE.format(name="s")}
) found group by 1, 2
"""  # noqa: S608 - constants
OPERATIONS = f"series s where s.id = o.series_id and o.user_key = :key and {OF_SOURCE.format(name='s')}"
# In a session of the user, an operation that names nobody is the user's too.
PAYLOADS = f"""
operations o join series s on s.id = o.series_id
left join forgotten_sessions f on f.source = s.source and f.session_key = o.session_key
where (p.day, p.id) = (o.day, o.id) and ((o.user_key = :key and {OF_SOURCE.format(name="s")}) or (f.own and o.user_key is null))
"""
# A refused record is kept as JSON: whole strings and numbers are compared. A line that was no record is one JSON string: any part of it.
SCALAR = r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*'
REJECTED = f"""
telemetry_rejected r where {OF_SOURCE.format(name="r")} and (
    (left(r.raw, 1) = '"' and strpos(r.raw, :part) > 0)
    or exists (
        select from regexp_matches(r.raw, :scalar, 'g') m
        where m[1] in (:word, :number) or (r.source, m[1]) in (select f.source, f.word from forgotten_sessions f)
    )
)
"""  # noqa: S608 - constants
# What was said of a session of the user is the user's, unless it names somebody else.
FEEDBACK = f"""
({OF_SOURCE.format(name="f")} and f.user_key = :key)
or (f.user_key is null and exists (select from forgotten_sessions n where (n.source, n.session_key) = (f.source, f.session_key) and n.own))
"""


def forget(user_key: str, source: str | None = None, *, actor: str) -> dict[str, int]:
    """Move what waits in the inbox, then `forget_user` in one transaction.

    Raises BadInput for no key, Unavailable while nothing is moved, Conflict while the user's telemetry arrives faster than it is moved.
    """
    for remaining in reversed(range(TRIES)):
        settle()
        try:
            with transaction() as connection:
                return forget_user(connection, user_key, source, actor=actor)
        except Conflict:
            if not remaining:
                raise
    raise AssertionError("the last try returns or raises")


def settle() -> None:
    """Move everything that had arrived by now; what arrives meanwhile need not be waited for. Raises Unavailable when it takes too long."""
    give_up_at = time.monotonic() + LONGEST_S
    with transaction() as connection:
        last = connection.execute(text("select max(id) from telemetry_inbox")).scalar()
    while last is not None and _waiting_until(last):
        if time.monotonic() > give_up_at:
            raise Unavailable("What arrived is not being moved, so nobody can be forgotten yet.")
        if not move_once().rows:
            time.sleep(PAUSE_S)


def stored(connection: Connection, user_key: str, source: str | None = None) -> dict[str, int]:
    """How much is stored of a user: operations, sessions, payloads, refused records. Raises BadInput for no key."""
    asked = _asked(user_key, source)
    sessions = _note_sessions(connection, asked)

    def counted(of: str) -> int:
        return int(connection.execute(text(f"select count(*) from {of}"), asked).scalar_one())  # noqa: S608 - constants

    return {
        "payloads": counted(f"operation_payloads p, {PAYLOADS}"),
        "rejected": counted(REJECTED),
        "operations": counted(f"operations o, {OPERATIONS}"),
        "feedback": counted(f"feedback f where {FEEDBACK}"),
        "sessions": len(sessions),
    }


def forget_user(connection: Connection, user_key: str, source: str | None = None, *, actor: str) -> dict[str, int]:
    """Forget a user, or what one source told of them, in the caller's transaction, which becomes the only writer; how many rows of what.

    All rows of the user get one new random name, so every count stays; with a `source`, the user is from then on two in counts over
    several sources. Subject and cohort of the user's sessions go, their topics are categories and stay. Days whose operations were
    dropped are included. Raises BadInput for no key, and Conflict while telemetry of the user waits to be moved.
    """
    asked = _asked(user_key, source)
    lock(connection, wait=True)
    sessions = _note_sessions(connection, asked)
    if _arriving(connection, user_key, source, sessions):
        raise Conflict("Telemetry of this user is arriving just now; it must be moved first.")
    new_key = f"deleted-{secrets.token_hex(8)}"
    asked |= {"new_key": new_key, "ours": OURS}

    def changed(statement: str) -> int:
        return connection.execute(text(statement), asked).rowcount

    counts = {
        "payloads": changed(f"delete from operation_payloads p using {PAYLOADS}"),  # noqa: S608 - constants
        "rejected": changed(f"delete from telemetry_rejected where id in (select r.id from {REJECTED})"),  # noqa: S608
        "operations": changed(f"update operations o set user_key = :new_key from {OPERATIONS}"),  # noqa: S608
    }
    changed(
        "update operations o set session_key = f.new_key from series s join forgotten_sessions f on f.source = s.source"
        " where s.id = o.series_id and o.session_key = f.session_key"
    )
    session_days.note(connection, sessions, -1)
    counts["sessions"] = changed(
        "update sessions s set session_key = f.new_key, user_key = case when f.own then :new_key else s.user_key end,"
        " subject = case when not f.own then s.subject end, cohort = case when not f.own then s.cohort end"
        " from forgotten_sessions f where (s.source, s.session_key) = (f.source, f.session_key)"
    )
    # Who spends most is found again within the hour.
    changed("delete from cost_spenders where kind = 'user' and key = :key")
    changed(
        "delete from cost_spenders c using forgotten_sessions f where c.kind = 'session' and (c.source, c.key) = (f.source, f.session_key)"
    )
    session_days.note(connection, sessions.assign(session_key=sessions["new_key"]), 1)
    session_days.settle_notes(connection)
    counts["feedback"] = changed(
        f"update feedback f set comment = null, user_key = case when f.user_key is not null then :new_key end where {FEEDBACK}"  # noqa: S608
    )
    changed(
        "update feedback f set session_key = n.new_key from forgotten_sessions n"
        " where (f.source, f.session_key) = (n.source, n.session_key)"
    )
    if source in (None, OURS):
        # What the user asked our models and was told; the calls themselves stay, with their cost.
        counts["turns"] = changed("delete from ai_turns where user_key = :key")
        changed("update ai_ledger set user_key = :new_key where user_key = :key")
        changed("update budgets set name = :new_key where scope = 'user' and name = :key")
        changed(
            "update ai_ledger l set session_key = f.new_key from forgotten_sessions f"
            " where f.source = :ours and l.session_key = f.session_key"
        )
    counts["counted_keys"] = distinct.rename(connection, _renamed(connection, asked, sessions))
    note_move(connection)
    audit.record(connection, actor, "user.forget", new_key, {"source": source, **counts}, before=counts, after={"user": new_key})
    return counts


def _asked(user_key: str, source: str | None) -> dict[str, object]:
    """What the statements above are asked about."""
    if not user_key or "\0" in user_key:
        raise BadInput("Name the key of the user to forget.")
    word = json.dumps(user_key)
    number = user_key if user_key.isascii() and user_key.isdigit() else word
    return {"key": user_key, "source": source, "word": word, "part": word[1:-1], "number": number, "scalar": SCALAR}


def _waiting_until(last: int) -> bool:
    with transaction() as connection:
        return bool(connection.execute(text("select exists (select from telemetry_inbox where id <= :last)"), {"last": last}).scalar_one())


def _note_sessions(connection: Connection, asked: Mapping[str, object]) -> pd.DataFrame:
    """The sessions in which the user was seen (NAMES), and whether they are the user's `own`; kept beside for this transaction."""
    rows = connection.execute(text(SESSIONS), asked).all()
    named = [(row.source, row.session_key, row.own, f"deleted-{secrets.token_hex(8)}", json.dumps(row.session_key)) for row in rows]
    sessions = pd.DataFrame(named, columns=list(NAMES))
    connection.execute(text(FORGOTTEN))
    connection.execute(text("delete from forgotten_sessions"))
    if len(sessions):
        copy_rows(connection, "forgotten_sessions", sessions)
    return sessions


def _arriving(connection: Connection, user_key: str, source: str | None, sessions: pd.DataFrame) -> bool:
    """Whether the inbox holds anything of the user or of the sessions."""
    for row in connection.execute(text("select source, payload from telemetry_inbox")):
        table = inbox.unpack(row.payload)
        mine = source in (None, row.source) and pc.any(pc.equal(table["user_key"], user_key)).as_py()
        keys = pa.array(sessions.loc[sessions["source"] == row.source, "session_key"].tolist(), pa.string())
        if mine or pc.any(pc.is_in(table["session_key"], value_set=keys)).as_py():
            return True
    return False


def _renamed(connection: Connection, asked: Mapping[str, object], sessions: pd.DataFrame) -> pd.DataFrame:
    """The hashes to exchange, as `distinct.rename` takes them."""
    sources = connection.execute(text(f"select distinct s.source from series s where {OF_SOURCE.format(name='s')}"), asked).scalars()  # noqa: S608
    old, new = (distinct.key_hash(str(asked[name])) for name in ("key", "new_key"))
    users = [(source, kind, old, new) for source in sources for kind in ("user", "session_user")]
    own = [
        (row.source, "session", distinct.session_hash(row.source, row.session_key), distinct.session_hash(row.source, row.new_key))
        for row in sessions.itertuples()
    ]
    return pd.DataFrame(users + own, columns=["source", "kind", "old_hash", "new_hash"])

"""The list of sessions, newest first, a page at a time by the place of the last one shown: as fast on the last page as on the first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, unquote

from sqlalchemy import Connection, text

from services.errors import BadInput, NotFound
from services.sessions.session import ODD, SELECT, STARTED, Session

PAGE_ROWS = 50
LONGEST_SEARCH = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """[start, end) by start of the session. `search` is the beginning of a session's id or a whole user key; `where` as in metrics."""

    start: datetime
    end: datetime
    search: str = ""
    subject: str | None = None
    cohort: str | None = None
    odd: str | None = None
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """`older` is the place to go on from, None at the end."""

    sessions: list[Session]
    older: str | None


def page(connection: Connection, wanted: Wanted, before: str | None = None) -> Page:
    """The newest sessions that match, or those older than the place `before`. Raises BadInput for a place or a word nobody knows."""
    conditions, values = _conditions(wanted)
    if before is not None:
        conditions.append(f"({STARTED}, s.source, s.session_key) < (:at, :source, :key)")
        values |= dict(zip(("at", "source", "key"), _place(before), strict=True))
    statement = (
        f"{SELECT} where {' and '.join(conditions)} order by {STARTED} desc, s.source desc, s.session_key desc limit {PAGE_ROWS + 1}"
    )
    found = [Session(*row) for row in connection.execute(text(statement), values)]
    shown = found[:PAGE_ROWS]
    return Page(shown, _name(shown[-1]) if len(found) > PAGE_ROWS else None)


def get(connection: Connection, source: str, key: str) -> Session:
    """One session; raises NotFound."""
    row = connection.execute(text(f"{SELECT} where (s.source, s.session_key) = (:source, :key)"), {"source": source, "key": key})
    session = row.one_or_none()
    if session is None:
        raise NotFound(f"The source '{source[:100]}' has told of no session '{key[:100]}'.")
    return Session(*session)


def _conditions(wanted: Wanted) -> tuple[list[str], dict[str, object]]:
    conditions = [f"{STARTED} >= :start", f"{STARTED} < :end"]
    values: dict[str, object] = {"start": wanted.start, "end": wanted.end}
    if wanted.search:
        if len(wanted.search) > LONGEST_SEARCH or "\0" in wanted.search:
            raise BadInput(f"Search for up to {LONGEST_SEARCH} characters.")
        conditions.append("(s.session_key like :prefix or s.user_key = :search)")
        values |= {"search": wanted.search, "prefix": wanted.search.translate({ord(c): f"\\{c}" for c in "\\%_"}) + "%"}
    for name, told in (("subject", wanted.subject), ("cohort", wanted.cohort)):
        if told is not None:
            conditions.append(f"coalesce(nullif(s.{name}, ''), '(no {name})') = :{name}")
            values[name] = told
    if wanted.odd is not None:
        if wanted.odd not in ODD:
            raise BadInput(f"Sessions are not sorted out by '{wanted.odd[:100]}': choose one of {', '.join(ODD)}.")
        conditions.append(ODD[wanted.odd])
    for name in ("environment", "source", "module"):
        if picked := wanted.where.get(name):
            conditions.append(f"x.{name} = any(:x_{name})")
            values[f"x_{name}"] = list(picked)
    return conditions, values


def _name(session: Session) -> str:
    """The place of a session in the list, fit for an address."""
    return ",".join(quote(part, safe="") for part in (session.started_at.isoformat(), session.source, session.key))


def _place(name: str) -> tuple[datetime, str, str]:
    parts = [unquote(part) for part in name.split(",")]
    try:
        at, source, key = parts
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise BadInput("The address names no place in the list of sessions: go back to the newest.") from None
    if moment.tzinfo is None or "\0" in name or "\0" in source + key:
        raise BadInput("The address names no place in the list of sessions: go back to the newest.")
    return moment, source, key

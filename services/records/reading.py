"""One record, and those like it."""

from collections.abc import Callable, Iterator
from typing import Any, Literal, cast, overload

from sqlalchemy import Connection, Row, text

from services.errors import NotFound
from services.records import communities, projects
from services.records.communities import Community
from services.records.projects import Project

Kind = Literal["communities", "projects"]
Record = Community | Project
KINDS: tuple[Kind, ...] = ("communities", "projects")
BATCH = 2_000
YEARS = (
    "(select coalesce(jsonb_agg(jsonb_build_object('year', y.year, 'facts', y.facts, 'unknown', y.unknown, 'imported_at', y.imported_at)"
    " order by y.year), '[]') from project_years y where y.project_id = r.id) as years"
)
COLUMNS: dict[Kind, str] = {
    "communities": ", ".join(f"r.{name}" for name in communities.NAMES),
    "projects": ", ".join([*(f"r.{name}" for name in projects.NAMES), YEARS]),
}
FROM_ROW: dict[Kind, Callable[[Row[Any]], Record]] = {"communities": communities.from_row, "projects": projects.from_row}


def known(kind: str) -> Kind:
    """The kind of that name; raises NotFound."""
    if kind not in KINDS:
        raise NotFound(f"There are no records of the kind '{kind[:100]}': there are {' and '.join(KINDS)}.")
    return kind


@overload
def get(connection: Connection, kind: Literal["communities"], record_id: int) -> Community: ...
@overload
def get(connection: Connection, kind: Literal["projects"], record_id: int) -> Project: ...
@overload
def get(connection: Connection, kind: str, record_id: int) -> Record: ...
def get(connection: Connection, kind: str, record_id: int) -> Record:
    """The record of that id; raises NotFound."""
    noun = known(kind)
    row = connection.execute(
        text(f"select {COLUMNS[noun]} from {noun} r where r.id = :id"),  # noqa: S608 - both are words of ours
        {"id": record_id},
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no record {record_id} among the {noun}.")
    return FROM_ROW[noun](row)


def content_hash(connection: Connection, kind: str, record_id: int) -> str:
    """The hash of a record's facts, without reading them; raises NotFound."""
    noun = known(kind)
    found = connection.execute(
        text(f"select content_hash from {noun} where id = :id"),  # noqa: S608 - a word of ours
        {"id": record_id},
    ).scalar_one_or_none()
    if found is None:
        raise NotFound(f"There is no record {record_id} among the {noun}.")
    return cast(str, found)


@overload
def peers(connection: Connection, record: Community) -> Iterator[Community]: ...
@overload
def peers(connection: Connection, record: Project) -> Iterator[Project]: ...
@overload
def peers(connection: Connection, record: Record) -> Iterator[Record]: ...
def peers(connection: Connection, record: Record) -> Iterator[Record]:
    """The records it may be compared with, itself left out: communities of its level, projects of its source (so one currency).

    Read in batches, in the order of their ids, so that forty thousand of them never lie in memory at once.
    """
    alike, value = (
        ("r.geographic_level is not distinct from :value", record.geographic_level)
        if isinstance(record, Community)
        else ("r.source = :value", record.source)
    )
    statement = text(
        f"select {COLUMNS[record.kind]} from {record.kind} r where {alike} and r.id <> :self and r.id > :after order by r.id limit {BATCH}"  # noqa: S608 - words of ours
    )
    after = 0
    while rows := connection.execute(statement, {"value": value, "self": record.id, "after": after}).all():
        after = rows[-1].id
        yield from (FROM_ROW[record.kind](row) for row in rows)

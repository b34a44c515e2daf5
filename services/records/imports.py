"""Imports of records: what each file was, how far it is, what became of its rows."""

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, Row, text

from services import jobs
from services.accounts import audit
from services.errors import BadInput, NotFound
from services.records.keeping import as_json
from services.records.maps import Map

JOB, QUEUE = "records.import", "default"
LARGEST_FILE = 100 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Import:
    """One file. `state` is waiting, running, done or broken; `fault` says where it broke, and the rows before that are kept.

    `read` rows became `new`, `changed`, `unchanged` or `rejected`; `unknown` counts fields, `doubtful` what somebody should look at.
    """

    id: int
    kind: str
    source: str
    map_name: str
    file_name: str
    bytes: int
    actor: str
    state: str
    fault: str | None
    columns: dict[str, str]
    consumed: int
    read: int
    new: int
    changed: int
    unchanged: int
    rejected: int
    unknown: int
    doubtful: int
    created_at: datetime
    finished_at: datetime | None


NAMES = tuple(field.name for field in fields(Import))


def begin(connection: Connection, plan: Map, map_name: str, file_name: str, size: int, actor: str) -> int:
    """A new import, audited; its id. Raises BadInput for a file that is too large to keep whole."""
    if size > LARGEST_FILE:
        raise BadInput(f"{file_name} has {size:,} bytes; the most is {LARGEST_FILE:,}. Import it in parts.")
    name = file_name.replace("\0", "")[:200]
    import_id = connection.execute(
        text(
            "insert into record_imports (kind, source, map_name, file_name, bytes, actor)"
            " values (:kind, :source, :map_name, :file_name, :bytes, :actor) returning id"
        ),
        {"kind": plan.kind, "source": plan.source, "map_name": map_name, "file_name": name, "bytes": size, "actor": actor},
    ).scalar_one()
    told = {"import": import_id, "map": map_name, "bytes": size}
    audit.record(connection, actor, "records.import", name, told, after=told)
    return int(import_id)


def queue(connection: Connection, import_id: int, plan: Map, content: bytes, actor: str) -> None:
    """Let a worker do it: the file waits in the database, as no folder is shared with workers."""
    connection.execute(
        text("insert into record_files (import_id, map, content) values (:id, cast(:map as jsonb), :content)"),
        {"id": import_id, "map": as_json(plan.model_dump(mode="json")), "content": content},
    )
    jobs.enqueue(connection, JOB, {"id": import_id}, queue=QUEUE, cause=(JOB, import_id), created_by=actor)


def waiting(connection: Connection, import_id: int) -> tuple[Map, bytes]:
    """Map and content of a queued import; raises NotFound once it is done."""
    row = connection.execute(text("select map, content from record_files where import_id = :id"), {"id": import_id}).one_or_none()
    if row is None:
        raise NotFound(f"The file of import {import_id} is not there: the import is over.")
    return Map.model_validate(row.map), bytes(row.content)


def end(connection: Connection, import_id: int, fault: str | None) -> None:
    """An import is over, well or with a fault; its file is no longer needed."""
    connection.execute(
        text("update record_imports set state = :state, fault = :fault, finished_at = now() where id = :id"),
        {"id": import_id, "state": "done" if fault is None else "broken", "fault": fault},
    )
    connection.execute(text("delete from record_files where import_id = :id"), {"id": import_id})


def get(connection: Connection, import_id: int) -> Import:
    """The import of that id; raises NotFound."""
    row = connection.execute(text(f"select {', '.join(NAMES)} from record_imports where id = :id"), {"id": import_id}).one_or_none()  # noqa: S608 - columns are words of ours
    if row is None:
        raise NotFound(f"There is no import {import_id}.")
    return _import(row)


def listing(connection: Connection, most: int = 20) -> list[Import]:
    """The latest first."""
    rows = connection.execute(
        text(f"select {', '.join(NAMES)} from record_imports order by id desc limit :most"),  # noqa: S608 - columns are words of ours
        {"most": most},
    )
    return [_import(row) for row in rows]


def _import(row: Row[tuple[object, ...]]) -> Import:
    return Import(**{name: getattr(row, name) for name in NAMES})

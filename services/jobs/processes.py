"""Who is at work: one row a process, beating."""

import os
import socket
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID, uuid4

from sqlalchemy import Connection, text

from services import VERSION

BEAT_S = 10
STALE_S = 60
# The process `p` whose `Process.name` is :worker.
NAMED = "p.host || '.' || p.pid || '.' || left(p.id::text, 8) = :worker"


@dataclass(frozen=True, slots=True)
class Process:
    """This start of this process: its id is new at each boot, so nobody inherits the work of a namesake."""

    kind: Literal["dispatcher", "worker"]
    queue: str | None = None
    id: UUID = field(default_factory=uuid4)
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)

    @property
    def name(self) -> str:
        """What attempts say of who ran them."""
        return f"{self.host}.{self.pid}.{self.id.hex[:8]}"


def beat(connection: Connection, process: Process) -> bool:
    """Say that this process is alive; True when it was told to be quiet."""
    return bool(
        connection.execute(
            text(
                """
                insert into processes (id, kind, host, pid, queue, version) values (:id, :kind, :host, :pid, :queue, :version)
                on conflict (id) do update set beat_at = clock_timestamp()
                returning quiet_at is not null
                """
            ),
            {"id": process.id, "kind": process.kind, "host": process.host, "pid": process.pid, "queue": process.queue, "version": VERSION},
        ).scalar_one()
    )


def quiet(connection: Connection, worker: str) -> bool:
    """Whether the process of that name was told to take no further job."""
    asking = f"select exists (select from processes p where {NAMED} and quiet_at is not null)"  # noqa: S608 - words of ours
    return bool(connection.execute(text(asking), {"worker": worker}).scalar_one())


def leave(connection: Connection, process: Process) -> None:
    """Say that this process ends as it should."""
    connection.execute(text("delete from processes where id = :id"), {"id": process.id})


def forget_stale(connection: Connection) -> list[Process]:
    """Drop processes that have not beaten for a minute; which."""
    rows = connection.execute(
        text(
            """
            delete from processes where beat_at < clock_timestamp() - make_interval(secs => :stale)
            returning kind, queue, id, host, pid
            """
        ),
        {"stale": STALE_S},
    )
    return [Process(*row) for row in rows]

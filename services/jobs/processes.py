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


def beat(connection: Connection, process: Process) -> None:
    """Say that this process is alive."""
    connection.execute(
        text(
            """
            insert into processes (id, kind, host, pid, queue, version) values (:id, :kind, :host, :pid, :queue, :version)
            on conflict (id) do update set beat_at = clock_timestamp()
            """
        ),
        {"id": process.id, "kind": process.kind, "host": process.host, "pid": process.pid, "queue": process.queue, "version": VERSION},
    )


def leave(connection: Connection, process: Process) -> None:
    """Say that this process ends as it should."""
    connection.execute(text("delete from processes where id = :id"), {"id": process.id})


def forget_stale(connection: Connection) -> int:
    """Drop processes that have not beaten for a minute; how many."""
    return connection.execute(
        text("delete from processes where beat_at < clock_timestamp() - make_interval(secs => :stale)"), {"stale": STALE_S}
    ).rowcount

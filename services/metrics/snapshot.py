"""One state of the rollups, and what was read of it."""

from collections.abc import Callable, Hashable
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

Read = TypeVar("Read")


class Snapshot:
    """A connection in a transaction of repeatable reads, its days cut in `zone`: what was read once need not be read again.

    What `once` gives is shared by all who ask in this snapshot: it is read and never written to.
    """

    def __init__(self, connection: Connection, zone: ZoneInfo) -> None:
        self.connection = connection
        self.zone = zone
        self._read: dict[Hashable, object] = {}

    def once(self, what: Hashable, read: Callable[[], Read]) -> Read:
        """What `read` gives under the name `what`, read at the first time."""
        if what not in self._read:
            self._read[what] = read()
        return self._read[what]  # type: ignore[return-value]  # what is kept under this name, `read` gave

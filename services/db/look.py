"""One look at the database: whatever is read within it is read in one snapshot, on one connection."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from threading import BoundedSemaphore

from sqlalchemy import Connection

from services.db.engine import snapshot, worded

MOST_HELD = 4  # connections that looks hold on to: many at once must leave enough for everything else
_HOLDING = BoundedSemaphore(MOST_HELD)


class _Look:
    """The connection of a look, from its first read to its end."""

    def __init__(self, held: ExitStack) -> None:
        self._held = held
        self._connection: Connection | None = None

    def connection(self) -> Connection | None:
        """None where too many hold one already."""
        if self._connection is None and _HOLDING.acquire(blocking=False):
            with ExitStack() as opening:
                opening.callback(_HOLDING.release)
                self._connection = opening.enter_context(snapshot())
                self._held.push(opening.pop_all())
        return self._connection


_LOOK: ContextVar[_Look | None] = ContextVar("look", default=None)


@contextmanager
def one_look() -> Iterator[None]:
    """Within it `reading` gives one snapshot, as the database is when it is first asked; where too many look at once, one a read."""
    with ExitStack() as held:
        token = _LOOK.set(_Look(held))
        try:
            yield
        finally:
            _LOOK.reset(token)


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection to read on: the snapshot of the look that this is in, else one of its own. Raises as `transaction` does."""
    look = _LOOK.get()
    connection = look.connection() if look is not None else None
    if connection is not None:
        with worded():
            yield connection
        return
    with snapshot() as connection:
        yield connection

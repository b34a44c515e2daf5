"""Wakes: LISTEN on a connection of its own."""

import select
from typing import Any, cast

import psycopg2
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.db.engine import engine
from services.errors import Unavailable


class Listener:
    """Hears NOTIFY on `channels`. A pooler in front of Postgres may swallow wakes, so callers poll as well."""

    def __init__(self, *channels: str) -> None:
        """Raises Unavailable when Postgres cannot be reached."""
        try:
            self._connection = engine().connect().execution_options(isolation_level="AUTOCOMMIT")
            self._connection.detach()  # closing it must end the session: a pooled one would go on listening
            for channel in channels:
                self._connection.execute(text(f"listen {channel}"))
        except DBAPIError as error:
            raise Unavailable("The database does not answer.", retry_after_s=5) from error
        self._driver = cast(Any, self._connection.connection.driver_connection)

    def wait(self, timeout_s: float) -> bool:
        """True as soon as somebody notified, False after `timeout_s`. Raises Unavailable when the connection is gone."""
        try:
            select.select([self._driver], [], [], timeout_s)
            self._driver.poll()
        except (psycopg2.Error, OSError, ValueError) as error:
            raise Unavailable("The database went away.", retry_after_s=5) from error
        heard = bool(self._driver.notifies)
        self._driver.notifies.clear()
        return heard

    def close(self) -> None:
        self._connection.close()

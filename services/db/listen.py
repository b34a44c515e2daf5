"""Wakes: LISTEN on a connection of its own."""

import select
from typing import Any, cast

import psycopg2
from sqlalchemy.exc import DBAPIError

from services.db.engine import engine
from services.errors import Unavailable


class Listener:
    """Hears NOTIFY on `channels`. A pooler in front of Postgres may swallow wakes, so callers poll as well."""

    def __init__(self, *channels: str) -> None:
        """Raises Unavailable when Postgres cannot be reached."""
        try:
            pooled = engine().raw_connection()
            self._driver = cast(Any, pooled.dbapi_connection)
            pooled.detach()  # closing it must end the session: back in the pool it would go on listening
            self._driver.autocommit = True
            with self._driver.cursor() as cursor:
                for channel in channels:
                    cursor.execute(f"listen {channel}")
        except (DBAPIError, psycopg2.Error) as error:
            raise Unavailable("The database does not answer.", retry_after_s=5) from error

    def wait(self, timeout_s: float) -> bool:
        """True as soon as somebody notified, False after `timeout_s`. Raises Unavailable when the connection is gone."""
        try:
            select.select([self._driver], [], [], timeout_s)
            self._driver.poll()
        except psycopg2.Error as error:
            raise Unavailable("The database went away.", retry_after_s=5) from error
        heard = bool(self._driver.notifies)
        self._driver.notifies.clear()
        return heard

    def close(self) -> None:
        self._driver.close()

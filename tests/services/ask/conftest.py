"""A database with something of everything that can be asked about."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from services.accounts import accounts, keys
from services.db import transaction
from services.jobs import truth
from services.schedules import ensure_builtin
from tests.services.ask import world


@pytest.fixture(scope="module")
def filled(empty: Callable[[], None]) -> None:
    """Filled once for a module whose tests change nothing in it."""
    empty()
    fill_all()


def fill_all() -> None:
    """The small world, jobs, schedules, accounts and keys."""
    world.fill()
    with transaction() as connection:
        for n in range(12):
            truth.enqueue(connection, ("housekeeping", "rollups.verify")[n % 2], queue="default")
        connection.execute(text("update jobs set state = 'dead', finished_at = now() where id % 4 = 0"))
        ensure_builtin(connection)
        accounts.create(connection, "vera", "viewer")
        accounts.create(connection, "ada", "admin")
        keys.create(connection, "reader", ["ask"])

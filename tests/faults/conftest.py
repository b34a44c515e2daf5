"""Stores that may be hurt, for one test at a time; the files of the oracle; and the row that a test fills."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy import text

from services.db import forget, transaction
from services.db.migrate import upgrade
from services.settings import settings
from tests.faults.oracle import Oracle, Provider
from tests.faults.plant import Crew, Plant
from tests.faults.report import Fault


@pytest.fixture(scope="session")
def shared_plant() -> Iterator[Plant]:
    """One for all: every test leaves it running."""
    plant = Plant()
    plant.start_postgres()
    plant.start_redis()
    with patch.dict(os.environ, {"DATABASE_URL": plant.database_url, "REDIS_URL": plant.redis_url}):
        forget()
        settings.cache_clear()
        upgrade()
        forget()
    settings.cache_clear()
    yield plant
    plant.close()


@pytest.fixture
def plant(shared_plant: Plant) -> Iterator[Plant]:
    """This process, and whatever it starts, on stores that may be hurt."""
    with patch.dict(os.environ, {"DATABASE_URL": shared_plant.database_url, "REDIS_URL": shared_plant.redis_url}):
        forget()
        settings.cache_clear()
        yield shared_plant
        forget()
    settings.cache_clear()


@pytest.fixture
def oracle(plant: Plant, tmp_path: Path) -> Iterator[Oracle]:
    """Empty files, empty tables, and a provider that bills."""
    with transaction() as connection:
        connection.execute(text("delete from processes"))
    oracle, provider = Oracle(tmp_path), Provider()
    provider.bills = oracle.bills
    with patch.dict(os.environ, {"NOTES": str(oracle.notes), "PROVIDER": provider.url}):
        yield oracle
    provider.close()


@pytest.fixture
def muster(oracle: Oracle) -> Iterator[Callable[..., Crew]]:
    """Brings up dispatchers and workers, and sends them home."""
    crews: list[Crew] = []

    def bring_up(dispatchers: int = 1, workers: int = 2, **environment: str) -> Crew:
        crews.append(Crew(dispatchers, workers, environment=environment))
        return crews[-1]

    yield bring_up
    for crew in crews:
        crew.dismiss()


@pytest.fixture
def fault(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Fault:
    return Fault(request.node.name.removeprefix("test_"), record_property)

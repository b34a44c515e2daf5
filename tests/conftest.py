"""The real parts tests stand on: Postgres and Valkey from their wheels, a database that starts empty, a whole console."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
import redis
from httpx._transports import default as httpx_transports
from sqlalchemy import text
from streamlit.components.v2 import manifest_scanner

from deploy.embedded import Postgres, Valkey, postgres_answers, redis_answers
from deploy.secret import free_port
from services.db import forget, transaction
from services.db.migrate import upgrade
from services.health import monitor
from services.metrics import kept
from services.settings import settings
from tests.system import Console, wait_for

# Only tables that ever had a row since they were last emptied: to truncate all of them takes a third of a second.
WRITTEN = """
select distinct coalesce(pg_partition_root(oid), oid)::regclass::text from pg_class
where relkind = 'r' and relnamespace = 'public'::regnamespace and relname <> 'alembic_version' and pg_relation_size(oid) > 0
"""


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """A page that a test runs becomes `__main__`, and processes that later tests spawn would run it again."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Coverage looks away while tests run that are heavy enough without it."""
    if item.get_closest_marker("unmeasured") is None:
        return (yield)
    tracing = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracing)


@pytest.fixture(autouse=True, scope="session")
def components_once() -> Iterator[None]:
    """Streamlit's AppTest reads the metadata of every installed package at every run, which takes longer than most pages."""
    with patch.object(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests)):
        yield


@pytest.fixture(autouse=True, scope="session")
def authorities_once() -> Iterator[None]:
    """httpx reads the certificate authorities for every client, and these speak plain HTTP: a quarter of the time of some tests."""
    with patch.object(httpx_transports, "create_ssl_context", cache(httpx.create_ssl_context)):
        yield


OF_THE_STACK = {"DATABASE_URL", "REDIS_URL", "PYTEST_CURRENT_TEST"}


@pytest.fixture(autouse=True)
def environment_stays() -> Iterator[None]:
    """What one test told the environment, no other may hear."""
    before = {name: value for name, value in os.environ.items() if name not in OF_THE_STACK}
    yield
    assert {name: value for name, value in os.environ.items() if name not in OF_THE_STACK} == before


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Tests empty the database beneath answers that the process has kept."""
    kept.KEPT.forget()


@pytest.fixture(autouse=True)
def watchers_end() -> Iterator[None]:
    """A page that a test runs starts the process's watchers; left alone, their threads would read another test's settings."""
    yield
    if monitor._monitor.cache_info().currsize:
        monitor._monitor().stop()
        monitor._monitor.cache_clear()


@pytest.fixture(scope="session")
def stack() -> Iterator[None]:
    """Postgres and Valkey on free ports for the whole session, in the environment, with the newest schema."""
    folder = Path(tempfile.mkdtemp(prefix="binnacle-stack-"))
    folder.chmod(0o711)  # the account that Postgres runs under must get through
    postgres, valkey = Postgres(folder / "postgres"), Valkey(folder / "valkey")
    postgres.prepare()
    valkey.prepare()
    postgres_port, valkey_port = free_port(), free_port()
    servers = [
        subprocess.Popen(
            postgres.command(postgres_port, fsync="off", synchronous_commit="off", full_page_writes="off"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            user=postgres.user,
        ),
        subprocess.Popen(valkey.command(valkey_port), stdout=subprocess.DEVNULL),
    ]
    wait_for(lambda: postgres_answers(postgres.url(postgres_port, "postgres")), "Postgres")
    wait_for(lambda: redis_answers(valkey.url(valkey_port)), "Valkey")
    postgres.create_database(postgres_port)
    os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = postgres.url(postgres_port), valkey.url(valkey_port)
    settings.cache_clear()
    upgrade()
    yield
    forget()
    servers[0].send_signal(2)
    servers[1].terminate()
    for server in servers:
        server.wait(15)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def empty(stack: None) -> Callable[[], None]:
    """Call it to empty every table and the cache."""

    def run() -> None:
        with transaction() as connection:
            if tables := connection.execute(text(WRITTEN)).scalars().all():
                connection.execute(text(f"truncate {', '.join(tables)} restart identity cascade"))
        cache = redis.Redis.from_url(os.environ["REDIS_URL"])
        cache.flushall()
        cache.close()

    return run


@pytest.fixture
def database(empty: Callable[[], None]) -> Iterator[None]:
    """An empty database and cache, and settings as the environment has them now."""
    settings.cache_clear()
    empty()
    yield
    settings.cache_clear()


@pytest.fixture(scope="session")
def console() -> Iterator[Console]:
    """The whole system, started as its user would, with its own data folder and no sample traffic."""
    with Console.running() as running:
        yield running

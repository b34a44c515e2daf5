"""What stands in the way of a start is one clear sentence; nothing is left half-started."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from deploy.embedded import SUPERUSER, Postgres, postgres_answers
from deploy.secret import free_port
from tests.system import Console, wait_for


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="binnacle-refusal-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def refusal(folder: Path, **environment: str) -> str:
    """What the launcher says when it refuses; it must end by itself with code 2 and leave nothing running."""
    console = Console.start(folder, measured=True, **environment)
    assert console.ended(60) == 2, console.text
    assert console.left_over() == []
    sentence = console.text.strip().splitlines()[-1]
    assert sentence.startswith("Binnacle cannot start: ")
    assert "Traceback" not in console.text
    return sentence


@pytest.mark.parametrize("setting", ["PORT", "OTLP_PORT"])
def test_it_names_the_port_in_use(folder: Path, setting: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        sentence = refusal(folder, **{setting: str(port)})
    assert f"Port {port} is in use" in sentence
    assert f"set {setting}" in sentence


def test_it_wants_two_different_ports(folder: Path) -> None:
    assert "PORT and OTLP_PORT are both 18501" in refusal(folder, PORT="18501", OTLP_PORT="18501")


def test_it_names_the_folder_that_cannot_be_written(folder: Path) -> None:
    (folder / "file").touch()
    wanted = folder / "file" / "data"
    assert f"The data folder {wanted} cannot be written" in refusal(folder, DATA_DIR=str(wanted))


def test_it_names_the_setting_that_is_wrong(folder: Path) -> None:
    assert "REPORTING_ZONE is wrong: 'Mars/Olympus' is not an IANA time zone" in refusal(folder, REPORTING_ZONE="Mars/Olympus")
    assert "The setting PORT is wrong" in refusal(folder, PORT="70000")
    assert "The setting DATABASE_URL is wrong: it must start with postgresql://" in refusal(folder, DATABASE_URL="mysql://x")
    assert "The setting REDIS_URL is wrong" in refusal(folder, REDIS_URL="memcached://x")


def test_it_says_that_the_database_cannot_be_reached_without_repeating_its_password(folder: Path) -> None:
    sentence = refusal(folder, DATABASE_URL=f"postgresql://user:s3cret-word@127.0.0.1:{free_port()}/db")
    assert "DATABASE_URL cannot be reached" in sentence
    assert "refused" in sentence
    assert "s3cret-word" not in sentence


@pytest.mark.usefixtures("stack")
def test_it_says_that_redis_cannot_be_reached(folder: Path) -> None:
    sentence = refusal(folder, DATABASE_URL=os.environ["DATABASE_URL"], REDIS_URL=f"redis://:s3cret-word@127.0.0.1:{free_port()}/0")
    assert "REDIS_URL cannot be reached" in sentence
    assert "s3cret-word" not in sentence


@pytest.mark.usefixtures("stack")
def test_it_says_that_the_user_may_not_create_the_extension(folder: Path) -> None:
    server = psycopg2.connect(os.environ["DATABASE_URL"])
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute("create role modest login password 'modest'")
        cursor.execute("create database modest owner modest")
    server.close()
    url = os.environ["DATABASE_URL"].split("@")[1].split("/")[0]
    assert "may not create extensions" in refusal(folder, DATABASE_URL=f"postgresql://modest:modest@{url}/modest")


def test_it_says_that_a_postgres_has_no_pgvector(folder: Path) -> None:
    with plain_postgres(folder / "plain") as (url, control):
        control.rename(control.with_suffix(".away"))
        assert "has no pgvector" in refusal(folder, DATABASE_URL=url)
        control.write_text(control.with_suffix(".away").read_text().replace("default_version = '0.8", "default_version = '0.6"))
        assert "has pgvector 0.6" in refusal(folder, DATABASE_URL=url)


class plain_postgres:  # noqa: N801 - reads as a block
    """A running Postgres from a copy of the installation whose extensions the test may damage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> tuple[str, Path]:
        whole = Postgres(self.folder)
        installed = whole.binary("postgres").parents[2]
        copy = self.folder / "copy"
        shutil.copytree(installed / "pginstall18", copy / installed.name / "pginstall18", symlinks=True)
        shutil.copytree(installed.parent / f"{installed.name}.libs", copy / f"{installed.name}.libs", symlinks=True)
        for path in (self.folder, copy):
            path.chmod(0o711)
        whole.prepare()
        self.port = free_port()
        command = whole.command(self.port)
        program = copy / installed.name / "pginstall18" / "bin" / "postgres"
        self.server = subprocess.Popen([str(program), *command[1:]], cwd="/", user=whole.user, stderr=subprocess.DEVNULL)
        url = whole.url(self.port, "postgres")
        wait_for(lambda: postgres_answers(url), "Postgres")
        assert SUPERUSER in url
        control = next((copy / installed.name / "pginstall18").rglob("vector.control"))
        return url, control

    def __exit__(self, *_: object) -> None:
        self.server.send_signal(2)
        self.server.wait(15)

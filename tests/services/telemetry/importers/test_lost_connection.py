"""The database goes away in the middle of an import, even between a commit and its answer: nothing is lost or booked twice."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from services.__main__ import main
from services.db import forget, transaction
from services.settings import settings
from services.telemetry.move import move_once
from tests.services.telemetry.importers.conftest import counted
from tests.services.telemetry.importers.files import MAP, as_csv, put, rows


class Cutter:
    """A wire to Postgres that is cut once: right after the commit that follows the first `watched` statement went through."""

    def __init__(self, host: str, port: int, watched: bytes) -> None:
        self.target = (host, port)
        self.watched = watched
        self.armed = self.cut = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.target)
                threading.Thread(target=self._upstream, args=(near, far), daemon=True).start()
                threading.Thread(target=self._downstream, args=(near, far), daemon=True).start()

    def _upstream(self, near: socket.socket, far: socket.socket) -> None:
        with near, suppress(OSError):
            while data := near.recv(1 << 16):
                self.armed |= not self.cut and self.watched in data
                if self.armed and b"COMMIT" in data:
                    self.armed, self.cut = False, True
                    near.shutdown(socket.SHUT_RDWR)  # before the commit is passed on: its answer must not slip through
                    far.sendall(data)
                    return
                far.sendall(data)
            far.shutdown(socket.SHUT_RDWR)

    def _downstream(self, near: socket.socket, far: socket.socket) -> None:
        with far, suppress(OSError):
            while data := far.recv(1 << 16):
                near.sendall(data)


@pytest.fixture
def cutter(database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cutter]:
    told = settings().database_url
    assert told is not None
    url = make_url(told.get_secret_value())
    made = Cutter(url.host or "127.0.0.1", url.port or 5432, b"insert into telemetry_rejected")
    through = url.set(drivername="postgresql", host="127.0.0.1", port=made.port)
    monkeypatch.setenv("DATABASE_URL", through.render_as_string(hide_password=False))
    _forget()
    yield made
    monkeypatch.undo()
    _forget()
    made.listener.close()


def _forget() -> None:
    forget()
    settings.cache_clear()


def test_it_books_a_chunk_once_when_the_answer_to_its_commit_is_lost(
    cutter: Cutter, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = rows(40)
    lines[7] = ("never", *lines[7][1:])
    file, plan = put(tmp_path, "shop.csv", as_csv(lines)), put(tmp_path, "shop.yaml", MAP)
    assert main(["import", str(file), "--map", str(plan), "--no-wait"]) == 0
    told = capsys.readouterr()
    assert cutter.cut
    assert "Waiting for it." in told.err
    assert "row 8, started_at: " in told.err
    assert "40 rows read: 39 accepted, 1 rejected" in told.out
    while move_once().rows:
        pass
    assert counted() == {"operations": 39, "rolled_up": 39, "sessions": 0, "rejected": 1, "waiting": 0}
    with transaction() as connection:
        booked = connection.execute(text("select accepted, rejected, moved, duplicates from telemetry_imports")).one()
    assert tuple(booked) == (39, 1, 39, 0)


def test_it_gives_up_when_the_database_stays_away(
    cutter: Cutter, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("services.telemetry.importers.load.PATIENCE_S", 0.0)
    file, plan = put(tmp_path, "shop.csv", as_csv([*rows(3), ("never", "OK", "", "", "", "")])), put(tmp_path, "shop.yaml", MAP)
    assert main(["import", str(file), "--map", str(plan), "--no-wait"]) == 2
    assert "The database" in capsys.readouterr().err
    cutter.cut = True
    assert main(["import", str(file), "--map", str(plan), "--no-wait"]) == 0
    while move_once().rows:
        pass
    assert counted()["operations"] == counted()["rolled_up"] == 3

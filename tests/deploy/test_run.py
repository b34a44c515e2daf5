"""One command starts everything, one signal stops it, and a second run finds its data."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import text

from deploy.embedded import Postgres, Valkey
from deploy.secret import is_free, kept_port, kept_secret
from services.db import transaction
from tests.system import READY, Console, wait_for

LIMIT_BYTES = 2**30  # with what processes share counted once


def send_one(console: Console, key: str, number: int) -> None:
    record = {"id": f"run-{number}", "started_at": "2026-11-01T10:00:00Z", "model": "gpt-5-mini", "provider": "openai"}
    answer = httpx.post(f"{console.url}/api/operations", json={"operations": [record]}, headers={"Authorization": f"Bearer {key}"})
    assert answer.json()["accepted"] == 1, answer.text


def operations(console: Console, key: str) -> int:
    query = {"measures": "operations", "start": "2026-11-01", "end": "2026-11-02"}
    answer = httpx.get(f"{console.url}/api/metrics/query", params=query, headers={"Authorization": f"Bearer {key}"})
    return int(answer.json()["rows"][0]["operations"])


def new_key(console: Console, name: str) -> str:
    printed = console.command("keys", "create", "--name", name, "--scope", "telemetry", "--scope", "metrics").stdout
    return re.search(r"bnk_\S+", printed).group()  # type: ignore[union-attr]


def test_it_comes_up_stops_within_ten_seconds_and_finds_its_data_again() -> None:
    with Console.running() as first:
        assert set(first.programs()) == {
            "supervisord", "postgres", "valkey", "web", "telemetry", "dispatcher", "worker-rollups", "worker-default",
        }  # fmt: skip
        key = new_key(first, "first")
        send_one(first, key, 1)
        wait_for(lambda: operations(first, key) == 1, "the operation on a page")
        family = [psutil.Process(first.process.pid), *psutil.Process(first.process.pid).children(recursive=True)]
        assert sum(process.memory_full_info().pss for process in family) < LIMIT_BYTES
        secrets = [first.folder / "postgres" / "password", first.folder / "valkey" / "password", first.folder / "valkey" / "valkey.conf"]
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in secrets)
        assert not any(kept_secret(secrets[0]) in " ".join(process.cmdline()) for process in family if process.is_running())
        assert first.stop() < 10
        assert first.process.returncode == 0
        assert first.left_over() == []
        with Console.running(first.folder, measured=True) as second:
            send_one(second, key, 2)
            wait_for(lambda: operations(second, key) == 2, "the second operation")


def test_it_has_a_sign_in_link_that_works_once(console: Console) -> None:
    link = READY.search(console.text).group(1)  # type: ignore[union-attr]
    with httpx.Client(follow_redirects=False) as browser:
        signed_in = browser.get(link)
        assert signed_in.status_code == 303
        assert browser.get(console.url + "/").status_code == 200
    assert httpx.get(link).status_code in (401, 403, 410)


def test_it_knows_each_of_its_processes_were_it_left_behind(console: Console) -> None:
    running = console.programs()
    assert {"postgres", "valkey", "web", "supervisord"} <= set(running)
    assert {process.pid for process in running.values()} <= {process.pid for process in console.left_over()}


def test_it_refuses_a_second_console_on_the_same_data(console: Console) -> None:
    second = Console.start(console.folder, measured=True)
    assert second.ended(30) == 2
    assert "is running on" in second.text
    assert set(console.programs()) >= {"web", "postgres"}


def test_it_stops_at_ctrl_c_while_it_is_still_starting() -> None:
    console = Console.start(measured=True)
    wait_for(lambda: "Starting web" in console.text, "the start of the console")
    console.process.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert console.ended(15) == 0
    assert time.monotonic() - began < 10
    assert console.left_over() == []
    assert "Stopped." in console.text
    console.remove()


def test_it_leaves_nothing_behind_when_the_launcher_is_killed() -> None:
    with Console.running() as console:
        console.process.kill()
        console.ended(20)
        wait_for(lambda: console.left_over() == [], "the end of every process", 20)


def test_it_chooses_another_port_only_when_its_own_is_taken(tmp_path: Path) -> None:
    port = kept_port(tmp_path / "port")
    assert kept_port(tmp_path / "port") == port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert not is_free(port)
        assert kept_port(tmp_path / "port") != port


def test_it_prepares_twice_without_harm(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    postgres, valkey = Postgres(tmp_path / "postgres"), Valkey(tmp_path / "valkey")
    for _ in range(2):
        postgres.prepare()
        valkey.prepare()
    assert (postgres.data / "PG_VERSION").read_text().strip() == "18"


@pytest.mark.usefixtures("database")
def test_it_runs_on_a_database_and_redis_of_its_user_with_as_many_workers_as_told() -> None:
    urls = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    with Console.running(None, measured=True, WORKERS_DEFAULT="2", WORKERS_ROLLUPS="0", **urls) as console:
        assert set(console.programs()) == {"supervisord", "web", "telemetry", "dispatcher", "worker-default"}
        assert "Sample traffic" not in console.text
        before = workers()
        assert [queue for _, queue in before] == ["default", "default"]
        control = [sys.executable, "-m", "supervisor.supervisorctl", "-s", f"unix://{console.folder}/run/control.sock"]
        subprocess.run([*control, "restart", "console:worker-default-2"], check=True, capture_output=True)
        wait_for(lambda: len(workers()) == 2, "the successor of the second")
        assert len(set(before) & set(workers())) == 1, "the first was to stay"


def workers() -> list[tuple[int, str]]:
    with transaction() as connection:
        return [(pid, queue) for pid, queue in connection.execute(text("select pid, queue from processes where kind = 'worker'"))]


def test_it_lends_its_addresses_to_a_command(console: Console) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}

    def shell(*words: str, folder: Path = console.folder) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "deploy.shell", *words]
        return subprocess.run(command, env=environment | {"DATA_DIR": str(folder)}, capture_output=True, text=True, check=False)

    assert "admin" in shell("python", "-m", "services", "users", "list").stdout
    assert shell("sh", "-c", "echo $REDIS_URL").stdout.startswith("redis://")
    nowhere = shell("true", folder=console.folder / "nowhere")
    assert (nowhere.returncode, "No console has run" in nowhere.stderr) == (2, True)
    assert shell().returncode == 2

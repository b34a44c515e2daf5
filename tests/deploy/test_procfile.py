"""Every line of the Procfile, started as its runners do: by a shell, with the environment's python first on the path."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from deploy.programs import console_programs
from deploy.secret import free_port
from services.db import transaction
from services.settings import ROOT, Settings
from tests.system import wait_for

LINE = re.compile(r"^([A-Za-z0-9_-]+):\s*(.+)$")  # what the runners take for a line


def lines() -> dict[str, str]:
    found = [LINE.match(line) for line in (ROOT / "Procfile").read_text().splitlines()]
    return {match[1]: match[2] for match in found if match}


def test_it_names_the_programs_of_a_console_and_no_others() -> None:
    programs = {program.name: " ".join(["python", *program.command[1:]]) for program in console_programs(Settings())}
    assert lines() == programs
    assert len(lines()) == len((ROOT / "Procfile").read_text().splitlines())


@pytest.fixture
def started(database: None) -> Iterator[tuple[dict[str, subprocess.Popen[bytes]], list[int]]]:
    """One process a line and a second worker, and the two ports."""
    ports = [free_port(), free_port()]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = dict(os.environ) | {"PATH": path, "PORT": str(ports[0]), "OTLP_PORT": str(ports[1])}
    wanted = lines() | {"worker-default.2": lines()["worker-default"]}
    with ExitStack() as stack:
        processes = {}
        for name, command in wanted.items():
            processes[name] = subprocess.Popen(["sh", "-c", f"exec {command}"], cwd=ROOT, env=environment)
            stack.callback(processes[name].kill)
        yield processes, ports


def test_each_line_starts_what_it_says_and_ends_when_asked(started: tuple[dict[str, subprocess.Popen[bytes]], list[int]]) -> None:
    processes, ports = started
    working = {processes[name].pid for name in processes if name not in ("web", "telemetry")}
    wait_for(lambda: {pid for pid, _ in beating()} == working, "the beat of dispatcher and workers")
    queues = dict(beating())
    assert queues[processes["worker-default"].pid] == queues[processes["worker-default.2"].pid] == "default"
    assert queues[processes["worker-rollups"].pid] == "rollups"
    for port in ports:
        wait_for(partial(answers, port), f"an answer at {port}")
    for process in processes.values():
        process.terminate()
    ends = {name: process.wait(8) for name, process in processes.items()}
    orderly = {"web": -signal.SIGTERM, "telemetry": -signal.SIGTERM}  # their server shuts down, then passes the signal on
    assert ends == dict.fromkeys(processes, 0) | orderly
    assert beating() == []


def beating() -> list[tuple[int, str | None]]:
    with transaction() as connection:
        return [(pid, queue) for pid, queue in connection.execute(text("select pid, queue from processes"))]


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/ai/health/").status_code == 200
    except httpx.HTTPError:
        return False

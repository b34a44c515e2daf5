"""Going down on request: quick, tidy, and no attempt burned."""

import os
import subprocess
import sys
import time

import psutil
import pytest
from sqlalchemy import text

from services.clock import utc_now
from services.db import transaction
from services.jobs import cancel, live
from services.telemetry import inbox
from tests.workers.conftest import Crew, beating, holding_up_housekeeping, outcomes, queued, read, state, until


def arrive(key: str) -> None:
    with transaction() as connection:
        inbox.accept(connection, "operations", [{"id": key, "started_at": utc_now().isoformat()}], source="stopping", door="api")


def moving() -> list[int]:
    with transaction() as connection:
        return [job.id for job in live(connection, "telemetry.move") if job.state == "running"]


def stored() -> int:
    with transaction() as connection:
        counting = "select count(*) from operations join series on series.id = series_id where source = 'stopping'"
        return int(connection.execute(text(counting)).scalar_one())


def stop(process: subprocess.Popen[str]) -> float:
    """Seconds until it was gone, in good order."""
    at = time.monotonic()
    process.terminate()
    assert process.wait(9) == 0
    return time.monotonic() - at


def test_it_gives_back_a_job_that_does_not_stop_by_itself(crew: Crew) -> None:
    (dispatcher,), (worker, other) = crew.muster(default=2)
    with holding_up_housekeeping():
        job_id = queued(max_attempts=1)
        until(lambda: outcomes(job_id) == [None])
        busy, idle = (worker, other) if psutil.Process(worker.pid).children() else (other, worker)
        assert stop(busy) < 8.0
        until(lambda: outcomes(job_id) == ["released", None])

    until(lambda: state(job_id) == "done")
    assert outcomes(job_id) == ["released", "done"]
    assert stop(idle) < 2.0
    assert stop(dispatcher) < 3.0
    assert not {busy.pid, idle.pid, dispatcher.pid} & set(beating())


def test_it_lets_a_job_stop_at_a_clean_point_and_another_worker_goes_on(crew: Crew) -> None:
    _, (worker,) = crew.muster(rollups=1)
    arrive("a")
    until(lambda: moving() != [] and stored() == 1)
    (job_id,) = moving()

    assert stop(worker) < 3.0
    assert outcomes(job_id) == ["released"]
    arrive("b")
    crew.muster(rollups=1)
    until(lambda: state(job_id) == "done")
    assert outcomes(job_id) == ["released", "done"]
    assert stored() == 2


def test_it_buries_a_job_of_a_kind_nobody_knows(crew: Crew) -> None:
    crew.muster(default=1)
    job_id = queued("gold.make")

    until(lambda: state(job_id) == "dead")
    assert read(job_id).error == "Nobody knows how to do a job of the kind 'gold.make'."


def test_it_stops_a_running_job_that_is_cancelled(crew: Crew) -> None:
    crew.muster(rollups=1)
    arrive("0")
    until(lambda: moving() != [])
    (job_id,) = moving()
    with transaction() as connection:
        cancel(connection, job_id)
    for number in range(1, 40):
        arrive(str(number))
        if state(job_id) == "cancelled":
            break
        time.sleep(0.25)

    assert state(job_id) == "cancelled"
    assert outcomes(job_id) == ["cancelled"]


@pytest.mark.parametrize("command", [("dispatch",), ("work", "default")])
@pytest.mark.parametrize(("variable", "sentence"), [("DATABASE_URL", "DATABASE_URL is not set"), ("REDIS_URL", "REDIS_URL is not set")])
def test_it_says_what_is_missing_to_start(stack: None, command: tuple[str, ...], variable: str, sentence: str) -> None:
    environment = os.environ | {variable: ""}
    run = subprocess.run([sys.executable, "-m", "workers", *command], env=environment, capture_output=True, text=True, timeout=30)

    assert run.returncode == 2
    assert run.stderr.strip().splitlines()[-1].startswith(sentence)
    assert "Traceback" not in run.stderr


def test_it_gives_its_job_back_however_often_it_is_asked_to_stop(crew: Crew) -> None:
    _, (worker,) = crew.muster(default=1)
    with holding_up_housekeeping():
        job_id = queued(max_attempts=1)
        until(lambda: outcomes(job_id) == [None])
        worker.terminate()
        time.sleep(1.5)  # RQ forgives what comes within a second
        worker.terminate()
        assert worker.wait(9) == 0
        assert outcomes(job_id) == ["released"]

    crew.muster(default=1)
    until(lambda: state(job_id) == "done")

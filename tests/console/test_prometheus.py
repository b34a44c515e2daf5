"""GET /metrics: read by Prometheus' own parser, computed from rows at each scrape."""

from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from services.clock import utc_now
from services.db import transaction
from services.jobs import claim, control, enqueue
from tests.console.conftest import Server
from tests.traffic import arrive, operation, send

pytestmark = pytest.mark.usefixtures("database")
Samples = dict[tuple[str, tuple[str, ...]], float]


def run(statement: str) -> None:
    with transaction() as connection:
        connection.execute(text(statement))


@pytest.fixture
def scrape(ui: Server, make_key: Callable[..., str]) -> Callable[[], Samples]:
    """Asks as Prometheus does; samples by name and values of labels, those by their names."""
    key = make_key("metrics")

    def ask() -> Samples:
        with ui.client(key=key, origin=False) as client:
            answer = client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        families = text_string_to_metric_families(answer.text)
        return {(sample.name, tuple(sample.labels.values())): sample.value for family in families for sample in family.samples}

    return ask


def test_it_shows_queues_and_their_limits(scrape: Callable[[], Samples]) -> None:
    with transaction() as connection:
        made = [enqueue(connection, "housekeeping", queue="default") for _ in range(3)]
        assert claim.claim(connection, made[0] or 0, "w")
    run("update jobs set run_at = now() - interval '90 s' where id = 2")
    control.cap("jane", "queue", "default", 4)
    control.pause("jane", "queue", "rollups")
    told = scrape()
    assert told["binnacle_queue_depth", ("default",)] == 2
    assert 90 <= told["binnacle_queue_oldest_wait_seconds", ("default",)] < 120
    assert told["binnacle_queue_running", ("default",)] == 1
    assert told["binnacle_queue_limit", ("default",)] == 4
    assert (told["binnacle_queue_paused", ("default",)], told["binnacle_queue_paused", ("rollups",)]) == (0, 1)
    assert ("binnacle_queue_limit", ("rollups",)) not in told


def test_it_counts_attempts_their_time_and_what_was_put_right(scrape: Callable[[], Samples]) -> None:
    run(
        "insert into job_minutes (minute, queue, kind, outcome, n, wait_ms, run_ms) values"
        " (now(), 'q', 'a', 'done', 2, 100, 3000), (now() - interval '1 day', 'q', 'a', 'done', 3, 100, 1000),"
        " (now(), 'q', 'a', 'failed', 1, 300, 500)"
    )
    run("insert into job_rescues (action, n) values ('sent again', 12), ('rescued', 1), ('rescued', 2)")
    told = scrape()
    assert told["binnacle_job_attempts_total", ("a", "done", "q")] == 5
    assert told["binnacle_job_attempts_total", ("a", "failed", "q")] == 1
    assert (told["binnacle_job_pickup_seconds_count", ("a", "q")], told["binnacle_job_pickup_seconds_sum", ("a", "q")]) == (6, 0.5)
    assert (told["binnacle_job_run_seconds_count", ("a", "q")], told["binnacle_job_run_seconds_sum", ("a", "q")]) == (6, 4.5)
    assert told["binnacle_reconciler_actions_total", ("rescued",)] == 3
    assert told["binnacle_reconciler_actions_total", ("sent again",)] == 12


def test_it_says_who_is_alive_and_nothing_where_nobody_is(scrape: Callable[[], Samples]) -> None:
    told = scrape()
    assert told["binnacle_processes", ("dispatcher",)] == 0
    assert ("binnacle_heartbeat_age_seconds", ("dispatcher",)) not in told
    run("insert into processes (kind, host, pid, version, beat_at) values ('dispatcher', 'h', 1, 'v', now() - interval '7 s')")
    told = scrape()
    assert told["binnacle_processes", ("dispatcher",)] == 1
    assert 7 <= told["binnacle_heartbeat_age_seconds", ("dispatcher",)] < 20


def test_it_shows_how_far_telemetry_is_behind(scrape: Callable[[], Samples]) -> None:
    assert scrape()["binnacle_telemetry_backlog_records", ()] == 0
    assert ("binnacle_rollup_lag_seconds", ()) not in scrape()
    arrive([operation("a", utc_now())])
    send([operation("b", utc_now()), operation("c", utc_now())])
    told = scrape()
    assert told["binnacle_telemetry_backlog_records", ()] == 2
    assert told["binnacle_telemetry_backlog_oldest_seconds", ()] >= 0
    assert told["binnacle_rollup_lag_seconds", ()] >= 0


def test_only_a_key_for_metrics_reads_it(ui: Server, make_key: Callable[..., str], session: str) -> None:
    for client, status in (
        (ui.client(), 401),
        (ui.client(session), 401),
        (ui.client(key="bnk_x"), 401),
        (ui.client(key=make_key("jobs", "telemetry", "ask")), 403),
        (ui.client(key=make_key("metrics")), 200),
        (ui.client(key=make_key("admin")), 200),
    ):
        with client:
            answer = client.get("/metrics")
            assert answer.status_code == status
            assert ("binnacle_" in answer.text) is (status == 200)
            assert client.post("/metrics").status_code == 405
            assert client.get("/metrics/x").status_code in (200, 401), "only the path itself passes the gate"

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from services.clock import utc_now
from services.db import transaction
from services.errors import BadInput, NotFound
from services.jobs import claim, control, enqueue, listing
from services.jobs.processes import Process, beat

pytestmark = pytest.mark.usefixtures("database")


def queued(count: int = 1, kind: str = "housekeeping", queue: str = "default", **told: object) -> list[int]:
    with transaction() as connection:
        made = [enqueue(connection, kind, queue=queue, **told) for _ in range(count)]  # type: ignore[arg-type]
    return [job_id for job_id in made if job_id is not None]


def buried(error: Exception, kind: str = "housekeeping") -> int:
    (job_id,) = queued(kind=kind, max_attempts=1)
    with transaction() as connection:
        job = claim.claim(connection, job_id, "tester")
        assert job is not None
        claim.fail(connection, job, error, "Traceback ...")
    return job_id


def found(**filters: object) -> list[int]:
    """Ids of the list; the count must agree with it."""
    with transaction() as connection:
        ids = [job.id for job in listing.jobs(connection, **filters)]  # type: ignore[arg-type]
        assert listing.matching(connection, **filters) == len(ids)  # type: ignore[arg-type]
    return ids


def test_it_finds_by_each_filter_and_by_all_of_them_together() -> None:
    (plain,) = queued()
    (other,) = queued(kind="rollups.verify", queue="rollups", created_by="alice", tags=("nightly", "big"), args={"customer": {"id": 17}})
    dead = buried(ValueError("no"))

    assert found() == [dead, other, plain]
    assert found(kind="rollups.verify") == found(queue="rollups") == found(actor="alice") == found(tag="big") == [other]
    assert found(state="dead") == [dead]
    assert found(state="waiting") == [other, plain]
    assert found(args=("customer.id", "17")) == found(args=("args.customer.id", "17")) == [other]
    assert found(kind="rollups.verify", queue="rollups", tag="big", actor="alice", state="queued", args=("customer.id", "17")) == [other]
    assert found(kind="rollups.verify", queue="default") == []
    assert found(kind=None, state=None) == [dead, other, plain]


@pytest.mark.parametrize(
    ("args", "path", "value", "holds"),
    [
        ({"id": 17}, "id", "17", True),
        ({"id": "17"}, "id", "17", True),
        ({"id": 170}, "id", "17", False),
        ({"days": ["2026-01-01", "2026-01-02"]}, "days", "2026-01-02", True),
        ({"all": True}, "all", "true", True),
        ({"all": None}, "all", "null", True),
        ({"name": "a:b 'c'"}, "name", "a:b 'c'", True),
        ({"a": {"b": 1.5}}, "a.b", "1.5", True),
        ({"a": {"b": 1.5}}, "a", "1.5", False),
        ({"n": "NaN"}, "n", "NaN", True),
    ],
)
def test_it_finds_by_what_the_arguments_hold(args: dict[str, object], path: str, value: str, holds: bool) -> None:
    (job_id,) = queued(args=args)

    assert found(args=(path, value)) == ([job_id] if holds else [])


@pytest.mark.parametrize(
    "filters",
    [
        {"state": "lost"},
        {"since": datetime(2026, 1, 1)},
        {"until": datetime(2026, 1, 1)},
        {"args": ("", "1")},
        {"args": ("a..b", "1")},
        {"args": ("a", "\0")},
        {"limit": 0},
        {"limit": 100_000},
    ],
)
def test_it_refuses_a_filter_that_nobody_can_mean(filters: dict[str, object]) -> None:
    with transaction() as connection, pytest.raises(BadInput):
        listing.jobs(connection, **filters)  # type: ignore[arg-type]


def test_it_cuts_by_time_exactly_though_ids_and_clock_disagree_a_little() -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    ids = queued(60)
    with transaction() as connection:
        for place, job_id in enumerate(ids):
            made = start + timedelta(minutes=10 * place - (45 if place % 7 == 0 else 0))  # some were written late in their transaction
            connection.execute(text("update jobs set created_at = :at where id = :id"), {"at": made, "id": job_id})
        at = {row.id: row.created_at for row in connection.execute(text("select id, created_at from jobs"))}

    for minutes in range(0, 600, 25):
        edge = start + timedelta(minutes=minutes)
        assert sorted(found(since=edge, until=edge + timedelta(hours=2))) == [
            job_id for job_id in ids if edge <= at[job_id] < edge + timedelta(hours=2)
        ]
    assert found(since=start + timedelta(days=9)) == found(until=start - timedelta(days=9)) == []


def test_it_pages_through_all_of_them_once_while_more_arrive() -> None:
    ids = queued(25)
    seen: list[int] = []
    before: int | None = None
    while True:
        with transaction() as connection:
            page = listing.jobs(connection, before_id=before, limit=10)
        if not page:
            break
        seen += [job.id for job in page]
        before = seen[-1]
        queued(3)

    assert seen == ids[::-1]


def test_it_stops_counting_where_nobody_cares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST", 10)
    queued(11)

    with transaction() as connection:
        assert listing.matching(connection) == 10


def test_it_shows_one_job_with_its_attempts_and_without_secrets() -> None:
    (job_id,) = queued(args={"api_key": "sk-1", "deep": [{"Authorization": "Bearer x", "page": 2}]})
    with transaction() as connection:
        job = claim.claim(connection, job_id, "tester", pid=42)
        assert job is not None
        claim.fail(connection, job, ValueError("no luck"), "Traceback ...")
        whole = listing.one(connection, job_id)

    assert whole.job.args == {"api_key": "…", "deep": [{"Authorization": "…", "page": 2}]}
    (attempt,) = whole.attempts
    assert (attempt.worker, attempt.pid, attempt.outcome, attempt.error_class) == ("tester", 42, "failed", "ValueError")
    assert (attempt.error, attempt.traceback, attempt.lease_token) == ("no luck", "Traceback ...", job.lease_token)
    with transaction() as connection, pytest.raises(NotFound):
        listing.one(connection, 404)


def test_it_tells_depth_wait_and_throughput_of_every_queue() -> None:
    oldest, second = queued(2)
    queued(run_at=utc_now() + timedelta(hours=1))
    (running,) = queued(queue="rollups")
    control.cap("alice", "queue", "rollups", 2)
    control.pause("bob", "queue", "empty")
    with transaction() as connection:
        beat(connection, Process("worker", "default"))
        connection.execute(text("update jobs set run_at = now() - interval '90 seconds' where id = :id"), {"id": oldest})
        assert claim.claim(connection, running, "tester") is not None
        connection.execute(
            text("insert into job_minutes values (date_trunc('minute', now()) - interval '2 minutes', 'default', 'broom', :o, :n, 1, 1)"),
            [{"o": "done", "n": 7}, {"o": "failed", "n": 3}],
        )
        default, empty, rollups = listing.queues(connection)

    assert [queue.name for queue in (default, empty, rollups)] == ["default", "empty", "rollups"]
    assert (default.depth, default.later, default.running, default.workers) == (2, 1, 0, 1)
    assert 90 <= default.oldest_wait_s < 100
    assert (len(default.ended_by_minute), default.ended_by_minute[-2], sum(default.ended_by_minute)) == (60, 10, 10)
    assert default.ended_per_minute == 2.0
    assert (rollups.running, rollups.cap, rollups.paused_at, rollups.oldest_wait_s) == (1, 2, None, 0)
    assert (empty.paused_by, empty.depth) == ("bob", 0)
    assert second


def test_it_groups_the_dead_by_what_killed_them() -> None:
    alike = [buried(ValueError(f"row {number} is bad"), kind) for number, kind in ((1, "housekeeping"), (2, "rollups.verify"))]
    alone = buried(KeyError("x"))
    aside = buried(KeyError("x"))
    control.discard("alice", ids=[aside])
    with transaction() as connection:
        groups = listing.dead_alike(connection)

    assert [(group.error_class, group.n, group.kinds, group.job_id) for group in groups] == [
        ("ValueError", 2, ["housekeeping", "rollups.verify"], alike[1]),
        ("KeyError", 1, ["housekeeping"], alone),
    ]
    assert groups[0].error == "row 2 is bad"
    assert groups[0].first_at < groups[0].last_at
    assert found(state="dead", fingerprint=groups[0].fingerprint) == alike[::-1]
    assert found(state="discarded") == [aside]


def test_it_tells_who_is_at_work_on_what() -> None:
    worker, dispatcher = Process("worker", "default"), Process("dispatcher")
    (job_id,) = queued()
    with transaction() as connection:
        beat(connection, worker)
        beat(connection, dispatcher)
        assert claim.claim(connection, job_id, worker.name) is not None
        first, second = listing.processes(connection)

    assert (first.kind, first.id, first.job_id) == ("dispatcher", dispatcher.id, None)
    assert (second.id, second.queue, second.job_id, second.job_kind, second.quiet_at) == (
        worker.id,
        "default",
        job_id,
        "housekeeping",
        None,
    )
    assert 0 <= second.beat_age_s < 5


def test_it_names_every_kind_and_limit_there_is() -> None:
    for kind in ("b", "a", "c", "a"):
        queued(kind=kind)
    control.cap("alice", "kind", "a", 3)
    control.pause("alice", "queue", "default")
    with transaction() as connection:
        assert listing.kinds(connection) == ["a", "b", "c"]
        of_kind, of_queue = listing.limits(connection)

    assert (of_kind.scope, of_kind.name, of_kind.cap, of_kind.paused_by, of_kind.running) == ("kind", "a", 3, None, 0)
    assert (of_queue.scope, of_queue.name, of_queue.cap, of_queue.paused_by) == ("queue", "default", None, "alice")

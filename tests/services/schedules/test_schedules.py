"""Schedules in Postgres: made, changed, ticked, run by hand."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from threading import Event, Thread

import pytest
from sqlalchemy import Connection, text

from services import schedules
from services.db import transaction
from services.errors import BadInput, BinnacleError, Conflict, NotFound
from services.jobs import get
from services.schedules import Plan, Timing, builtin
from services.schedules import schedules as module
from services.schedules.plan import time_told
from services.settings import settings
from workers import registry

pytestmark = pytest.mark.usefixtures("database")
MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FOUR = Plan("housekeeping", Timing("UTC", tuple(time_told(told) for told in ("06:00", "10:30", "14:00", "18:30"))), catch_up_s=5 * 3600)
HOURLY = Plan("housekeeping", Timing("UTC", every_s=3600))


def made(plan: Plan = FOUR, name: str = "news", since: datetime = MIDNIGHT) -> None:
    """A schedule that was decided about until an instant of ours."""
    with transaction() as connection:
        schedules.create(connection, name, plan, actor="ann")
        connection.execute(text("update schedules set decided_until = :since where name = :name"), {"since": since, "name": name})


def ticked(at: datetime) -> int:
    with transaction() as connection:
        return schedules.tick(connection, at)


def words(name: str = "news") -> list[str]:
    """What was decided, newest first."""
    with transaction() as connection:
        return [line.word for line in schedules.overview(connection, name).last]


def audited() -> list[tuple[str, str, str]]:
    with transaction() as connection:
        return [tuple(row) for row in connection.execute(text("select actor, action, subject from audit order by id"))]


def end_jobs(connection: Connection) -> None:
    connection.execute(text("update jobs set state = 'done', finished_at = now()"))


def jobs() -> int:
    with transaction() as connection:
        return int(connection.execute(text("select count(*) from jobs")).scalar_one())


def test_it_is_due_from_its_creation_on() -> None:
    with transaction() as connection:
        schedule = schedules.create(connection, "news", HOURLY, actor="ann")
        assert schedule.plan == HOURLY
        assert schedule.decided_until == schedule.created_at
        assert schedules.tick(connection) == 0
        assert len(schedules.overview(connection, "news").upcoming) == 5
        with pytest.raises(Conflict, match="already a schedule named 'news'"):
            schedules.create(connection, "news", FOUR, actor="ann")
    assert audited() == [("ann", "schedule.create", "news")]


def test_a_tick_makes_one_job_for_the_newest_slot() -> None:
    made(replace(FOUR, args={"days": 2}))
    assert ticked(MIDNIGHT + 15 * HOUR) == 3
    assert ticked(MIDNIGHT + 15 * HOUR) == 0

    with transaction() as connection:
        (line,) = schedules.listing(connection)
        newest = line.last[0]
        assert [(decided.word, decided.local_label) for decided in line.last] == [
            ("run", "2026-03-01 14:00 UTC"),
            ("coalesced", "2026-03-01 10:30 UTC"),
            ("missed", "2026-03-01 06:00 UTC"),
        ]
        assert (newest.job_state, newest.actor, newest.reason) == ("queued", "schedule", "caught up 1:00:00 late")
        job = get(connection, newest.job_id or 0)
    assert (job.kind, job.args, job.queue, job.dedupe_key) == ("housekeeping", {"days": 2}, "default", "schedule:news")
    assert (job.cause_type, job.cause_id, job.created_by) == ("schedule", "news", "schedule")


def test_it_does_not_run_beside_its_last_job() -> None:
    made()
    ticked(MIDNIGHT + 6 * HOUR)
    ticked(MIDNIGHT + 11 * HOUR)
    assert words() == ["overlap skipped", "run"]
    with transaction() as connection:
        end_jobs(connection)
    ticked(MIDNIGHT + 14 * HOUR)
    assert words() == ["run", "overlap skipped", "run"]
    assert jobs() == 2


def test_a_job_that_comes_to_life_meanwhile_is_an_overlap_too(monkeypatch: pytest.MonkeyPatch) -> None:
    made()
    ticked(MIDNIGHT + 6 * HOUR)
    monkeypatch.setattr(module, "_live_job", lambda *_: None)
    ticked(MIDNIGHT + 11 * HOUR)
    assert words() == ["overlap skipped", "run"]
    assert jobs() == 1


def test_a_clock_that_goes_back_decides_nothing_twice() -> None:
    made()
    assert [ticked(MIDNIGHT + hours * HOUR) for hours in (11, 10, 6, 11, 10.4, 14)] == [2, 0, 0, 0, 0, 1]


def test_what_was_decided_is_not_decided_again_whatever_the_schedule_says() -> None:
    made()
    ticked(MIDNIGHT + 11 * HOUR)
    with transaction() as connection:
        end_jobs(connection)
        connection.execute(text("update schedules set decided_until = :since"), {"since": MIDNIGHT})
    ticked(MIDNIGHT + 11 * HOUR)
    assert words() == ["run", "coalesced"]
    assert jobs() == 1


def test_pausing_and_resuming_first_decide_what_was_due() -> None:
    made(HOURLY, since=datetime.now(UTC) - 5 * HOUR)
    with transaction() as connection:
        assert schedules.pause(connection, "news", actor="bob").paused_by == "bob"
        assert schedules.pause(connection, "news", actor="cy").paused_by == "bob"
        connection.execute(text("delete from schedule_decisions"))
        connection.execute(text("update schedules set decided_until = now() - interval '3 hours'"))
        with pytest.raises(Conflict, match="paused by bob"):
            schedules.run_now(connection, "news", actor="bob")
        assert schedules.resume(connection, "news", actor="bob").paused_at is None
        schedules.resume(connection, "news", actor="bob")
        assert {line.word for line in schedules.overview(connection, "news").last} == {"paused"}
    assert jobs() == 1
    assert audited()[1:] == [("bob", "schedule.pause", "news"), ("bob", "schedule.resume", "news")]


def test_slots_of_a_paused_schedule_are_recorded() -> None:
    made()
    with transaction() as connection:
        connection.execute(text("update schedules set paused_at = now(), paused_by = 'bob'"))
    ticked(MIDNIGHT + 11 * HOUR)
    assert words() == ["paused", "paused"]
    assert jobs() == 0


def test_another_zone_or_other_slots_hold_from_now_on() -> None:
    now = datetime.now(UTC)
    quarter = Plan("housekeeping", Timing("Asia/Manila", every_s=900))
    made(HOURLY, since=now - 3 * HOUR)
    with transaction() as connection:
        changed = schedules.update(connection, "news", quarter, actor="bob")
        assert changed.plan == quarter
        assert changed.decided_until >= now
        before = schedules.overview(connection, "news")
        assert {slot.minute for slot in [line.slot_at for line in before.last]} == {0}
        assert len(before.last) == 3
        assert schedules.tick(connection) == 0
        assert all(slot > now for slot in before.upcoming)
        with pytest.raises(BadInput, match=r"^zone: "):
            schedules.update(connection, "news", Plan("housekeeping", Timing("localtime", every_s=60)), actor="bob")
    assert audited()[1:] == [("bob", "schedule.update", "news")]


def test_it_runs_by_hand_once_at_a_time() -> None:
    made()
    with transaction() as connection:
        job_id = schedules.run_now(connection, "news", actor="bob")
        with pytest.raises(Conflict, match=f"Job {job_id} of 'news' is not over"):
            schedules.run_now(connection, "news", actor="bob")
        job = get(connection, job_id)
        (line,) = schedules.overview(connection, "news").last
    assert (job.created_by, job.cause_id, job.dedupe_key) == ("bob", "news", "schedule:news")
    assert (line.word, line.actor, line.job_id) == ("run now", "bob", job_id)
    assert line.slot_at.microsecond != 0
    assert audited()[1:] == [("bob", "schedule.run", "news")]


def test_a_dry_run_says_what_a_tick_does_and_writes_nothing() -> None:
    made()
    at = MIDNIGHT + 15 * HOUR
    with transaction() as connection:
        connection.execute(text("set transaction read only"))
        told = schedules.dry_run(connection, "news", at)
        assert schedules.dry_run(connection, "news", MIDNIGHT) == []
        assert schedules.dry_run(connection, "news")
        for wrong in (datetime(2026, 1, 1), datetime.now(UTC) + timedelta(days=400)):
            with pytest.raises(BadInput, match=r"^at: "):
                schedules.dry_run(connection, "news", wrong)
    ticked(at)
    with transaction() as connection:
        assert [(line.slot_at, line.word, line.reason) for line in reversed(schedules.overview(connection, "news").last)] == [
            (decision.slot_at, decision.word, decision.reason) for decision in told
        ]


def test_a_long_backlog_takes_several_ticks_and_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 10)
    made(HOURLY)
    assert [ticked(MIDNIGHT + 25 * HOUR) for _ in range(4)] == [10, 10, 5, 0]
    assert words() == ["run", "coalesced"] + ["missed"] * 23
    assert jobs() == 1


def test_it_leaves_a_schedule_to_whoever_holds_it_and_does_the_others() -> None:
    made(name="held")
    made(name="free")
    holds, done = Event(), Event()

    def hold() -> None:
        with transaction() as connection:
            connection.execute(text("select 1 from schedules where name = 'held' for update"))
            holds.set()
            done.wait(10)

    holder = Thread(target=hold)
    holder.start()
    assert holds.wait(10)
    assert ticked(MIDNIGHT + 6 * HOUR) == 1
    done.set()
    holder.join()
    assert ticked(MIDNIGHT + 6 * HOUR) == 1
    assert (words("held"), words("free")) == (["run"], ["run"])


def test_one_that_cannot_be_read_does_not_keep_the_others_waiting(caplog: pytest.LogCaptureFixture) -> None:
    made(name="broken")
    made()
    with transaction() as connection:
        connection.execute(text("update schedules set zone = 'Mars/Olympus' where name = 'broken'"))
    assert ticked(MIDNIGHT + 6 * HOUR) == 1
    assert "broken cannot be used: zone: 'Mars/Olympus'" in caplog.text


def test_it_is_deleted_with_its_decisions_but_not_its_jobs() -> None:
    made()
    ticked(MIDNIGHT + 6 * HOUR)
    with transaction() as connection:
        schedules.delete(connection, "news", actor="bob")
        assert schedules.listing(connection) == []
        assert connection.execute(text("select count(*) from schedule_decisions")).scalar_one() == 0
    assert jobs() == 1
    assert audited()[1:] == [("bob", "schedule.delete", "news")]


def test_it_keeps_decisions_for_ninety_days() -> None:
    now = datetime.now(UTC)
    made(HOURLY, since=now - timedelta(days=91))
    ticked(now)
    with transaction() as connection:
        assert schedules.forget_old(connection) == 24
        assert connection.execute(text("select count(*) from schedule_decisions")).scalar_one() == 90 * 24
        assert len(schedules.listing(connection)[0].last) == 30


def test_every_console_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction() as connection:
        schedules.ensure_builtin(connection)
        schedules.pause(connection, "housekeeping", actor="bob")
    monkeypatch.setenv("REPORTING_ZONE", "Asia/Manila")
    settings.cache_clear()
    with transaction() as connection:
        schedules.ensure_builtin(connection)
        schedules.ensure_builtin(connection)
        own = {line.schedule.name: line.schedule for line in schedules.listing(connection)}
        with pytest.raises(Conflict, match="built in"):
            schedules.delete(connection, "verify", actor="bob")
    broom, verify = own["housekeeping"], own["verify"]
    assert (broom.name, broom.paused_by, broom.builtin) == ("housekeeping", "bob", True)
    assert broom.plan == Plan("housekeeping", Timing("Asia/Manila", every_s=3600))
    assert (verify.name, verify.plan.timing, verify.plan.args) == ("verify", Timing("Asia/Manila", (time(3, 15),)), {})
    statistics = own["session-statistics"].plan.timing
    assert statistics == Timing("Asia/Manila", every_s=3600)
    assert own["sitewide-factoids"].plan.timing == Timing("Asia/Manila", (time(6), time(10, 30), time(14), time(18, 30)))
    for schedule in own.values():
        assert registry.KINDS[schedule.plan.kind].queue == schedule.plan.queue


def test_two_dispatchers_make_them_once() -> None:
    together = [Thread(target=_ensure) for _ in range(4)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    with transaction() as connection:
        assert len(schedules.listing(connection)) == len(builtin.plans())
    assert len(audited()) == len(builtin.plans())


def _ensure() -> None:
    with transaction() as connection:
        schedules.ensure_builtin(connection)


@pytest.mark.parametrize("action", [schedules.get, schedules.overview, schedules.dry_run])
def test_it_does_not_find_what_is_not_there(action: object) -> None:
    with transaction() as connection, pytest.raises(NotFound, match="no schedule named 'gone'"):
        action(connection, "gone")  # type: ignore[operator]


@pytest.mark.parametrize("action", [schedules.pause, schedules.resume, schedules.delete, schedules.run_now])
def test_it_does_not_change_what_is_not_there(action: object) -> None:
    with transaction() as connection, pytest.raises(NotFound, match="no schedule named 'gone'"):
        action(connection, "gone", actor="bob")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("kind", {"kind": "Gold!"}),
        ("queue", {"queue": ""}),
        ("args", {"args": []}),
        ("args", {"args": {"when": object()}}),
        ("args", {"args": {"half": "\ud800"}}),
        ("catch_up_s", {"catch_up_s": -1}),
    ],
)
def test_it_names_the_field_that_no_plan_can_have(field: str, told: dict[str, object]) -> None:
    with pytest.raises(BadInput, match=f"^{field}: "):
        Plan(**({"kind": "housekeeping", "timing": HOURLY.timing} | told))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "News", "-news", "a b", "x" * 65, "news\n"])
def test_it_refuses_names_that_are_none(name: str) -> None:
    with transaction() as connection, pytest.raises(BinnacleError, match=r"^name: "):
        schedules.create(connection, name, FOUR, actor="ann")


@pytest.mark.parametrize("told", ["6:00", "24:00", "06:60", "06:00Z", "", "06:00:61"])
def test_it_refuses_times_that_are_none(told: str) -> None:
    with pytest.raises(BadInput, match=r"^slots: "):
        time_told(told)

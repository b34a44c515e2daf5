"""The other parts of the Jobs page: dead letters, schedules, workers, rescues."""

import json
from datetime import time

import pytest
from streamlit.testing.v1 import AppTest

from console.ui import formats
from services import schedules
from services.db import transaction
from services.jobs import feed
from services.schedules import Plan, Timing
from tests.pages.jobs import at_work, buttons, choose, failed, page, press, queued, run, scalar, started
from tests.pages.test_pages import words

pytestmark = pytest.mark.usefixtures("database")


def rows(app: AppTest, alt: str) -> list[dict[str, object]]:
    (found,) = [frame for frame in app.dataframe if frame.proto.alt.startswith(alt)]
    return found.value.to_dict("records")  # type: ignore[no-any-return]


@pytest.fixture
def planned(database: None) -> None:
    """A schedule of local times and one of an interval."""
    with transaction() as connection:
        slots = Timing("Asia/Manila", (time(6), time(18, 30, 15)), None, (1, 5))
        schedules.create(connection, "factoids", Plan("sitewide.factoids", slots, "sitewide", {"most": 50}), actor="olga")
        schedules.create(connection, "broom", Plan("housekeeping", Timing("UTC", (), 3600)), actor="olga")


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ("Dead letters", "There are no dead letters."), ("Schedules", "There is no schedule yet."),
        ("Workers", "No dispatcher and no worker is at work."), ("Rescues", "Nothing had to be rescued in 30 days."),
    ],
)  # fmt: skip
def test_it_says_that_there_is_nothing(view: str, said: str) -> None:
    assert said in words(page(view=view))


def test_it_groups_dead_letters_by_their_error() -> None:
    for n in range(3):
        failed(ConnectionError(f"no *answer* to {n}"), kind=f"kind {n % 2}")
    newest = failed(ValueError("odd " + "x" * 200))
    app = page("viewer", view="Dead letters")
    first, second = rows(app, "Dead jobs")
    assert (first["Jobs"], first["Error"], first["Newest words"], first["Kinds"]) == (
        3,
        "ConnectionError",
        "no *answer* to 2",
        "kind 0, kind 1",
    )
    assert (second["Jobs"], second["Newest"]) == (1, f"/job?id={newest}")
    assert app.code[0].value == "ConnectionError: no *answer* to 2"
    assert buttons(app) == {"Show the 3 jobs"}
    assert not [group for group in app.button_group if group.label.startswith("With")]


@pytest.mark.parametrize(("label", "sure", "left"), [("Retry", "Retry 2 jobs", 1), ("Discard", "Discard 2 jobs", 1)])
def test_an_operator_acts_on_all_that_died_alike(label: str, sure: str, left: int) -> None:
    failed(ConnectionError("1"))
    failed(ConnectionError("2"))
    failed(ValueError("3"))
    app = press(choose(page(view="Dead letters"), "With the 2 jobs of this error", label), sure)
    assert len(rows(app, "Dead jobs")) == left
    told = json.loads(str(scalar("select detail from audit where action like 'job.%'")).replace("'", '"'))
    assert (told["n"], set(told["filter"])) == (2, {"state", "fingerprint"})


def test_dead_letters_without_a_fingerprint_are_not_taken_for_all() -> None:
    failed(ValueError("new"))
    failed(ValueError("old"), kind="old")
    run("update jobs set fingerprint = null where kind = 'old'")
    app = page(view="Dead letters")
    app.selectbox(key="dead-letter").set_value(None).run()
    assert "These died before errors were told apart." in words(app)
    assert not [group for group in app.button_group if group.label.startswith("With")]


def test_the_jobs_of_an_error_are_shown_in_the_list() -> None:
    queued(2)
    failed(ValueError("other"))
    dead = failed(ConnectionError("1"))
    app = page("viewer", view="Dead letters")
    app = press(app, "Show the 1 job")
    assert app.session_state["view"] == "Jobs"
    (row,) = rows(app, "Jobs, newest first")
    assert row["Job"] == f"/job?id={dead}"
    assert app.button_group(key="state").value == "dead"


def test_it_shows_schedules_with_what_comes_and_what_was(planned: None) -> None:
    run(
        """
        insert into schedule_decisions (schedule_id, slot_at, local_label, decision, actor, reason)
        select id, now() - make_interval(hours => h), 'slot ' || h, case h when 1 then 'missed' else 'run' end, 'schedule', 'late ' || h
        from schedules, generate_series(1, 40) h where name = 'factoids'
        """
    )
    app = page("viewer", view="Schedules", schedule="factoids")
    told = {row["Schedule"]: row for row in rows(app, "Schedules: due when")}
    assert (told["factoids"]["Due"], told["broom"]["Due"]) == ("06:00, 18:30:15 on Mon, Fri, Asia/Manila", "every 1 h")
    assert (told["factoids"]["Last slot"], told["factoids"]["Decided"]) == ("slot 1", "▲ missed")
    assert (told["broom"]["Last slot"], told["broom"]["Decided"]) == ("none yet", "nothing yet")
    assert len(rows(app, "The next five")) == 5
    decided = rows(app, "The last thirty")
    assert len(decided) == 30
    assert (decided[0]["Slot"], decided[0]["Why"]) == ("slot 1", "late 1")
    assert '"most": 50' in app.code[0].value
    assert buttons(app) == {"Dry run"}


def test_an_operator_pauses_and_resumes_a_schedule(planned: None) -> None:
    app = press(page(view="Schedules", schedule="factoids"), "Pause")  # the queues' own is in a list of no queues
    assert "'factoids' is paused." in words(app)
    assert rows(app, "Schedules: due when")[1]["State"] == "‖ paused by operator"
    assert rows(app, "Schedules: due when")[1]["Next"] == "nothing while paused"
    assert "While it is paused nothing runs at them." in words(app)
    assert "Run now" not in buttons(app)
    app = press(app, "Resume")
    assert "runs again from its next slot on" in words(app)
    assert scalar("select string_agg(action, ' ' order by id) from audit where actor = 'operator'") == "schedule.pause schedule.resume"


def test_an_operator_runs_a_schedule_now_but_not_twice(planned: None) -> None:
    app = press(page(view="Schedules", schedule="broom"), "Run now")
    assert "Job 1 of 'broom' waits for a worker." in words(app)
    (decision,) = rows(app, "The last thirty")
    assert (decision["Decided"], decision["Job"], decision["Its state"], decision["By"]) == (
        "✓ run by hand",
        "/job?id=1",
        "○ queued",
        "operator",
    )
    app = press(app, "Run now")
    assert "Job 1 of 'broom' is not over yet." in words(app)
    assert scalar("select count(*) from jobs") == 1


def test_a_dry_run_decides_nothing(planned: None) -> None:
    app = page("viewer", view="Schedules", schedule="broom")
    assert "Nothing is due then." in words(press(app, "Dry run"))
    box = app.selectbox(key="dry-broom")
    app = press(box.select_index(2).run(), "Dry run")
    assert [row["Would be"] for row in rows(app, "What a tick")] == ["○ coalesced", "✓ run"]
    assert scalar("select count(*) from schedule_decisions") == 0


def test_a_job_that_is_no_longer_kept_is_said_to_be(planned: None) -> None:
    run(
        "insert into schedule_decisions (schedule_id, slot_at, local_label, decision, actor, job_id)"
        " select id, now(), 'x', 'run', 'a', 77 from schedules"
    )
    (decision,) = rows(page("viewer", view="Schedules", schedule="broom"), "The last thirty")
    assert decision["Its state"] == "no longer kept"


def test_it_shows_who_is_at_work() -> None:
    at_work("dispatcher", None, host="a")
    for host in ("b", "c", "d"):
        at_work(host=host)
    job_id = started()
    run("update processes set job_id = :id where host = 'b'", id=job_id)
    run("update processes set beat_at = now() - interval '41 seconds' where host = 'c'")
    run("update processes set quiet_at = now(), version = '0.0.9' where host = 'd'")
    app = page("viewer", view="Workers")
    told = {row["Process"]: row for row in rows(app, "Dispatchers and workers")}
    assert [told[name]["State"] for name in ("a · 7", "b · 7", "c · 7")] == ["● at work", "● at work", "▲ silent"]
    assert str(told["d · 7"]["State"]).startswith("‖ quiet for ")
    assert (told["b · 7"]["Job"], told["b · 7"]["Of the kind"]) == (f"/job?id={job_id}", "analyses.risks")
    assert str(told["c · 7"]["Heartbeat"]).startswith("41.")
    assert told["d · 7"]["Version"] == "▲ 0.0.9"
    assert told["a · 7"]["Queue"] == "every"
    assert "Worker" not in {box.label for box in app.selectbox}


def test_an_operator_lets_a_worker_go_quiet_and_wakes_it() -> None:
    at_work()
    app = press(page(view="Workers").selectbox(key="worker").select_index(0).run(), "Quiet")
    assert "host-1 · 7 takes no further job" in words(app)
    assert scalar("select quiet_at is not null from processes")
    app = press(app, "Wake")
    assert scalar("select quiet_at is null from processes")
    assert scalar("select string_agg(action, ' ' order by id) from audit where actor = 'operator'") == "job.quiet job.wake"
    run("update processes set quiet_at = now()")
    (button,) = [button for button in app.button if button.label == "Quiet"]
    assert not button.click().run().exception


def test_it_shows_what_was_rescued() -> None:
    with transaction() as connection:
        feed.tell(connection, "rescued", job_id=5, queue="ai", detail="attempt 1 was lost")
        feed.tell(connection, "redis lost", queue="ai", n=31)
    first, second = rows(page("viewer", view="Rescues"), "What the reconciler did")
    assert (first["What"], first["Number"], formats.is_unknown(first["Job"])) == ("▲ Redis lost", 31, True)
    assert (second["What"], second["Number"], second["Job"], second["Detail"]) == ("↻ rescued", 1, "/job?id=5", "attempt 1 was lost")

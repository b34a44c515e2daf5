"""The Jobs page: what is stuck, the queues, the list with its filters and its pages, and what an operator may do to jobs."""

import json
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from services.db import forget, transaction
from services.jobs import control, listing
from tests.pages.jobs import LONG_KIND, at_work, buttons, choose, done, failed, later, page, press, queued, run, scalar, session, started
from tests.pages.shown import wrong
from tests.pages.test_pages import opened, words

pytestmark = pytest.mark.usefixtures("database")


def tiles(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def table(app: AppTest, alt: str) -> list[dict[str, object]]:
    """The rows of the table that its words for the blind begin with."""
    (found,) = [frame for frame in app.dataframe if frame.proto.alt.startswith(alt)]
    return found.value.to_dict("records")  # type: ignore[no-any-return]


def listed(app: AppTest) -> list[int]:
    """Numbers of the jobs in the list; none where it says that there are none."""
    found = [frame for frame in app.dataframe if frame.proto.alt.startswith("Jobs, newest first")]
    return [int(address.rpartition("=")[2]) for frame in found for address in frame.value["Job"]]


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_it_says_what_to_do_where_there_is_nothing_yet(role: str) -> None:
    app = page(role)
    said = words(app)
    assert app.title[0].value == "Jobs"
    assert "No dispatcher is at work, so no job starts: start `python -m workers dispatch`." in said
    assert "No queue has a job or a worker yet." in said
    assert "There are no jobs yet." in said
    assert tiles(app) == {"Dead": "0", "Oldest wait": "none", "Waiting": "0", "Running": "0", "Workers": "0"}


def test_it_says_that_nothing_is_stuck() -> None:
    at_work("dispatcher", None)
    at_work()
    started()
    queued()
    app = page("viewer")
    assert "Nothing is stuck." in words(app)
    assert tiles(app)["Running"] == tiles(app)["Waiting"] == tiles(app)["Workers"] == "1"


def test_it_names_everything_that_needs_somebody() -> None:
    at_work("dispatcher", None)
    for queue in ("slow", "full", "halted"):
        at_work(queue=queue)
        queued(2, queue=queue)
    queued(queue="orphaned`*")
    failed(ValueError("no"), queue="slow")
    later(queue="slow")
    run("update jobs set run_at = now() - interval '3 hours' where queue in ('slow', 'full')")
    control.cap("olga", "queue", "full", 1)
    control.pause("olga", "queue", "halted")
    started(queue="fast")
    started(queue="full")
    run("update processes set beat_at = now() - interval '45 seconds' where queue = 'slow'")
    run("update jobs set run_at = now() + interval '2 hours' where id = (select max(id) from jobs where queue = 'slow')")
    app = page("viewer")
    said = words(app)
    assert "Queue full: 2 wait, the oldest for 3 h 00 min; its limit is reached." in said
    assert "Queue halted is paused by olga: 2 wait." in said
    assert "Queue orphaned\\`\\* has no worker: 1 waits. Start `python -m workers work orphaned*`." in said
    assert "Queue slow: 2 wait, the oldest for 3 h 00 min; its workers are busy or a kind is limited." in said
    assert "1 process is silent, see Workers" in said
    assert "1 dead letter waits" in said
    assert tiles(app)["Dead"] == "1"
    assert {row["Queue"]: row["State"] for row in table(app, "Queues")} == {
        "fast": "○ no worker, nothing waits", "full": "● open", "halted": "‖ paused by olga", "orphaned`*": "▲ no worker", "slow": "● open",
    }  # fmt: skip


def test_it_shows_how_each_queue_fares() -> None:
    at_work()
    at_work()
    control.cap("olga", "queue", "ai", 3)
    queued(2)
    later()
    started()
    run("insert into job_minutes select date_trunc('minute', now()) - interval '2 minutes', 'ai', 'x', 'done', 10, 0, 0")
    run("insert into job_minutes select date_trunc('minute', now()) - interval '40 minutes', 'ai', 'x', 'done', 7, 0, 0")
    run("update jobs set run_at = now() - interval '30 seconds' where state = 'queued' and run_at < now()")
    (row,) = table(page("viewer"), "Queues")
    assert row["Oldest wait"].startswith("30.")  # type: ignore[attr-defined]
    assert {name: row[name] for name in ("Waiting", "Due later", "Running", "Workers", "Ended")} == {
        "Waiting": 2, "Due later": 1, "Running": "1 of 3", "Workers": 2, "Ended": "2.00 /min",
    }  # fmt: skip
    hour = list(row["Last hour"])  # type: ignore[call-overload]
    assert len(hour) == 12
    assert (hour[-1], sum(hour)) == (10, 17)


def test_it_counts_dead_jobs_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST", 2)
    for n in range(3):
        failed(ValueError(f"{n}"))
    assert tiles(page("viewer"))["Dead"] == "2 or more"


def test_it_lists_jobs_in_every_state() -> None:
    ids = {
        "done": done({"n": 1}), "dead": failed(ValueError("no *way*")), "retry": failed(ConnectionError("again"), attempts=3),
        "running": started(tags=("b", "a"), created_by="olga"), "queued": queued(kind=LONG_KIND)[0], "later": later(),
    }  # fmt: skip
    cancelled, stopping, discarded = queued()[0], started(), failed(ValueError("old"))
    control.cancel("olga", ids=[cancelled, stopping])
    control.discard("olga", ids=[discarded])
    rows = {int(str(row["Job"]).rpartition("=")[2]): row for row in table(page("viewer"), "Jobs, newest first")}
    assert [rows[ids[name]]["State"] for name in ("done", "dead", "retry", "running", "queued")] == [
        "✓ done", "▲ dead", "↻ retry", "● running", "○ queued",
    ]  # fmt: skip
    assert [rows[job_id]["State"] for job_id in (cancelled, stopping, discarded)] == ["■ cancelled", "● stopping", "□ discarded"]
    assert rows[ids["dead"]]["Last said"] == "ValueError: no *way*"
    assert rows[ids["running"]]["Last said"] == "3 of 12: *third* record"
    assert (rows[ids["running"]]["Tags"], rows[ids["running"]]["Actor"]) == ("a, b", "olga")
    assert rows[ids["queued"]]["Kind"] == LONG_KIND
    assert str(rows[ids["later"]]["Waited"]) in ("due in 1 h 59 min", "due in 2 h 00 min")
    assert [rows[job_id]["Ran"] for job_id in (ids["queued"], ids["retry"], cancelled)] == ["not yet", "not yet", "never"]
    assert rows[cancelled]["Waited"] == "unknown"
    assert str(rows[ids["done"]]["Ran"]).endswith("ms")
    assert rows[ids["retry"]]["Attempts"] == "1 of 3"


@pytest.mark.parametrize(
    "address",
    [
        {"state": "dead"}, {"queue": "other"}, {"kind": "odd"}, {"tag": "nightly"}, {"actor": "olga"}, {"args": "customer.id:17"},
        {"args": "args.customer.id: 17"}, {"state": "dead", "kind": "odd", "tag": "nightly", "made": "1h"},
        {"made": "between", "since": "2020-01-01T00:00", "actor": "olga"},
    ],
)  # fmt: skip
def test_it_keeps_to_the_filters_of_its_address(address: dict[str, str]) -> None:
    queued(3)
    meant = failed(ValueError("x"), queue="other", kind="odd", tags=("nightly",), created_by="olga", args={"customer": {"id": 17}})
    app = page("viewer", **address)
    assert listed(app) == [meant]
    assert "Only " in words(app)


@pytest.mark.parametrize(
    "address", [{"kind": "gone"}, {"queue": "gone"}, {"tag": "gone"}, {"made": "between", "until": "2020-01-01T00:00"}]
)
def test_a_filter_that_nothing_matches_shows_nothing(address: dict[str, str]) -> None:
    queued(3)
    app = page(**address)
    assert listed(app) == []
    assert "No job matches. Take a filter away." in words(app)
    assert not app.button_group[-1].label.startswith("With everything")


def test_a_chosen_filter_begins_a_new_list() -> None:
    queued(60)
    failed(ValueError("x"))
    app = press(page(), "Older")
    assert "before" in app.query_params
    app.button_group(key="state").set_value("dead").run()
    assert "before" not in app.query_params
    assert len(listed(app)) == 1


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({"args": "customer"}, "'customer' is no path and value such as customer.id:17"),
        ({"args": ".:1"}, "is no path into a job's arguments"),
        ({"before": "x"}, "The address says before=x"),
        ({"after": "9" * 30}, "which is no job's number"),
    ],
)
def test_it_says_what_is_wrong_with_a_filter(address: dict[str, str], said: str) -> None:
    queued()
    assert said in wrong(page("viewer", **address))


def test_it_falls_back_where_an_address_makes_no_sense() -> None:
    queued()
    app = page("viewer", state="'; drop table jobs", view="nonsense", made="soon")
    assert not app.error
    assert len(listed(app)) == 1


def test_it_pages_there_and_back_while_new_jobs_come() -> None:
    ids = queued(60)[::-1]
    app = page("viewer")
    assert listed(app) == ids[:25]
    assert "25 of 60 that match" in words(app)
    app = press(app, "Older")
    assert listed(app) == ids[25:50]
    assert app.query_params["before"] == str(ids[24])
    newest = queued(3)
    app = press(app, "Older")
    assert listed(app) == ids[50:]
    assert next(button for button in app.button if button.label == "Older").disabled
    app = press(app, "Newer")
    assert listed(app) == ids[25:50]
    app = press(app, "Newer")
    assert listed(app) == ids[:25]
    app = press(app, "Newer")
    assert listed(app) == (newest[::-1] + ids)[:25]
    assert "after" not in app.query_params
    assert {button.label for button in app.button if button.disabled} == {"Newest", "Newer"}
    assert listed(press(press(press(app, "Older"), "Older"), "Newest"))[:3] == newest[::-1]


def test_a_bookmark_of_a_page_shows_that_page() -> None:
    ids = queued(30)
    assert listed(page("viewer", before=str(ids[10]), state="waiting")) == ids[:10][::-1]


def test_a_page_beyond_the_end_leads_back() -> None:
    ids = queued(2)
    app = page("viewer", before=str(ids[0]))
    assert "There are no jobs on this side." in words(app)
    assert listed(press(app, "Newest")) == ids[::-1]


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_who_may_only_look_is_offered_nothing(role: str) -> None:
    failed(ValueError("x"))
    app = page(role)
    assert "Operators may pause queues" in words(app)
    assert not [group for group in app.button_group if group.label.startswith("With")]
    assert buttons(app) == {"Newest", "Newer", "Older"}
    assert not app.expander


@pytest.mark.parametrize(
    ("label", "sure", "said", "states"),
    [
        ("Retry", "Retry 2 jobs", "2 jobs will run again.", "queued retry retry running"),
        ("Cancel", "Cancel 2 jobs", "2 jobs cancelled, or asked to stop.", "cancelled dead dead running"),
        ("Discard", "Discard 2 jobs", "2 jobs discarded.", "dead dead queued running"),
    ],
)
def test_an_operator_acts_on_everything_that_matches(label: str, sure: str, said: str, states: str) -> None:
    failed(ValueError("x"), kind="odd")
    failed(ValueError("x"), kind="odd")
    queued(kind="odd")
    started(kind="odd")
    bystanders = [failed(ValueError("x")), *queued()]
    app = choose(page(kind="odd"), "With everything that matches: 4 jobs", label)
    assert f"**{sure.split(' ', 1)[1]}** can be" in words(app)
    assert scalar("select count(*) from audit where action like 'job.%'") == 0
    app = press(app, sure)
    assert said in words(app)
    assert scalar("select string_agg(state, ' ' order by state) from jobs where kind = 'odd'") == states
    action, actor, n, told = str(
        scalar("select action || '|' || actor || '|' || (detail ->> 'n') || '|' || detail from audit where action like 'job.%'")
    ).split("|")
    assert (action, actor, n) == (f"job.{label.lower()}", "operator", "2")
    assert json.loads(told)["filter"] == {"kind": "odd"}
    with transaction() as connection:
        assert [listing.one(connection, job_id).job.state for job_id in bystanders] == ["dead", "queued"]
        assert all(listing.one(connection, job_id).job.discarded_at is None for job_id in bystanders)
    assert sure not in buttons(app)


def test_it_says_that_there_is_nothing_to_do() -> None:
    done()
    app = choose(page(), "With everything", "Retry")
    assert "There is nothing to retry: none of them is dead, cancelled or waiting for its next attempt" in words(app)
    assert not [label for label in buttons(app) if label.startswith("Retry ")]


def test_it_counts_one_of_several_that_may_live_one_at_a_time() -> None:
    for _ in range(3):
        control.cancel("olga", ids=queued(dedupe_key="same"))
    app = press(choose(page(), "With everything", "Retry"), "Retry 1 job")
    assert "1 job will run again." in words(app)
    assert scalar("select count(*) from jobs where state = 'retry'") == 1


@pytest.mark.parametrize("label", ["Retry", "Cancel", "Discard"])
def test_who_lost_the_role_meanwhile_changes_nothing(label: str) -> None:
    failed(ValueError("x"))
    queued()
    app = choose(page(), "With everything", label)
    run("update accounts set role = 'viewer'")
    press(app, f"{label} 1 job")
    assert scalar("select string_agg(state, ' ' order by id) from jobs") == "dead queued"
    assert scalar("select count(*) from audit where action like 'job.%'") == 0


def test_who_is_signed_out_meanwhile_sees_no_more(database: None) -> None:
    queued()
    app = page()
    run("delete from sign_ins")
    assert not listed(app.run())


def test_an_operator_pauses_resumes_and_limits_a_queue() -> None:
    queued()
    app = press(page(), "Pause")
    assert "The queue 'ai' is paused." in words(app)
    assert table(app, "Queues and kinds that are paused")[0]["Paused"].startswith("by operator, ")  # type: ignore[attr-defined]
    app.number_input[0].set_value(3).run()
    app = press(app, "Set the limit")
    assert "may run 3 at once" in words(app)
    assert table(app, "Queues with")[0]["Running"] == "0 of 3"
    app = press(app, "Resume")
    assert "The queue 'ai' goes on." in words(app)
    app = press(app, "Lift the limit")
    assert "has no limit any more" in words(app)
    assert "Nothing is paused or limited." in words(app)
    assert (
        scalar("select string_agg(action, ' ' order by id) from audit where actor = 'operator'") == "job.pause job.cap job.resume job.cap"
    )


def test_an_operator_pauses_a_kind_and_hears_when_somebody_was_quicker() -> None:
    queued(kind="odd")
    app = page()
    app.button_group(key="limit-scope").set_value("Kind").run()
    control.pause("olga", "kind", "odd")
    app = press(app, "Resume") if "Resume" in buttons(app.run()) else app
    assert "The kind 'odd' goes on." in words(app)
    assert scalar("select count(*) from job_limits") == 0


@pytest.fixture
def impatient(database: None) -> Iterator[None]:
    """Postgres gives up on a lock after 200 ms."""
    run("alter role current_user set lock_timeout = 200")
    forget()
    yield
    run("alter role current_user reset lock_timeout")
    forget()


@pytest.mark.parametrize("name", ["jobs", "job"])
def test_it_words_a_database_that_does_not_answer(name: str, impatient: None) -> None:
    (job_id,) = queued()
    viewer = session("viewer")
    with transaction() as holder:
        holder.exec_driver_sql("lock table jobs in access exclusive mode")
        app = opened(name, viewer, id=str(job_id))
        assert "The database does not answer." in words(app)
        assert not app.exception
    assert not app.run().error


def test_it_words_an_act_that_the_database_refuses(impatient: None) -> None:
    failed(ValueError("x"))
    app = choose(page(), "With everything", "Retry")
    with transaction() as holder:
        holder.exec_driver_sql("lock table audit in access exclusive mode")
        app = press(app, "Retry 1 job")
        assert "The database does not answer." in words(app)
    assert scalar("select state from jobs") == "dead"

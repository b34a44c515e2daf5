"""The page of one job: everything that is known of it, and what an operator may do with it."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from services.db import transaction
from services.jobs import claim, control
from tests.pages.jobs import LONG_KIND, buttons, choose, done, failed, later, press, queued, run, scalar, session, started
from tests.pages.shown import wrong
from tests.pages.test_pages import opened, words

pytestmark = pytest.mark.usefixtures("database")


def one(job_id: object, role: str = "viewer") -> AppTest:
    app = opened("job", session(role), id=str(job_id))
    assert not app.exception
    return app


def tiles(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def table(app: AppTest, alt: str) -> list[dict[str, object]]:
    (found,) = [frame for frame in app.dataframe if frame.proto.alt.startswith(alt)]
    return found.value.to_dict("records")  # type: ignore[no-any-return]


def happened(app: AppTest) -> list[object]:
    return [row["What"] for row in table(app, "What happened")]


def facts(app: AppTest) -> dict[object, object]:
    return {row["What"]: row["Value"] for row in table(app, "The job's kind")}


def codes(app: AppTest) -> list[str]:
    return [code.value for code in app.code]


def test_it_asks_which() -> None:
    app = opened("job", session("viewer"))
    assert "Which job? Give its number" in words(app)
    assert not app.metric


@pytest.mark.parametrize("told", ["x", "-1", "1.5", "9" * 30, "١", "[a](http://b)"])
def test_it_says_what_is_no_number(told: str) -> None:
    assert "is no job's number: a whole number from 1 on" in wrong(one(told))


def test_it_says_that_there_is_no_such_job() -> None:
    app = one(4711, "operator")
    assert "There is no job 4711. Look at the number again" in words(app)
    assert not app.metric
    assert not app.button_group


def test_it_shows_a_job_that_is_done() -> None:
    job_id = done(
        {"similar": [3, 9], "token": "t"}, args={"id": 17, "api_key": "sk-1"}, tags=("b", "a"), created_by="olga", cause=("page", 7)
    )
    app = one(job_id)
    assert (tiles(app)["State"], tiles(app)["Attempt"], tiles(app)["Queue"]) == ("✓ done", "1 of 3", "ai")
    assert happened(app) == ["made by olga", "attempt 1 began", "attempt 1 ✓ done", "✓ done"]
    assert (facts(app)["Tags"], facts(app)["Because of"], facts(app)["Error's fingerprint"]) == ("a, b", "page 7", "no error")
    arguments, result = codes(app)
    assert '"id": 17' in arguments
    assert "sk-1" not in arguments
    assert '"token": "…"' in result
    (attempt,) = table(app, "Attempts")
    assert (attempt["Outcome"], attempt["Worker"], attempt["Process"], attempt["Error"]) == ("✓ done", "host.1.abcd1234", "4243", "")
    assert str(attempt["Lease"]).endswith(", given up")


def test_it_shows_why_a_job_died_with_every_attempt() -> None:
    job_id = failed(ConnectionError("*no* answer"), attempts=2)
    run("update jobs set run_at = now()")
    with transaction() as connection:
        job = claim.claim(connection, job_id, "other.2.abcd1234")
        assert job is not None
        claim.fail(connection, job, ValueError("<b>17</b>"), "Traceback 2")
    app = one(job_id)
    assert tiles(app)["State"] == "▲ dead"
    assert [(row["Attempt"], row["Outcome"], row["Error"]) for row in table(app, "Attempts")] == [
        (2, "▲ failed", "ValueError: <b>17</b>"), (1, "▲ failed", "ConnectionError: *no* answer"),
    ]  # fmt: skip
    assert "ValueError: <b>17</b>" in codes(app)
    assert "Traceback 2" in codes(app)
    assert [expander.label for expander in app.expander] == ["Traceback of attempt 2", "Traceback of attempt 1"]
    assert [expander.proto.expanded for expander in app.expander] == [True, False]
    assert happened(app)[-1] == "▲ dead"
    assert "It left no result." in words(app)


def test_it_shows_a_job_that_runs_and_its_lease() -> None:
    job_id = started()
    app = one(job_id)
    assert tiles(app)["State"] == "● running"
    (progress,) = app.get("progress")
    assert (progress.proto.value, progress.proto.text) == (25, r"3 of 12\: \*third\* record")
    assert str(table(app, "Attempts")[0]["Lease"]).endswith("s left")
    run("update jobs set lease_until = now() - interval '9 seconds'")
    assert "▲ ran out 9." in str(table(app.run(), "Attempts")[0]["Lease"])
    assert "There is no result yet." in words(app)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ('{"done": 3, "total": 0, "note": "x"}', r"3\: x"), ('{"note": "only words"}', "only words"),
        ('{"done": "many", "total": [1]}', "many"), ('{"other": 1}', "It says nothing of how far it is."),
    ],
)  # fmt: skip
def test_it_shows_progress_that_has_no_measure(told: str, said: str) -> None:
    job_id = started()
    run("update jobs set progress = cast(:told as jsonb)", told=told)
    app = one(job_id)
    assert said in words(app)
    assert not app.get("progress")


def test_it_shows_a_job_that_waits_and_one_that_was_put_aside() -> None:
    waits, aside = later(), failed(ValueError("x"))
    control.discard("olga", ids=[aside])
    app = one(waits)
    assert happened(app) == ["made by system", "due"]
    assert tiles(app)["Waited"].startswith("due in ")
    assert tiles(app)["Ran"] == "not yet"
    assert "No worker has taken it yet." in words(app)
    assert "It has no arguments." in words(app)
    app.text_input(key="id").set_value(f"{aside}").run()
    assert tiles(app)["State"] == "□ discarded"
    assert happened(app)[-1] == "discarded"


def test_it_takes_long_names_and_long_arguments() -> None:
    (job_id,) = queued(kind=LONG_KIND, args={f"key {n}": "x" * 50 for n in range(100)}, dedupe_key="k" * 200)
    app = one(job_id)
    assert facts(app)["Kind"] == LONG_KIND
    assert app.subheader[0].value == LONG_KIND.replace("_", r"\_")
    assert len(codes(app)[0]) > 5_000


@pytest.mark.parametrize(
    ("state", "offered"),
    [("done", []), ("dead", ["Retry", "Discard"]), ("queued", ["Cancel"]), ("running", ["Cancel"]), ("retry", ["Retry", "Cancel"])],
)
def test_an_operator_is_offered_what_can_be_done(state: str, offered: list[str]) -> None:
    make: dict[str, Callable[[], int]] = {
        "done": done, "dead": lambda: failed(ValueError("x")), "queued": lambda: queued()[0], "running": started,
        "retry": lambda: failed(ConnectionError("x"), attempts=3),
    }  # fmt: skip
    app = one(make[state](), "operator")
    assert [option for group in app.button_group for option in group.options] == offered


def test_a_viewer_is_offered_nothing() -> None:
    app = one(failed(ValueError("x")))
    assert not app.button_group
    assert buttons(app) == set()


def test_an_operator_retries_one_job_and_no_other() -> None:
    job_id, other = failed(ValueError("x")), failed(ValueError("x"))
    app = press(choose(one(job_id, "operator"), "With this job", "Retry"), "Retry 1 job")
    assert "1 job will run again." in words(app)
    assert tiles(app)["State"] == "↻ retry"
    assert tiles(app)["Attempt"] == "1 of 2"
    assert scalar(f"select state from jobs where id = {other}") == "dead"
    assert scalar("select subject || ' ' || actor from audit where action = 'job.retry'") == f"job {job_id} operator"

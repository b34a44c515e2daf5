"""Jobs in every state, for the tests of the pages that show them."""

from datetime import timedelta

from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from services.accounts import accounts, sign_ins
from services.clock import utc_now
from services.db import transaction
from services.jobs import claim, enqueue
from services.jobs.processes import Process, beat
from tests.pages.test_pages import opened

KIND = "analyses.risks"
LONG_KIND = "reports." + "very_" * 30 + "long"


def session(role: str) -> str:
    """The session of somebody who has that role, and its name."""
    with transaction() as connection:
        return sign_ins.begin(connection, accounts.create(connection, role, role))


def run(statement: str, **values: object) -> None:
    with transaction() as connection:
        connection.execute(text(statement), values)


def scalar(statement: str) -> object:
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


def queued(count: int = 1, kind: str = KIND, queue: str = "ai", **told: object) -> list[int]:
    with transaction() as connection:
        made = [enqueue(connection, kind, queue=queue, **told) for _ in range(count)]  # type: ignore[arg-type]
    return [job_id for job_id in made if job_id is not None]


def started(**told: object) -> int:
    (job_id,) = queued(**told)  # type: ignore[arg-type]
    with transaction() as connection:
        job = claim.claim(connection, job_id, "host.1.abcd1234", 4243)
        assert job is not None
        claim.heartbeat(connection, job, {"done": 3, "total": 12, "note": "*third* record"})
    return job_id


def done(result: object = None, **told: object) -> int:
    (job_id,) = queued(**told)  # type: ignore[arg-type]
    with transaction() as connection:
        job = claim.claim(connection, job_id, "host.1.abcd1234", 4243)
        assert job is not None
        claim.finish(connection, job, result)
    return job_id


def failed(error: Exception, attempts: int = 1, **told: object) -> int:
    """Dead after one attempt, or waiting for its next."""
    (job_id,) = queued(max_attempts=attempts, **told)  # type: ignore[arg-type]
    with transaction() as connection:
        job = claim.claim(connection, job_id, "host.1.abcd1234", 4243)
        assert job is not None
        claim.fail(connection, job, error, f"Traceback: {error!r}")
    return job_id


def later(**told: object) -> int:
    (job_id,) = queued(run_at=utc_now() + timedelta(hours=2), **told)  # type: ignore[arg-type]
    return job_id


def at_work(kind: str = "worker", queue: str | None = "ai", host: str = "host-1") -> Process:
    process = Process("dispatcher" if kind == "dispatcher" else "worker", queue, host=host, pid=7)
    with transaction() as connection:
        beat(connection, process)
    return process


def page(role: str = "operator", **address: str) -> AppTest:
    """The Jobs page as somebody with that role opens it."""
    app = opened("jobs", session(role), **address)
    assert not app.exception
    return app


def press(app: AppTest, label: str) -> AppTest:
    (button,) = [button for button in app.button if button.label == label]
    button.click().run()
    assert not app.exception
    return app


def choose(app: AppTest, about: str, label: str) -> AppTest:
    """Choose what to do, in the row of acts whose words begin so."""
    (row,) = [group for group in app.button_group if group.label.startswith(about)]
    row.set_value(label).run()
    assert not app.exception
    return app


def buttons(app: AppTest) -> set[str]:
    return {button.label for button in app.button}

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.db import transaction
from services.errors import BadInput, Forbidden
from services.jobs import cancel, claim, get, kinds
from services.jobs.kinds import MOST_ARGS_BYTES, Posted

pytestmark = pytest.mark.usefixtures("database")


def post(**told: object) -> Posted:
    with transaction() as connection:
        return kinds.post(connection, **({"kind": "housekeeping", "args": {}, "created_by": "key x"} | told))  # type: ignore[arg-type]


def test_it_gives_the_job_that_is_there_and_a_new_one_once_that_is_over() -> None:
    first = post(dedupe_key="k")
    assert first.new
    assert post(dedupe_key="k") == Posted(first.id, new=False)
    assert post(dedupe_key="k", kind="rollups.verify").new  # keys are told apart by kind

    with transaction() as connection:
        job = claim.claim(connection, first.id, "tester")
        assert job is not None
        assert kinds.post(connection, "housekeeping", {}, dedupe_key="k", created_by="x") == Posted(first.id, new=False)
        claim.finish(connection, job)
    assert post(dedupe_key="k").new


def test_its_keys_never_stand_in_the_way_of_our_own() -> None:
    posted = post(kind="rollups.rebuild", dedupe_key="rollups.rebuild", args={"start": "2026-01-01"}, tags=["b", "a"])
    with transaction() as connection:
        job = get(connection, posted.id)
        assert (job.dedupe_key, job.queue, job.created_by, job.tags) == ("rollups.rebuild/rollups.rebuild", "default", "key x", ["a", "b"])
        cancel(connection, posted.id)


def test_it_knows_the_same_instant_in_any_zone() -> None:
    due = datetime(2031, 1, 1, 12, tzinfo=timezone(timedelta(hours=23)))
    with transaction() as connection:
        assert get(connection, post(run_at=due).id).run_at == due.astimezone(UTC)


@pytest.mark.parametrize(
    ("told", "error", "words"),
    [
        ({"kind": "telemetry.move"}, Forbidden, "cannot be started from outside"),
        ({"queue": "rollups"}, BadInput, "no queue 'rollups'"),
        ({"args": {"text": "half \ud83d"}}, BadInput, "surrogate"),
        ({"args": {"text": "é" * (MOST_ARGS_BYTES // 2)}}, BadInput, "longer than 65,536 bytes"),
        ({"run_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))}, BadInput, "outside the calendar"),
        ({"run_at": datetime(2031, 1, 1)}, BadInput, "say its zone"),
    ],
)
def test_it_refuses_what_may_not_be_started(told: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        post(**told)

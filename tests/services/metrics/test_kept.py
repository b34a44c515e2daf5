"""Answers are kept while nothing changes, and not a moment longer."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sqlalchemy import text

from services import clock, metrics
from services.accounts import accounts, sign_ins
from services.db import transaction
from services.errors import BadInput, Unavailable
from services.metrics import Answer, kept
from services.metrics.distribution import distribution
from services.metrics.kept import KEPT, MOST, MOST_CELLS
from tests.pages.test_pages import PAGES, opened, traffic  # noqa: F401 - a fixture
from tests.traffic import arrive, many, operation, send

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def moment(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """A clock that stands still."""
    now = clock.utc_now().replace(second=3)
    monkeypatch.setattr(kept, "utc_now", lambda: now)
    return now


def ask(**more: object) -> Answer:
    today = clock.utc_now().date()
    return metrics.query(["operations", "cost"], start=today - timedelta(days=3), end=today + timedelta(days=1), **more)  # type: ignore[arg-type]


def flow() -> Answer:
    today = clock.utc_now().date()
    return metrics.query(["throughput"], start=today, end=today + timedelta(days=1))


def test_all_who_ask_the_same_share_one_answer() -> None:
    arrive(many(50, clock.utc_now() - timedelta(days=2), timedelta(days=1)))
    assert ask().frame is ask().frame
    assert ask(by=["model"]).frame is not ask(by=["module"]).frame
    assert ask(where={"model": ["gpt-5-mini"]}).frame is ask(where={"model": ["gpt-5-mini"]}).frame
    assert ask(where={"model": ["gpt-5-mini"]}).frame is not ask(where={"module": ["chat"]}).frame
    assert ask(compare=True).frame is not ask(compare="week").frame


def test_what_is_counted_is_in_the_next_answer() -> None:
    now = clock.utc_now()
    for n in range(1, 4):
        arrive([operation(f"o{n}", now - timedelta(hours=1), latency_ms=500)])
        assert ask().frame["operations"].iloc[0] == n
        found = distribution(start=now - timedelta(days=1), end=now, interval="hour")
        assert found.counts.sum() == n
        assert metrics.values("module") == ["chat"]
    arrive([operation("other", now, module="tutor")] + [operation(f"t{n}", now, module="tutor") for n in range(5)])
    assert metrics.values("module") == ["tutor", "chat"]


def test_within_one_look_the_numbers_stay_as_they_were() -> None:
    arrive([operation("first", clock.utc_now() - timedelta(hours=1))])
    with metrics.one_look():
        before = ask()
        arrive([operation("second", clock.utc_now() - timedelta(hours=1))])
        assert ask().frame is before.frame
        assert (ask().as_of, ask().complete) == (before.as_of, before.complete)
        assert ask(by=["model"]).frame["operations"].sum() == 1  # not kept, and read as the numbers were
    assert ask().frame["operations"].iloc[0] == 2
    assert ask(by=["model"]).frame["operations"].sum() == 2


def test_looks_leave_connections_for_all_others() -> None:
    """More looks at once than may hold one, and each of them reads beside it."""
    arrive([operation("here", clock.utc_now() - timedelta(hours=1))])
    together = Barrier(20)

    def look(person: int) -> int:
        with metrics.one_look():
            model = ask(by=["model"], where={"module": ["chat", str(person)]})
            together.wait(30)
            module = ask(by=["module"], where={"module": ["chat", str(person)]})
            with transaction() as connection:
                connection.execute(text("select 1"))
            return int(model.frame["operations"].sum() + module.frame["operations"].sum())

    with ThreadPoolExecutor(20) as people:
        assert list(people.map(look, range(20))) == [2] * 20


def test_nothing_is_written_in_a_look() -> None:
    arrive([operation("here", clock.utc_now() - timedelta(hours=1))])
    with metrics.one_look(), pytest.raises(Unavailable):
        KEPT.get("asked", lambda snapshot: snapshot.connection.execute(text("delete from rollup_day")))
    assert ask().frame["operations"].iloc[0] == 1


def test_what_waits_is_told_though_the_numbers_are_kept() -> None:
    arrive([operation("here", clock.utc_now() - timedelta(hours=1))])
    before = ask()
    send([operation("waits", clock.utc_now())])
    after = ask()
    assert after.frame is before.frame
    assert (before.complete, after.complete) == (True, False)
    assert after.as_of >= before.as_of


def test_a_measure_that_moves_on_by_itself_does(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(kept, "AGE_S", 10**9)  # ends are spread over the hour, and one may fall into this minute
    arrive([operation("here", clock.utc_now())])
    first, rate = ask(), flow()
    monkeypatch.setattr(kept, "utc_now", lambda: moment + timedelta(seconds=kept.MOVING_S))
    assert flow().frame is not rate.frame
    assert ask().frame is first.frame
    monkeypatch.setattr(kept, "utc_now", lambda: moment + timedelta(seconds=kept.AGE_S))
    assert ask().frame is not first.frame
    assert_frame_equal(ask().frame, first.frame)


def test_of_many_who_ask_at_once_one_makes_the_answer() -> None:
    made: list[int] = []

    def make(_: object) -> list[int]:
        made.append(1)
        time.sleep(0.2)
        return made

    with ThreadPoolExecutor(8) as people:
        answers = list(people.map(lambda _: KEPT.get("asked", make)[1], range(8)))
    assert made == [1]
    assert all(answer is made for answer in answers)


def test_an_answer_that_failed_is_not_kept() -> None:
    def fail(_: object) -> None:
        raise BadInput("no")

    for _ in range(2):
        with pytest.raises(BadInput):
            KEPT.get("asked", fail)
    assert KEPT.get("asked", lambda _: 7)[1] == 7


def test_the_oldest_are_let_go() -> None:
    arrive([operation("here", clock.utc_now())])
    first = ask()
    for n in range(MOST):
        KEPT.get(("other", n), lambda snapshot: snapshot)
    assert ask().frame is not first.frame


def test_large_answers_leave_room() -> None:
    frames = [KEPT.get(n, lambda _: (pd.DataFrame({"x": range(MOST_CELLS // 4)}),))[1][0] for n in range(6)]
    assert KEPT.get(5, lambda _: (pd.DataFrame(),))[1][0] is frames[5]
    assert KEPT.get(0, lambda _: (pd.DataFrame(),))[1][0] is not frames[0]
    KEPT.get("too large", lambda _: (pd.DataFrame({"x": range(MOST_CELLS + 1)}),))
    assert KEPT._cells == sum(made[0].size for made in KEPT._answers.values()) <= MOST_CELLS  # type: ignore[index]


def test_no_page_changes_what_it_shares(traffic: int) -> None:  # noqa: F811
    with transaction() as connection:
        session = sign_ins.begin(connection, accounts.create(connection, "vera", "viewer"))
    for page in (*PAGES, "home", "explore"):
        assert not opened(page, session, range="7d").exception
    shown = {key[2][1:]: made[0] for key, made in KEPT._answers.items() if key[2][0] == "query"}  # type: ignore[index]
    assert len(shown) > 30
    KEPT.forget()
    for (measures, start, end, by, where, interval, compare), frame in shown.items():
        again = metrics.query(
            measures, start=start, end=end, by=by, where={name: list(values) for name, values in where}, interval=interval, compare=compare
        ).frame
        rates = [name for name in again if name.startswith("throughput")]  # of a range that goes on
        assert_frame_equal(pd.DataFrame(frame).drop(columns=rates), again.drop(columns=rates))

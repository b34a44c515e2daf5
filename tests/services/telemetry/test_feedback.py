"""Feedback: through the door and the move into the numbers, once; found later by what it is about; gone with its user."""

import random
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text

from services import metrics
from services.clock import utc_now
from services.db import transaction
from services.rollups.rebuild import rebuild
from services.rollups.verify import verify
from services.sessions import listing, statistics, timeline
from services.telemetry import forget_user
from tests.traffic import arrive, move_all, operation, send

pytestmark = pytest.mark.usefixtures("database")
MEASURES = ["feedback", "feedback_rating", "thumbs_up_share"]


def numbers(*by: str, measures: list[str] = MEASURES) -> pd.DataFrame:
    today = utc_now().date()
    return metrics.query(measures, start=today - timedelta(days=40), end=today + timedelta(days=2), by=by).frame


def right() -> bool:
    today = utc_now().date()
    return verify(today - timedelta(days=40), today + timedelta(days=2))["differences"] == 0


def session(key: str, **told: object) -> dict[str, object]:
    return {"id": key, "started_at": (utc_now() - timedelta(hours=3)).isoformat(), "module": "tutor"} | told


def about(key: str, session_id: str | None = "s", **told: object) -> dict[str, object]:
    return {"id": key, "session_id": session_id, "thumbs": "up"} | told


def test_it_counts_feedback_once_where_its_subject_is() -> None:
    call = operation("call", utc_now() - timedelta(hours=2), model="gpt-5-mini", module="chat")
    arrive([session("s")], noun="sessions")
    arrive([call])
    told = [
        about("a", rating=5), about("b", thumbs="down", rating=2), about("c", thumbs=None, rating=1.5),
        about("d", None, operation_id="call"), about("e", "nobody told of"),
    ]  # fmt: skip
    assert arrive(told, noun="feedback") == 5
    assert arrive([*told, about("a", thumbs="down", rating=1)], noun="feedback") == 0
    row = numbers().iloc[0]
    assert (row["feedback"], row["feedback_rating"], row["thumbs_up_share"]) == (5, pytest.approx(8.5 / 3), 3 / 4)
    by_module = numbers("module", measures=["feedback"]).set_index("module")["feedback"].to_dict()
    assert by_module == {"tutor": 3, "chat": 1, "(unknown)": 1}
    by_model = numbers("model", measures=["feedback"]).set_index("model")["feedback"].to_dict()
    assert by_model == {"(session)": 4, "gpt-5-mini": 1}
    assert right()


def test_it_takes_ratings_of_people_for_sessions_whose_application_told_none() -> None:
    arrive([session("s"), session("rated", rating=2), session("unrated")], noun="sessions")
    arrive([about("a", rating=5), about("b", rating=4), about("c", "rated", rating=5), about("d", "unrated")], noun="feedback")
    row = numbers(measures=["session_rating", "rated_share"]).iloc[0]
    assert (row["session_rating"], row["rated_share"]) == (pytest.approx((4.5 + 2) / 2), pytest.approx(2 / 3))
    with transaction() as connection:
        assert [listing.get(connection, "app", key).rating for key in ("s", "rated", "unrated")] == [4.5, 2, None]
    assert right()


@pytest.mark.parametrize("seed", range(4))
def test_it_finds_what_comes_later_in_whatever_order_all_of_it_arrives(seed: int) -> None:
    chance = random.Random(seed)
    sessions = [session(f"s{n}", subject=["maths", "art"][n % 2]) for n in range(8)]
    calls = [operation(f"c{n}", utc_now() - timedelta(hours=1, minutes=n), session_id=f"s{n}", module="tutor") for n in range(8)]
    said = [about(f"f{n}", f"s{n % 10}", rating=1 + n % 5, thumbs=["up", "down", None][n % 3]) for n in range(30)]
    said += [about(f"g{n}", None, operation_id=f"c{n % 9}", rating=3) for n in range(12)]
    parts: list[tuple[Any, Any]] = [("sessions", sessions[:5]), ("sessions", sessions[5:]), ("operations", calls)]
    parts += [("feedback", said[n::4]) for n in range(4)] + [("feedback", said[:7])]
    chance.shuffle(parts)
    for noun, records in parts:
        send(records, noun=noun)
        if chance.random() < 0.6:
            move_all()
    move_all()
    statistics.make()
    truth = pd.DataFrame(said)
    row = numbers().iloc[0]
    assert (row["feedback"], row["feedback_rating"]) == (len(said), pytest.approx(truth["rating"].mean()))
    assert numbers("module", measures=["feedback"]).set_index("module")["feedback"].to_dict() == {"tutor": 35, "(unknown)": 7}
    of_session = truth[truth["session_id"].isin([f"s{n}" for n in range(8)])].groupby("session_id")["rating"].mean()
    assert numbers(measures=["session_rating"])["session_rating"].iloc[0] == pytest.approx(of_session.mean())
    assert right()
    rebuild(None, None, lambda *_: None, lambda: False)
    assert numbers().iloc[0].to_dict() == row.to_dict()


def test_it_shows_what_was_said_of_a_session_nobody_told_of() -> None:
    arrive([about("a", "ghost", comment="<b>who?</b>", user_id="ada")], noun="feedback")
    with transaction() as connection:
        said = timeline.feedback(connection, "app", "ghost")
        assert timeline.feedback(connection, "elsewhere", "ghost") == []
    assert [(one.thumbs, one.rating, one.comment, one.user_key, one.of_operation) for one in said] == [
        (1, None, "<b>who?</b>", "ada", False)
    ]


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"id": "x", "thumbs": "up"}, "session_id"),
        ({"id": "x", "thumbs": "up", "session_id": "s", "operation_id": "o"}, "session_id"),
        ({"id": "x", "session_id": "s"}, "rating"),
        ({"id": "x", "session_id": "s", "rating": 6}, "rating"),
        ({"id": "x", "session_id": "s", "rating": 0.5}, "rating"),
        ({"id": "x", "session_id": "s", "thumbs": "sideways"}, "thumbs"),
        ({"id": "x", "session_id": "s", "thumbs": "up", "comment": "x" * 4_001}, "comment"),
        ({"id": "x", "session_id": "s", "thumbs": "up", "comment": "a\0"}, "comment"),
        ({"id": "x", "session_id": "s", "thumbs": "up", "at": "2999-01-01T00:00:00Z"}, "at"),
        ({"id": "x", "session_id": "s", "thumbs": "up", "at": "1999-01-01T00:00:00Z"}, "at"),
        ({"id": "x", "session_id": "s", "thumbs": "up", "mood": "fine"}, "mood"),
        ({"session_id": "s", "thumbs": "up"}, "id"),
        ("up", "(record)"),
    ],
)
def test_it_refuses_what_is_no_feedback_without_keeping_the_comment(told: object, field: str) -> None:
    receipt = send([told], noun="feedback")
    assert (receipt.accepted, [rejection.field for rejection in receipt.rejections]) == (0, [field])
    assert "comment" not in receipt.rejections[0].raw


def test_it_forgets_the_comments_of_a_user_and_of_their_sessions_and_no_number_changes() -> None:
    arrive([session("s", user_id="ada", subject="maths"), session("t", user_id="bob", subject="art")], noun="sessions")
    arrive(
        [
            about("a", rating=5, comment="by ada", user_id="ada"), about("b", rating=2, comment="of ada's"),
            about("c", "t", comment="bob's"),
            about("d", "t", comment="ada on bob's", user_id="ada"),
            about("e", comment="bob on ada's", user_id="bob"),
        ],
        noun="feedback",
    )  # fmt: skip
    before = numbers(measures=[*MEASURES, "session_rating", "sessions_started"]).to_dict()
    counts = forget_user.forget("ada", actor="tester")
    assert counts["feedback"] == 3
    with transaction() as connection:
        comments = connection.execute(text("select comment from feedback where comment is not null order by 1")).scalars().all()
        keys = connection.execute(text("select user_key, session_key from feedback")).all()
    assert comments == ["bob on ada's", "bob's"]
    assert "ada" not in {user_key for user_key, _ in keys}
    assert "s" not in {session_key for _, session_key in keys}
    assert numbers(measures=[*MEASURES, "session_rating", "sessions_started"]).to_dict() == before
    subjects = numbers("subject", measures=["sessions_started"]).set_index("subject")
    assert subjects["sessions_started"].to_dict() == {"art": 1, "(no subject)": 1}
    assert right()

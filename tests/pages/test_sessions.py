"""The Sessions page and one session's page: what they show of sessions plain and odd, where nobody told, and from any address."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import quote

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from console.ui import rhythm
from services.accounts import accounts, sign_ins
from services.clock import utc_now
from services.db import transaction
from services.metrics import HOURS, WEEKDAYS
from services.sessions import statistics
from services.settings import settings
from tests.pages.test_pages import charts, opened, words
from tests.traffic import arrive, operation

HOSTILE = "<img src=x onerror=alert(1)> **bold** [a](javascript:x)"


@pytest.fixture(scope="module")
def viewer(empty: Callable[[], None]) -> Iterator[str]:
    """Three weeks of sessions, for all tests of this module, which only read; and somebody to look at them."""
    settings.cache_clear()
    empty()
    start = utc_now() - timedelta(days=20)
    told = []
    for n in range(70):
        begin = start + timedelta(hours=6.5 * n)
        told.append(
            {"id": f"s{n}", "started_at": begin.isoformat(), "module": "tutor", "user_id": f"u{n % 7}", "messages": n % 9}
            | ({"ended_at": (begin + timedelta(minutes=9)).isoformat()} if n % 5 else {})
            | {"topics": [f"topic {n % 12}"] if n % 4 else [], "subject": ["maths", "art"][n % 2], "cohort": "2026"}
        )
    arrive(told, noun="sessions")
    arrive([{"id": HOSTILE, "started_at": start.isoformat(), "user_id": HOSTILE, "subject": HOSTILE, "topics": [HOSTILE]}], noun="sessions")
    arrive([operation(f"o{n}", start + timedelta(minutes=n), session_id="s0", error_type="timeout" if n == 1 else None) for n in range(3)])
    arrive([operation(f"l{n}", start + timedelta(hours=6.5, seconds=n), session_id="s1") for n in range(130)])
    arrive([{"id": "f", "session_id": HOSTILE, "thumbs": "down", "rating": 1, "comment": HOSTILE}], noun="feedback")
    arrive([{"id": "g", "session_id": "ghost", "thumbs": "up", "comment": "who?"}], noun="feedback")
    statistics.make()
    with transaction() as connection:
        session = sign_ins.begin(connection, accounts.create(connection, "vera", "viewer"))
    yield session
    empty()


def tile(app: AppTest, label: str) -> str:
    return str(next(metric.value for metric in app.metric if metric.label == label))


def test_it_shows_numbers_topics_rhythm_and_what_is_odd(viewer: str) -> None:
    app = opened("sessions", viewer)
    assert not app.exception
    assert (tile(app, "Sessions"), tile(app, "Session users"), tile(app, "Feedback")) == ("71", "8", "2")
    assert "14 without end" in words(app)
    assert "Busiest: " in words(app)
    assert "Hours of UTC" in words(app)
    topics = app.dataframe[0].value
    assert len(topics) == 10
    assert list(topics["Sessions"]) == sorted(topics["Sessions"], reverse=True)
    assert set(topics["Change"]) == {"new"}
    assert [set(frame.value.columns) & {"subject", "cohort", "module"} for frame in app.dataframe[1:4]] == [
        {"subject"},
        {"cohort"},
        {"module"},
    ]
    assert set(app.dataframe[1].value["subject"]) == {"maths", "art", HOSTILE}


def test_it_shows_who_returns(viewer: str) -> None:
    app = opened("sessions", viewer, view="Who returns")
    assert not app.exception
    triangle = next(chart for chart in charts(app) if chart["data"][0]["type"] == "heatmap")  # type: ignore[index]
    assert triangle["data"][0]["x"][:2] == ["first", "+1"]  # type: ignore[index]
    assert "Weeks begin on Monday" in words(app)
    filtered = opened("sessions", viewer, view="Who returns", module="tutor")
    assert len(charts(filtered)) == 2
    refused = opened("sessions", viewer, view="Who returns", source="app")
    assert "Who returns is known for everything" in words(refused)


def test_it_follows_one_learner(viewer: str) -> None:
    app = opened("sessions", viewer, view="Learner", learner="u3")
    assert not app.exception
    assert (tile(app, "Sessions"), tile(app, "Satisfaction")) == ("10", "unknown")
    assert len(app.dataframe[0].value) == 10
    assert "Nobody has told of a session of 'nobody'" in words(opened("sessions", viewer, view="Learner", learner="nobody"))
    assert "Type a user key" in words(opened("sessions", viewer, view="Learner"))


def test_it_lists_and_finds_sessions_a_page_at_a_time(viewer: str) -> None:
    app = opened("sessions", viewer, view="List")
    assert len(app.dataframe[0].value) == 50
    next(button for button in app.button if button.label == "Older").click().run()
    assert len(app.dataframe[0].value) == 21
    assert "before" in app.query_params
    next(button for button in app.button if button.label == "Newest").click().run()
    assert len(app.dataframe[0].value) == 50
    found = opened("sessions", viewer, view="List", q="s69")
    assert list(found.dataframe[0].value["Session"]) == ["/session?source=app&id=s69"]
    odd = opened("sessions", viewer, view="List", odd="without end")
    assert len(odd.dataframe[0].value) == 14
    assert set(odd.dataframe[0].value["Duration"]) == {"unknown"}
    assert "No session matches" in words(opened("sessions", viewer, view="List", q="nothing like it"))
    assert "go back to the newest" in words(opened("sessions", viewer, view="List", before="nonsense"))


def test_it_tells_one_session_step_by_step(viewer: str) -> None:
    app = opened("session", viewer, source="app", id="s0")
    assert not app.exception
    assert app.header[0].value == "s0"
    assert len(charts(app)) == 1
    assert list(app.dataframe[1].value["Outcome"]) == ["✓ answered", "▲ timeout", "✓ answered"]


def test_it_tells_a_long_session_a_page_at_a_time(viewer: str) -> None:
    app = opened("session", viewer, source="app", id="s1")
    assert "100 of 130 operations shown" in words(app)
    first = list(app.dataframe[1].value["Started"])
    next(button for button in app.button if button.label == "Later").click().run()
    assert len(app.dataframe[1].value) == 30
    assert "30 of 130 operations shown" in words(app)
    assert min(app.dataframe[1].value["Started"]) > max(first)
    next(button for button in app.button if button.label == "From the start").click().run()
    assert list(app.dataframe[1].value["Started"]) == first
    assert "after" not in app.query_params
    assert "go back to its start" in words(opened("session", viewer, source="app", id="s1", after="nonsense"))


def test_it_shows_what_people_wrote_as_they_wrote_it(viewer: str) -> None:
    app = opened("session", viewer, source="app", id=HOSTILE)
    assert not app.exception
    assert "<img" not in app.header[0].value.replace("\\<", "")
    assert app.dataframe[-1].value["Comment"][0] == HOSTILE
    assert quote(HOSTILE, safe="") in "".join(link.value for link in app.markdown)
    assert "It told of no operations" in words(app)


def test_it_says_of_feedback_that_its_session_is_unknown(viewer: str) -> None:
    app = opened("session", viewer, source="app", id="ghost")
    assert "only feedback from app names it" in words(app)
    assert list(app.dataframe[0].value["Comment"]) == ["who?"]


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ({}, "Choose a session on the Sessions page"),
        ({"source": "app", "id": "nowhere"}, "has told of no session 'nowhere'"),
        ({"source": "'; drop table sessions", "id": "\x01"}, "has told of no session"),
        ({"source": "app", "id": "a\0"}, "NUL"),
    ],
)
def test_it_names_a_session_it_does_not_know(viewer: str, address: dict[str, str], says: str) -> None:
    app = opened("session", viewer, **address)
    assert not app.exception
    assert says in words(app)


def test_it_averages_hours_over_the_days_that_were_there() -> None:
    start = pd.Timestamp("2026-11-02").date()  # a Monday
    frame = pd.DataFrame({"weekday": [WEEKDAYS[0], WEEKDAYS[1], WEEKDAYS[1]], "hour": ["09", "09", "23"], "sessions_started": [6, 4, 10]})
    grid = rhythm.per_hour(frame, (start, start + timedelta(days=9)))  # two Mondays, two Tuesdays, one of each other day
    assert (grid.loc[WEEKDAYS[0], "09"], grid.loc[WEEKDAYS[1], "23"], grid.loc[WEEKDAYS[6], "09"]) == (3, 5, 0)
    assert rhythm.peak(grid, "UTC") == "Busiest: Tue 23:00 to 00:00, 5.0 sessions on average. Hours of UTC."
    short = rhythm.per_hour(frame, (start, start + timedelta(days=1)))
    assert short.loc[WEEKDAYS[3]].isna().all()
    assert list(grid.columns) == list(HOURS)
    assert rhythm.peak(rhythm.per_hour(frame.head(0), (start, start + timedelta(days=7))), "UTC") == ""


def test_it_shows_shares_of_those_who_began_and_nothing_of_weeks_to_come() -> None:
    weeks = [pd.Timestamp("2026-11-02").date() + timedelta(days=7 * n) for n in range(3)]
    rows = [(weeks[0], weeks[0], 10), (weeks[0], weeks[2], 4), (weeks[1], weeks[1], 5), (weeks[1], weeks[2], 5)]
    grid = rhythm.shares(pd.DataFrame(rows, columns=["first_week", "week", "users"]), weeks[2])
    assert grid.loc[weeks[0]].tolist() == [1, 0, 0.4, 10]
    assert grid.loc[weeks[1]].tolist()[:2] == [1, 1]
    assert pd.isna(grid.loc[weeks[1]].tolist()[2])

"""The list of sessions, one session's course and one learner's progress, against the records."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from services.db import transaction
from services.errors import BadInput, NotFound
from services.sessions import learners, listing, timeline
from services.sessions.listing import Page, Wanted
from services.sessions.session import ODD
from tests.traffic import arrive, operation

pytestmark = pytest.mark.usefixtures("database")
START = datetime(2026, 11, 2, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def records() -> list[dict[str, Any]]:
    """A hundred and thirty sessions, some at the same instant, of two sources."""
    made: list[dict[str, Any]] = [
        {"id": f"s%{n}", "started_at": (START + (n // 3) * MINUTE).isoformat(), "user_id": f"u{n % 6}", "module": ["tutor", "chat"][n % 2]}
        | ({"ended_at": (START + (n // 3 + 5) * MINUTE).isoformat()} if n % 4 else {})
        | {"topics": [f"t{n % 9}"] if n % 5 else [], "rating": 1 + n % 5, "subject": "maths" if n % 3 else None, "cohort": f"c{n % 2}"}
        for n in range(130)
    ]
    arrive(made[:100], noun="sessions")
    arrive(made[100:], noun="sessions", source="other, app")
    return made


def page(before: str | None = None, **wanted: Any) -> Page:  # noqa: ANN401 - fields of Wanted
    with transaction() as connection:
        return listing.page(connection, Wanted(START, START + timedelta(days=1), **wanted), before)


def everything(**wanted: Any) -> list[str]:  # noqa: ANN401
    found, place = [], None
    while True:
        shown = page(place, **wanted)
        found += [session.key for session in shown.sessions]
        if shown.older is None:
            return found
        assert len(shown.sessions) == listing.PAGE_ROWS
        place = shown.older


def test_it_lists_each_session_once_newest_first(records: list[dict[str, Any]]) -> None:
    sources = {record["id"]: "app" if n < 100 else "other, app" for n, record in enumerate(records)}
    expected = sorted(records, key=lambda record: (record["started_at"], sources[record["id"]], record["id"]), reverse=True)
    assert everything() == [record["id"] for record in expected]


@pytest.mark.parametrize(
    ("wanted", "keep"),
    [
        ({"search": "s%11"}, lambda r: r["id"].startswith("s%11")),
        ({"search": "u3"}, lambda r: r["user_id"] == "u3"),
        ({"search": "%"}, lambda _: False),
        ({"subject": "maths"}, lambda r: r["subject"] == "maths"),
        ({"subject": "(no subject)", "cohort": "c1"}, lambda r: r["subject"] is None and r["cohort"] == "c1"),
        ({"odd": "without end"}, lambda r: "ended_at" not in r),
        ({"odd": "without topics"}, lambda r: not r["topics"]),
        ({"odd": "rated 2 or less"}, lambda r: r["rating"] <= 2),
        ({"odd": "ends before it starts"}, lambda _: False),
        ({"where": {"module": ["tutor"]}}, lambda r: r["module"] == "tutor"),
        ({"where": {"source": ["other, app"], "environment": ["production"]}}, lambda r: int(r["id"][2:]) >= 100),
    ],
)
def test_it_finds_what_matches(records: list[dict[str, Any]], wanted: dict[str, Any], keep: Any) -> None:  # noqa: ANN401
    assert set(everything(**wanted)) == {record["id"] for record in records if keep(record)}


@pytest.mark.parametrize(
    "place", ["", "x", "a,b", "2026-11-02,app,s", "2026-11-02T08:00:00,app,s", "yesterday,app,s", "2026-11-02T08:00:00%2B00:00,a,%00"]
)
def test_it_names_a_place_it_does_not_know(place: str) -> None:
    with pytest.raises(BadInput, match="go back to the newest"):
        page(place)


@pytest.mark.parametrize("wanted", [{"search": "x" * 201}, {"search": "\0"}, {"odd": "purple"}])
def test_it_refuses_what_it_cannot_search(wanted: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        page(**wanted)


def test_it_says_what_is_odd_about_each(records: list[dict[str, Any]]) -> None:
    night = datetime(2026, 11, 2, 15, 50, tzinfo=UTC)
    arrive(
        [
            {"id": "late", "started_at": night.isoformat(), "ended_at": (night + 30 * MINUTE).isoformat(), "topics": ["x"]},
            {"id": "to midnight", "started_at": night.isoformat(), "ended_at": (night + 10 * MINUTE).isoformat(), "topics": ["x"]},
        ],
        noun="sessions",
    )
    with transaction() as connection:
        late, edge, endless = (listing.get(connection, "app", key) for key in ("late", "to midnight", "s%0"))
    manila = ZoneInfo("Asia/Manila")
    assert (late.odd(manila), edge.odd(manila), late.odd(ZoneInfo("UTC"))) == (["over midnight"], [], [])
    assert endless.odd(manila) == ["without end", "without topics"]
    assert (late.duration_s, endless.duration_s) == (1_800, None)
    assert set(ODD) >= {"without end", "ends before it starts", "without topics"}


def test_it_knows_no_session_of_another_source(records: list[dict[str, Any]]) -> None:
    with transaction() as connection, pytest.raises(NotFound, match="no session 's%0'"):
        listing.get(connection, "other, app", "s%0")


def test_it_tells_the_operations_of_a_session_in_order_a_page_at_a_time() -> None:
    told = [
        operation(
            f"o{n}",
            START + timedelta(hours=15, minutes=n),
            session_id="long",
            error_type="timeout" if n == 3 else None,
            cost_usd="0.000000007",
        )
        for n in range(150)
    ]
    strangers = [operation(f"x{n}", START + timedelta(hours=15, minutes=n, seconds=5), session_id="another") for n in range(20)]
    arrive([*told, *strangers])
    arrive([operation("theirs", START + timedelta(hours=15, minutes=2), session_id="long")], source="elsewhere")
    with transaction() as connection:
        session = listing.get(connection, "app", "long")
        page = timeline.page(connection, session)
        after = timeline.page(connection, session, page.later)
        for hostile in ("", "now", f"{START},1", "0001-01-01T00:00:00+14:00,00000000-0000-0000-0000-000000000001", "\0"):
            with pytest.raises(BadInput, match="back to its start"):
                timeline.page(connection, session, hostile)
    first, rest = page.steps, after.steps
    assert (len(first), len(rest), after.later) == (timeline.PAGE_ROWS, 50, None)
    assert [step.started_at for step in [*first, *rest]] == [START + timedelta(hours=15, minutes=n) for n in range(150)]
    assert [n for n, step in enumerate(first) if step.error_type] == [3]
    assert f"{first[0].cost_usd:f}" == "0.000000007"
    assert session.operations == 150


def test_it_tells_no_operations_where_none_were_told(records: list[dict[str, Any]]) -> None:
    with transaction() as connection:
        assert timeline.page(connection, listing.get(connection, "app", "s%1")) == timeline.Page([], None)


def test_it_tells_a_learners_weeks_as_pandas_does() -> None:
    zone = ZoneInfo("America/New_York")
    made = [
        {
            "id": f"p{n}",
            "started_at": (START + timedelta(hours=37 * n)).isoformat(),
            "user_id": "ada",
            "topics": [f"t{n * n % 7}"],
            "messages": n,
        }
        | {"ended_at": (START + timedelta(hours=37 * n, minutes=n)).isoformat()}
        | ({"rating": 1 + n % 5} if n % 3 else {})
        for n in range(12)
        if not 4 < n < 9
    ]
    arrive([*made, {"id": "q", "started_at": START.isoformat(), "user_id": "bob"}], noun="sessions")
    with transaction() as connection:
        found = learners.progress(connection, "ada", zone)
    frame = pd.DataFrame(made)
    started = pd.to_datetime(frame["started_at"]).dt.tz_convert(zone)
    frame["week"] = (started.dt.tz_localize(None) - pd.to_timedelta(started.dt.day_of_week, unit="D")).dt.date
    frame["minutes"] = (pd.to_datetime(frame["ended_at"]) - pd.to_datetime(frame["started_at"])).dt.total_seconds() / 60
    weeks = pd.date_range(frame["week"].min(), frame["week"].max(), freq="7D").date
    grouped = frame.groupby("week")
    assert found.total == len(made)
    assert list(found.weeks["week"]) == list(weeks)
    assert list(found.weeks["sessions"]) == list(grouped.size().reindex(weeks, fill_value=0))
    assert list(found.weeks["minutes"]) == pytest.approx(list(grouped["minutes"].sum().reindex(weeks, fill_value=0)))
    assert list(found.weeks["messages"]) == list(grouped["messages"].sum().reindex(weeks, fill_value=0))
    assert found.weeks["rating"].fillna(0).tolist() == pytest.approx(grouped["rating"].mean().reindex(weeks).fillna(0).tolist())
    covered = [len({topic for told in frame.loc[frame["week"] <= week, "topics"] for topic in told}) for week in weeks]
    assert list(found.weeks["topics"]) == covered


@pytest.mark.parametrize(("key", "error"), [("", BadInput), ("a\0", BadInput), ("nobody", NotFound)])
def test_it_says_whose_progress_nobody_knows(key: str, error: type[Exception]) -> None:
    with transaction() as connection, pytest.raises(error):
        learners.progress(connection, key, ZoneInfo("UTC"))

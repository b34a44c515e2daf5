"""`python -m services schedules …`."""

import pytest
from sqlalchemy import text

from services.__main__ import main
from services.db import transaction

pytestmark = pytest.mark.usefixtures("database")


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["schedules", *arguments]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def test_a_schedule_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    slots = ("--slot", "06:00", "--slot", "18:30", "--weekday", "1", "--zone", "Asia/Manila")
    made = told(capsys, "create", "news", "--kind", "housekeeping", *slots, "--args", '{"a": 1}')
    assert len(made.splitlines()) == 5
    assert " PST  (" in made
    assert told(capsys, "next", "news") == made
    assert told(capsys, "dry-run", "news") == "Nothing is due.\n"
    listed = told(capsys, "list")
    assert listed.startswith("news: housekeeping at 06:00, 18:30 on weekdays 1 Asia/Manila; last: never; next: ")

    assert "paused" in told(capsys, "pause", "news")
    assert "next: paused by command line" in told(capsys, "list")
    assert told(capsys, "resume", "news") == made
    assert told(capsys, "run", "news").startswith("Job 1 waits")
    assert "last: run now " in told(capsys, "list")
    assert "not over yet" in told(capsys, "run", "news", code=2)
    assert "deleted" in told(capsys, "delete", "news")
    assert told(capsys, "list") == ""


def test_an_interval_and_what_would_be_decided(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "create", "often", "--kind", "housekeeping", "--every-s", "3600")
    assert "every 3600 s" in told(capsys, "list")
    with transaction() as connection:
        connection.execute(text("update schedules set decided_until = '2026-03-01 00:00Z'"))
    assert told(capsys, "dry-run", "often", "--at", "2026-03-01T02:00:00Z").splitlines() == [
        "2026-03-01 01:00 UTC: coalesced (a newer slot stands for it)",
        "2026-03-01 02:00 UTC: run",
    ]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("create", "x", "--kind", "k"), "slots: "),
        (("create", "x", "--kind", "k", "--slot", "6"), "slots: "),
        (("create", "x", "--kind", "k", "--every-s", "60", "--args", "{"), "args: this is not JSON"),
        (("create", "x", "--kind", "k", "--every-s", "60", "--args", "[]"), "args: an object"),
        (("next", "x"), "There is no schedule named 'x'"),
    ],
)
def test_it_says_what_cannot_be(arguments: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert why in told(capsys, *arguments, code=2)


def test_it_refuses_an_instant_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "create", "often", "--kind", "housekeeping", "--every-s", "3600")
    assert "at: 'noon'" in told(capsys, "dry-run", "often", "--at", "noon", code=2)

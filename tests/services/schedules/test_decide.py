"""What becomes of slots."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.schedules.decide import ON_TIME, Circumstances, Decision, decide

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def words(ages: list[timedelta], **told: object) -> list[str]:
    """Decisions about slots that were due so long ago, oldest first."""
    circumstances = Circumstances(NOW, **({"catch_up": HOUR} | told))  # type: ignore[arg-type]
    return [decision.word for decision in decide([NOW - age for age in ages], circumstances)]


def test_it_runs_what_is_due() -> None:
    assert decide([NOW - MINUTE], Circumstances(NOW, HOUR)) == [Decision(NOW - MINUTE, "run")]


def test_it_runs_only_the_newest_and_says_that_it_is_late() -> None:
    (old, missed, _, newest) = decide([NOW - n * 25 * MINUTE for n in (4, 3, 2, 1)], Circumstances(NOW, HOUR))
    assert (old.word, missed.word, newest.word) == ("missed", "missed", "run")
    assert old.reason == "seen 1:40:00 late; the catch-up window is 1:00:00"
    assert newest.reason == "caught up 0:25:00 late"
    assert words([50 * MINUTE, 25 * MINUTE]) == ["coalesced", "run"]


def test_it_runs_nothing_beyond_the_window() -> None:
    assert words([3 * HOUR, 2 * HOUR]) == ["missed", "missed"]
    assert words([HOUR + timedelta(seconds=1)]) == ["missed"]
    assert words([HOUR]) == ["run"]


def test_a_moment_is_not_late_even_without_a_window() -> None:
    assert words([ON_TIME], catch_up=timedelta(0)) == ["run"]
    assert words([ON_TIME + timedelta(microseconds=1)], catch_up=timedelta(0)) == ["missed"]


def test_it_never_runs_beside_its_last_job() -> None:
    assert words([2 * HOUR, 9 * MINUTE, MINUTE], live_job_id=7) == ["missed", "coalesced", "overlap skipped"]
    assert decide([NOW], Circumstances(NOW, HOUR, live_job_id=7))[0].reason == "job 7 of this schedule is not over"


def test_everything_is_paused_while_it_is_paused() -> None:
    assert words([2 * HOUR, 9 * MINUTE, MINUTE], paused_by="ann", live_job_id=7) == ["paused"] * 3
    assert decide([NOW], Circumstances(NOW, HOUR, paused_by="ann"))[0].reason == "paused by ann"


def test_it_decides_nothing_about_nothing() -> None:
    assert decide([], Circumstances(NOW, HOUR)) == []


@given(
    ages_s=st.lists(st.integers(0, 30 * 86_400), unique=True, max_size=30),
    catch_up_s=st.integers(0, 10 * 86_400),
    paused=st.booleans(),
    live=st.booleans(),
)
def test_each_slot_gets_one_decision_and_at_most_one_runs(ages_s: list[int], catch_up_s: int, paused: bool, live: bool) -> None:
    slots = sorted(NOW - timedelta(seconds=age) for age in ages_s)
    window = timedelta(seconds=catch_up_s)

    made = decide(slots, Circumstances(NOW, window, "ann" if paused else None, 7 if live else None))

    assert [decision.slot_at for decision in made] == slots
    ran = [decision.slot_at for decision in made if decision.word == "run"]
    in_time = [slot for slot in slots if NOW - slot <= max(window, ON_TIME)]
    assert ran == ([] if paused or live else in_time[-1:])
    if not paused:
        assert [decision.slot_at for decision in made if decision.word != "missed"] == in_time

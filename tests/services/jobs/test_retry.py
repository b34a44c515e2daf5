import pytest

from services.errors import BadInput, Conflict, Forbidden, NotFound, TooMuch, Unauthenticated, Unavailable
from services.jobs.retry import after_failure, after_loss, back_off_s


@pytest.mark.parametrize(
    ("error", "spent", "state", "delay_s"),
    [
        (BadInput("no"), 1, "dead", 0.0),  # the same input is as bad tomorrow
        (NotFound("no"), 1, "dead", 0.0),
        (Conflict("no"), 1, "dead", 0.0),
        (Forbidden("no"), 1, "dead", 0.0),
        (Unauthenticated("no"), 1, "dead", 0.0),
        (ValueError("bug or bad luck"), 1, "retry", 1.0),  # half of the first ceiling of 2 s
        (ValueError("again"), 2, "retry", 2.0),  # the ceiling doubles
        (ValueError("the last"), 3, "dead", 0.0),
        (Unavailable("away"), 1, "retry", 1.0),
        (Unavailable("away", retry_after_s=20), 1, "retry", 20.0),  # whoever knows better is heard
        (TooMuch("slow down", retry_after_s=7), 2, "retry", 7.0),
        (TooMuch("slow down", retry_after_s=7), 3, "dead", 0.0),
        (Unavailable("away for good", retry_after_s=10**15), 1, "retry", 86_400.0),  # no date can be that far away
        (TimeoutError(), 1, "retry", 1.0),
        (SystemExit(1), 1, "retry", 1.0),
    ],
)
def test_it_decides_by_the_class_of_the_error(error: BaseException, spent: int, state: str, delay_s: float) -> None:
    decision = after_failure(error, spent, 3, jitter=lambda: 0.5)

    assert (decision.state, decision.delay_s) == (state, delay_s)


@pytest.mark.parametrize(
    ("spent", "losses", "max_attempts", "state"),
    [
        (1, 1, 3, "retry"),
        (2, 2, 10, "retry"),
        (3, 3, 10, "dead"),  # three in a row: it kills its workers
        (4, 1, 10, "retry"),  # failures in between break the row
        (3, 1, 3, "dead"),  # attempts used up
        (1, 1, 1, "dead"),
    ],
)
def test_it_buries_what_was_lost_too_often(spent: int, losses: int, max_attempts: int, state: str) -> None:
    assert after_loss(spent, losses, max_attempts, jitter=lambda: 0.5).state == state


@pytest.mark.parametrize(("spent", "longest"), [(1, 2.0), (2, 4.0), (5, 32.0), (9, 512.0), (10, 600.0), (1_000, 600.0)])
def test_it_backs_off_between_nothing_and_a_doubling_ceiling(spent: int, longest: float) -> None:
    assert back_off_s(spent, jitter=lambda: 0.0) == 0.0
    assert back_off_s(spent, jitter=lambda: 1.0) == longest
    assert 0.0 <= back_off_s(spent) <= longest

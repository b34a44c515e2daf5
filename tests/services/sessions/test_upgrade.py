"""Sessions that were counted before an upgrade, or a step back, count the same after it."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from services import metrics
from services.clock import utc_now
from services.db import forget, transaction
from services.db.migrate import downgrade, upgrade
from services.rollups.verify import verify
from tests.traffic import arrive, many

BEFORE = "0010"


@pytest.mark.usefixtures("database")
def test_it_keeps_its_numbers_over_a_step_back_and_an_upgrade() -> None:
    start = utc_now() - timedelta(days=3)
    span = (start.date(), utc_now().date() + timedelta(days=1))
    arrive(many(300, start, timedelta(days=3)))
    told = [{"id": f"s{n}", "started_at": start.isoformat(), "rating": 4, "topics": ["a", "b"], "subject": f"x{n % 3}"} for n in range(9)]
    arrive(told, noun="sessions")
    names = ["sessions_started", "session_rating", "session_duration", "session_users", "topic_coverage"]
    before = metrics.query(names, start=span[0], end=span[1], interval="day").frame
    forget()
    downgrade(BEFORE)
    try:
        with transaction() as connection:
            assert connection.execute(text("select sum(n) from rollup_session_day where topic = ''")).scalar_one() == int(
                before["sessions_started"].sum()
            )
    finally:
        forget()
        upgrade()
    assert metrics.query(names, start=span[0], end=span[1], interval="day").frame.equals(before)
    assert verify(*span)["differences"] == 0

from sqlalchemy import text

from services.clock import utc_now
from services.db import transaction
from services.jobs import live
from services.telemetry import inbox
from tests.workers.conftest import Crew, until


def test_it_moves_what_arrives_within_a_second_or_two_and_once(crew: Crew) -> None:
    crew.muster(rollups=1)
    for first in range(0, 300, 100):
        batch = [{"id": str(number), "started_at": utc_now().isoformat()} for number in range(first, first + 100)]
        for _ in range(2):
            with transaction() as connection:
                inbox.accept(connection, "operations", batch, source="twice", door="api")

    until(lambda: stored() == 300, 5)
    until(lambda: not moving(), 10)
    assert stored() == 300


def stored() -> int:
    with transaction() as connection:
        counting = text("select count(*) from operations join series on series.id = series_id where source = 'twice'")
        return int(connection.execute(counting).scalar_one())


def moving() -> bool:
    with transaction() as connection:
        return bool(live(connection, "telemetry.move"))

"""The first page: ten numbers with the way to their pages, and what needs somebody."""

from datetime import timedelta

import pytest

from services import metrics
from services.clock import utc_now
from services.db import transaction
from tests.pages.test_pages import opened, traffic, viewer, words  # noqa: F401 - fixtures
from tests.traffic import send

pytestmark = pytest.mark.usefixtures("database")


def test_its_ten_numbers_are_the_catalogues(viewer: str, traffic: int) -> None:  # noqa: F811
    app = opened("home", viewer)
    assert not app.exception
    assert not app.error
    tiles = {tile.label: tile.value for tile in app.metric}
    assert len(tiles) == 10
    today = utc_now().date()
    asked = metrics.query(["operations", "cost"], start=today, end=today + timedelta(days=1)).frame.iloc[0]
    assert tiles["Operations today"] == f"{asked['operations']:,}"
    assert tiles["Dead jobs"] == "0"


def test_it_says_what_needs_somebody_and_where(viewer: str) -> None:  # noqa: F811
    send([{"id": "bad"}])
    with transaction() as connection:
        connection.exec_driver_sql(
            "insert into jobs (kind, queue, state, attempt, error_class, error, fingerprint, finished_at)"
            " values ('a', 'b', 'dead', 3, 'ValueError', 'no', 'feed', now())"
        )
    said = words(opened("home", viewer))
    assert "1 dead job waits for a decision" in said
    assert "1 record was refused today" in said

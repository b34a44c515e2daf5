"""A change of the reporting zone is noticed and carried out once."""

import pytest

from services.clock import utc_now
from services.db import transaction
from services.jobs import standing
from services.rollups.rebuild import rebuild
from services.settings import settings
from tests.traffic import arrive, operation


@pytest.mark.usefixtures("database")
def test_it_wants_one_rebuild_when_the_zone_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive([operation("a", utc_now())])
    with transaction() as connection:
        assert standing.want_zone(connection) is None
    monkeypatch.setenv("REPORTING_ZONE", "Asia/Manila")
    settings.cache_clear()
    with transaction() as connection:
        assert standing.want_zone(connection) is not None
        assert standing.want_zone(connection) is None
    rebuild(None, None, lambda *_: None, lambda: False)
    with transaction() as connection:
        connection.exec_driver_sql("delete from jobs")
        assert standing.want_zone(connection) is None

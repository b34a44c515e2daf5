"""The job that imports an uploaded file."""

from dataclasses import replace

import pytest

from console.ui.record_imports import STATES
from services.db import transaction
from services.errors import BadInput
from services.records import imports, maps
from services.records.imports import Import
from tests.services.records.conftest import as_csv
from tests.services.records.test_communities import HEADER, PLACES
from tests.workers.test_pricing import asked
from workers import records, registry
from workers.running import Running

pytestmark = pytest.mark.usefixtures("database")


def uploaded(content: bytes) -> int:
    with transaction() as connection:
        plan = maps.load("psgc")
        import_id = imports.begin(connection, plan, "psgc", "places.csv", len(content), "olga")
        imports.queue(connection, import_id, plan, content, "olga")
    return import_id


def outcome(import_id: int) -> Import:
    with transaction() as connection:
        return imports.get(connection, import_id)


def test_it_imports_what_was_uploaded_and_says_how_far_it_is() -> None:
    import_id = uploaded(as_csv(HEADER, *PLACES))
    job = asked("records.import")
    assert job.job.created_by == "olga"
    assert registry.handler("records.import")(job) == {"import": import_id, "read": 4, "new": 4, "changed": 0, "rejected": 0}
    assert (job.take_progress() or {})["note"] == "4 rows"
    assert (outcome(import_id).state, outcome(import_id).new) == ("done", 4)
    assert {"waiting", "running", "done", "broken"} == set(STATES)


def test_a_file_of_which_nothing_can_be_used_ends_the_job_with_its_fault() -> None:
    import_id = uploaded(b"nothing,of,use\n1,2,3\n")
    told = records.bring(asked("records.import"))
    assert "column" in str(told["fault"])
    assert outcome(import_id).state == "broken"


def test_a_job_without_an_import_is_refused() -> None:
    uploaded(b"")
    job = asked("records.import").job
    for wrong in (None, "1"):
        with pytest.raises(BadInput, match="must be the number of an import"):
            records.bring(Running(replace(job, args={"id": wrong})))

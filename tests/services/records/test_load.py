"""Files as they come: good, changed, broken in every way, in any encoding; nothing is dropped without a word."""

import gzip
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from services.db import transaction
from services.errors import BadInput, NotFound, Unavailable
from services.records import Project, content_hash, findings, get, imports, load
from services.records.imports import Import
from services.records.maps import Map
from services.records.origins import origins
from services.records.search import search
from services.telemetry.importers import rows
from tests.services.records.conftest import as_csv, bring, found

pytestmark = pytest.mark.usefixtures("database")
HEADER = ("Title", "Office", "Budget (£m)", "Forecast (£m)", "Variance", "Ends", "Colour", "Words")
ROW = ("Bridge", "DfT", "10.00", "11.00", "10%", "01/02/2030", "amber/red", "It goes on.")


def plan(**more: Any) -> Map:  # noqa: ANN401 - parts of a map
    told = {
        "kind": "projects", "source": "mine", "currency": "GBP", "scale": 1_000_000, "dates": ["%d/%m/%Y"],
        "columns": {
            "name": "title", "department": ["Ministry", "Office"], "budget": "Budget (£m)", "forecast": "Forecast (£m)",
            "variance_percent": "Variance", "end_current": "Ends", "rating": "Colour", "narrative": "Words",
        },
        "values": {"rating": {"Amber/Red": "Amber/Red", "Green": "Green"}},
    }  # fmt: skip
    return Map.model_validate(told | more)


def changed(**cells: str) -> tuple[str, ...]:
    """The row with other cells."""
    return tuple(cells.get(name.split()[0].lower(), cell) for name, cell in zip(HEADER, ROW, strict=True))


def one(query: str = "") -> Project:
    with transaction() as connection:
        (record,) = search(connection, "projects", query).records
        return get(connection, "projects", record.id)


def counts(done: Import) -> tuple[int, ...]:
    return done.new, done.changed, done.unchanged, done.rejected, done.unknown, done.doubtful


def test_it_reads_every_fact_and_remembers_where_from() -> None:
    done = bring(as_csv(HEADER, ROW), plan(), "bridges.csv")
    assert (done.state, counts(done)) == ("done", (1, 0, 0, 0, 0, 0))
    project = one()
    assert (project.name, project.department, project.currency, project.rating) == ("Bridge", "DfT", "GBP", "Amber/Red")
    assert (project.budget_minor, project.forecast_minor, project.variance_percent) == (1_000_000_000, 1_100_000_000, Decimal(10))
    assert (project.end_current, project.narrative, project.unknown) == (date(2030, 2, 1), "It goes on.", {})
    with transaction() as connection:
        (origin,) = origins(connection, project)
        assert connection.execute(text("select actor, action, subject from audit")).one() == ("tests", "records.import", "bridges.csv")
    assert (origin.file_name, origin.position, origin.columns["department"]) == ("bridges.csv", 1, "Office")
    assert origin.raw == dict(zip(HEADER, ROW, strict=True))


def test_the_same_again_changes_nothing_and_any_other_fact_changes_the_hash() -> None:
    bring(as_csv(HEADER, ROW), plan())
    first = one()
    assert counts(bring(as_csv(HEADER, ROW), plan())) == (0, 0, 1, 0, 0, 0)
    assert one() == first
    seen = {first.content_hash}
    for cells in (
        {"ends": "02/02/2030"},
        {"colour": "Green"},
        {"colour": "Exempt under Section 43"},
        {"words": "Other."},
        {"forecast": "11.01"},
    ):
        assert counts(bring(as_csv(HEADER, changed(**cells)), plan()))[:3] == (0, 1, 0), cells
        with transaction() as connection:
            seen.add(content_hash(connection, "projects", first.id))
    assert len(seen) == 6
    assert counts(bring(as_csv(HEADER, changed(words="  It   goes on. ")), plan()))[0] == 0
    assert one().id == first.id


def test_what_is_withheld_or_cannot_be_read_is_unknown_with_its_reason() -> None:
    row = changed(budget="Exempt under Section 43", forecast="12,3", variance="N/A", ends="30/02/2030", colour="Mauve", words="-")
    done = bring(as_csv(HEADER, row), plan())
    project = one()
    assert counts(done) == (1, 0, 0, 0, 6, 0)
    assert (project.budget_minor, project.forecast_minor, project.variance_percent, project.end_current, project.rating) == (None,) * 5
    assert project.unknown["budget_minor"] == "Exempt under Section 43"
    assert project.unknown["forecast_minor"] == "'12,3' is not an amount of GBP"
    assert {finding.field for finding in found(done.id)} == set(project.unknown)


def test_a_contradiction_is_told_and_never_put_right() -> None:
    header = (*HEADER, "Starts")
    more = plan(columns=plan().columns | {"start_current": "Starts"})
    done = bring(as_csv(header, (*changed(variance="-10%"), "01/03/2031"), (*changed(title="Zero", budget="0"), "")), more)
    assert [(one.what, one.field) for one in found(done.id)] == [
        ("unknown", "variance_percent"),
        ("doubtful", "end_current"),
        ("unknown", "variance_percent"),
    ]
    assert "differs from the budget by 10.0%" in found(done.id)[0].reason
    assert one("bridge").end_current == date(2030, 2, 1)
    nothing = changed(title="None", budget="0", forecast="0", variance="0%")
    assert bring(as_csv(HEADER, nothing), plan()).unknown == 0


def test_a_row_that_is_no_record_is_rejected_with_its_reason() -> None:
    short = as_csv(HEADER, ROW) + b"only,three,cells\r\n"
    done = bring(
        short + as_csv(HEADER, changed(title=""), ("Alone", *[""] * 7), ROW, changed(title="x" * 400)).split(b"\r\n", 1)[1], plan()
    )
    assert (done.read, counts(done)) == (6, (1, 0, 0, 5, 0, 0))
    assert [(one.position, one.field, one.reason) for one in found(done.id)][:4] == [
        (2, "(row)", "line 3 has 3 fields where the header has 8"),
        (3, "name", "the name is missing"),
        (4, "(row)", "nothing but a name is told"),
        (5, "name", "row 1 of this file tells the same record"),
    ]
    assert "400 characters" in found(done.id)[4].reason
    assert json.loads(found(done.id)[1].raw)["Office"] == "DfT"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the file has no header"),
        (b"\n\n", "the file has no header"),
        (b"Title,Title\n", "the header names Title twice"),
        (b"a,b\n1,2\n", "column title of the map is missing; the header has a, b"),
        (as_csv([name.replace("£m", "£bn") for name in HEADER], ROW), "column Budget (£bn) is in £bn, the map says GBP"),
        (as_csv([name.replace("£m", "$m") for name in HEADER], ROW), "in $m"),
        (b"\x1f\x8b\x08garbage", "the gzip file"),
    ],
)
def test_a_file_of_which_nothing_can_be_used_says_so(content: bytes, fault: str) -> None:
    header = plan(columns=plan().columns | {"budget": ["Budget (£m)", "Budget (£bn)", "Budget ($m)"]})
    done = bring(content, header)
    assert (done.state, done.read) == ("broken", 0)
    assert fault in (done.fault or "")


def test_a_file_that_breaks_keeps_what_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "CHUNK_ROWS", 2)
    body = as_csv(HEADER, *(changed(title=f"P{n}") for n in range(5)))
    for cut in (body + b'"never closed,1,2', gzip.compress(body)[:-4]):
        done = bring(cut, plan())
        assert (done.state, done.new + done.unchanged) == ("broken", done.read)
        assert done.read >= 4
        assert (done.fault or "").startswith(f"After row {done.read}: ")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_it_finds_out_the_encoding(encoding: str) -> None:
    bring(as_csv(HEADER, changed(title="Pont d’Été – £5")).decode().encode(encoding), plan())
    assert one().name == "Pont d’Été – £5"


def test_a_map_may_say_the_encoding() -> None:
    assert bring(as_csv(HEADER, changed(title="Été")), plan(encoding="utf-8")).new == 1
    assert "is not ascii" in (bring(as_csv(HEADER, changed(title="Été")), plan(encoding="ascii")).fault or "")


def test_it_undoes_a_wrong_reading() -> None:
    told = as_csv(HEADER, changed(title="Café – ‘new’ £5")).decode().encode("cp1252").decode("iso8859-2").encode()
    bring(told, plan(misread={"written": "cp1252", "read": "iso8859-2"}))
    assert one().name == "Café – ‘new’ £5"


def test_a_heading_matches_by_its_first_line_and_however_it_is_spaced() -> None:
    header = ["  TITLE ", "Office", "Budget   (£m)\n(including everything)", *HEADER[3:]]
    assert bring(as_csv(header, ROW), plan()).new == 1
    twins = ["Title", "Office", "Budget (£m)\none", "Forecast (£m)", "Variance", "Ends", "Colour", "Budget (£m)\ntwo"]
    assert "Budget (£m) of the map is missing" in (bring(as_csv(twins, ROW), plan()).fault or "")


def test_two_megabytes_of_narrative_come_in_whole() -> None:
    long = "A line of a very long story.\n" * 75_000
    assert len(long) > 2_000_000
    assert bring(as_csv(HEADER, changed(words=long)), plan()).new == 1
    assert one().narrative == long.strip()


def test_what_postgres_cannot_keep_is_said() -> None:
    done = bring(as_csv(HEADER, changed(words="a\0b")), plan())
    assert (done.new, done.unknown) == (1, 1)
    assert "NUL" in one().unknown["narrative"]


def test_paragraphs_are_one_text_with_their_headings() -> None:
    columns = plan().columns | {"narrative": {"Story": "Words", "Colour": "Colour"}}
    done = bring(as_csv(HEADER, ROW, changed(title="Other", words="Exempt under Section 26")), plan(columns=columns))
    assert done.unknown == 1
    assert one("bridge").narrative == "Story: It goes on.\n\nColour: amber/red"
    assert one("other").unknown == {"narrative (Story)": "Exempt under Section 26"}


def test_a_lost_attempt_is_continued_and_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "CHUNK_ROWS", 2)
    body = as_csv(HEADER, *(changed(title=f"P{n}", colour="Mauve") for n in range(5)))
    with transaction() as connection:
        import_id = imports.begin(connection, plan(), "mine", "f.csv", len(body), "tests")
        imports.queue(connection, import_id, plan(), body, "tests")
        kept, content = imports.waiting(connection, import_id)
    assert (kept, content) == (plan(), body)
    stops = iter([False, True])
    first = load.import_file(import_id, kept, load.opened(content), lambda _rows, _bytes: None, lambda: next(stops))
    assert (first.state, first.read, first.new, first.finished_at) == ("running", 4, 4, None)
    seen: list[int] = []
    done = load.import_file(import_id, kept, load.opened(content), lambda read, _bytes: seen.append(read), lambda: False)
    assert (done.state, done.read, counts(done), seen) == ("done", 5, (5, 0, 0, 0, 5, 0), [2, 4, 5])
    assert len(found(import_id)) == 5
    with transaction() as connection, pytest.raises(NotFound, match="the import is over"):
        imports.waiting(connection, import_id)


def test_an_import_that_there_is_not_is_not_found() -> None:
    with transaction() as connection, pytest.raises(NotFound, match="no import 7"):
        imports.get(connection, 7)


def test_a_file_too_large_to_keep_is_refused() -> None:
    with transaction() as connection, pytest.raises(BadInput, match="Import it in parts"):
        imports.begin(connection, plan(), "mine", "f.csv", imports.LARGEST_FILE + 1, "tests")


def test_the_report_is_csv_that_no_spreadsheet_runs() -> None:
    done = bring(as_csv(HEADER, changed(budget="=HYPERLINK(1)", variance="N/A")), plan())
    with transaction() as connection:
        report = "".join(findings.report(connection, done.id))
    assert report.splitlines()[0] == "row,what,field,reason,raw"
    assert "'=HYPERLINK(1)'" in report.splitlines()[1]
    assert len(report.splitlines()) == 3
    assert len(findings.kept("x" * 30_000)) == findings.RAW_KEPT


@given(st.lists(st.lists(st.text(max_size=12), min_size=8, max_size=8), max_size=4))
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_in_the_cells_every_row_is_accounted_for(empty: Callable[[], None], cells: list[list[str]]) -> None:
    done = bring(as_csv(HEADER, *cells), plan(encoding="utf-8"))
    if done.state == "done":
        assert done.read == done.new + done.changed + done.unchanged + done.rejected
    else:
        assert done.fault


def test_an_outage_in_the_middle_is_raised_for_the_runner_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise Unavailable("The database went away.")

    monkeypatch.setattr(findings, "save", away)
    with pytest.raises(Unavailable):
        bring(as_csv(HEADER, ROW), plan())
    with transaction() as connection:
        assert connection.execute(text("select state, read, (select count(*) from projects) from record_imports")).one() == (
            "running",
            0,
            0,
        )

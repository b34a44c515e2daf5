"""The commands as an operator types them."""

from pathlib import Path

import pytest
from sqlalchemy import text

from services.__main__ import main
from services.db import transaction
from services.records import load
from tests.services.records.conftest import as_csv
from tests.services.records.test_communities import HEADER, PLACES
from tests.services.records.test_load import HEADER as PROJECT_HEADER
from tests.services.records.test_load import ROW

pytestmark = pytest.mark.usefixtures("database")
MAP = """
kind: projects
source: mine
currency: GBP
dates: ["%d/%m/%Y"]
columns: {name: Title, department: Office, budget: Budget (£m), end_current: Ends, rating: Colour}
scale: 1000000
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "places.csv").write_bytes(as_csv(HEADER, *PLACES))
    (tmp_path / "mine.yaml").write_text(MAP, encoding="utf-8")
    (tmp_path / "bridges.csv").write_bytes(as_csv(PROJECT_HEADER, ROW))
    return tmp_path


def test_it_imports_lists_and_reports(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["records", "import", "places.csv", "--map", "psgc"]) == 0
    told = capsys.readouterr()
    assert "4 rows read: 4 new, 0 changed, 0 unchanged, 0 rejected; 1 fields unknown, 0 doubts" in told.out
    assert "row 4, unknown, population: '-' stands there" in told.err
    assert (folder / "places.csv.findings.csv").read_text().count("\n") == 2
    assert main(["records", "list", "communities", "--search", "adams norte"]) == 0
    told = capsys.readouterr()
    assert "0102801001\tAdams\tAdams, Ilocos Norte" in told.out
    assert "page 1 of 1, 2 communities" in told.err


def test_it_takes_a_map_of_ones_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["records", "import", "bridges.csv", "--map", "mine.yaml"]) == 0
    assert not (folder / "bridges.csv.findings.csv").exists()
    assert main(["records", "list", "projects"]) == 0
    assert "Bridge\tDfT\tamber/red" in capsys.readouterr().out


def test_a_file_that_breaks_ends_with_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "places.csv").write_bytes(as_csv(HEADER, *PLACES) + b'"never closed')
    assert main(["records", "import", "places.csv", "--map", "psgc"]) == 1
    assert "places.csv: After row 4: line" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["import", "nothing.csv", "--map", "psgc"], "There is no file nothing.csv."),
        (["import", "places.csv", "--map", "nothing"], "There is no map 'nothing'"),
        (["import", "places.csv", "--map", "psgc", "--report", "no/such/folder.csv"], "The report cannot be written"),
        (["list", "projects", "--page", "0"], "pages from 1"),
    ],
)
def test_it_says_in_one_sentence_what_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    assert main(["records", *words]) == 2
    assert told in capsys.readouterr().err


def test_an_interruption_is_no_fault_of_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_self: object, _chunk: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(load.Loading, "keep", interrupted)
    assert main(["records", "import", "places.csv", "--map", "psgc"]) == 130
    assert "the same command again adds only the rest" in capsys.readouterr().err
    with transaction() as connection:
        assert connection.execute(text("select state, fault from record_imports")).one() == ("broken", "Interrupted.")

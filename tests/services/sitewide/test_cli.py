"""`python -m services sitewide …`."""

from pathlib import Path

import pytest
from sqlalchemy import text

from services import schedules
from services.__main__ import main
from services.db import transaction
from tests.pages.test_factoids import ROWS
from tests.services.sitewide.files import small

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "figures.csv"
    path.write_bytes(small(*ROWS))
    return str(path)


def scalar(statement: str) -> object:
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


def test_a_file_comes_in_and_asks_for_summaries(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sitewide", "import", file, "--map", "revenue-outturn"]) == 0
    assert "144 rows read: 144 new" in capsys.readouterr().out
    assert scalar("select kind from jobs") == "sitewide.summaries"
    assert scalar("select count(*) from audit where action = 'sitewide.import'") == 1
    Path(file).write_text("nothing,of\nuse,1\n")
    assert main(["sitewide", "import", file, "--map", "revenue-outturn"]) == 1
    assert "Nothing of it is kept" in capsys.readouterr().err


def test_summaries_dry_and_real(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["sitewide", "import", file, "--map", "revenue-outturn"])
    assert main(["sitewide", "summaries", "--dry-run", "--limit", "2"]) == 0
    assert "2 of 6 fields of a year that changed would be summarised" in capsys.readouterr().out
    assert scalar("select count(*) from summaries") == 0
    assert main(["sitewide", "summaries", "--limit", "2"]) == 0
    assert main(["sitewide", "summaries"]) == 0
    assert "4 fields of a year looked at, 4 changed." in capsys.readouterr().out
    assert main(["sitewide", "summaries", "--force"]) == 0
    assert "6 fields of a year looked at, 0 changed." in capsys.readouterr().out
    assert main(["sitewide", "summaries", "--limit", "0"]) == 2


def test_factoids_are_left_to_a_worker(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["sitewide", "import", file, "--map", "revenue-outturn"])
    assert main(["sitewide", "factoids", "--dry-run"]) == 0
    assert "Would be: no data." in capsys.readouterr().out
    main(["sitewide", "summaries"])
    assert main(["sitewide", "factoids", "--dry-run", "--limit", "3"]) == 0
    assert "3 factoids would be worded in one call" in capsys.readouterr().out
    assert scalar("select count(*) from ai_ledger") == 0
    assert scalar("select count(*) from factoid_runs") == 0
    assert main(["sitewide", "factoids", "--force", "--limit", "3"]) == 0
    assert main(["sitewide", "factoids"]) == 0
    assert "under way already" in capsys.readouterr().out
    assert scalar("select args from jobs where kind = 'sitewide.factoids'") == {"force": True, "limit": 3}


def test_schedules_are_made_and_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sitewide", "factoids", "--check-schedule"]) == 1
    assert "sitewide-factoids: missing" in capsys.readouterr().out
    assert main(["sitewide", "factoids", "--init-schedule"]) == 0
    assert main(["sitewide", "summaries", "--check-schedule"]) == 0
    assert "sitewide-summaries: on; last: nothing yet" in capsys.readouterr().out
    with transaction() as connection:
        schedules.pause(connection, "sitewide-factoids", actor="ada")
    assert main(["sitewide", "factoids", "--check-schedule"]) == 1
    assert "sitewide-factoids: paused by ada" in capsys.readouterr().out


def test_what_readers_get_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sitewide", "show"]) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 5
    assert told.err.startswith("static")

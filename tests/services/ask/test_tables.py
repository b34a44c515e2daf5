"""Subjects that come in as CSV: whole or not at all, again without effect, with the cell named that is wrong."""

import pytest
from sqlalchemy import text

from services.__main__ import main
from services.ask import sample, tables
from services.ask.subjects import SUBJECTS
from services.db import transaction
from services.errors import BadInput
from tests.services.ask import world

pytestmark = pytest.mark.usefixtures("database")
CSV = "code,title,sector,status,households,cost,assessed_on\n"
CSV += 'N-1,Well,water and sanitation,validated,"1,200",1500.50,2026-01-31\nN-2,Road,,,,,\n'


def bring(table: str, content: str | bytes) -> tables.Brought:
    with transaction() as connection:
        return tables.bring(connection, table, content.encode() if isinstance(content, str) else content, actor="tests")


def test_rows_come_in_once_and_empty_cells_are_unknown() -> None:
    assert bring("needs_assessments", CSV) == tables.Brought(2, 2, 0)
    assert bring("needs_assessments", CSV) == tables.Brought(2, 0, 0)
    assert bring("needs_assessments", CSV.replace("Road", "Bridge")) == tables.Brought(2, 0, 1)
    with transaction() as connection:
        rows = connection.execute(
            text("select code, title, sector, households, cost_minor, assessed_on::text from needs_assessments order by 1")
        ).all()
    assert [tuple(row) for row in rows] == [
        ("N-1", "Well", "water and sanitation", 1_200, 150_050, "2026-01-31"),
        ("N-2", "Bridge", None, None, None, None),
    ]


@pytest.mark.parametrize(
    ("table", "content", "refused"),
    [
        ("jobs", "code\n", "no table 'jobs'"),
        ("policies", "title\nx\n", "column 'code' is not what policies needs"),
        ("policies", "code,title,colour\n1,x,red\n", "column 'colour'"),
        ("policies", "code,title\n,x\n", "Row 2 has no code"),
        ("policies", "code,title,proposed_on\n1,x,yesterday\n", "Row 2, proposed_on: 'yesterday' is not a day"),
        ("meetings", "code,title,attendees\n1,x,5\n2,y,-3\n", "Row 3, attendees: '-3' is not a whole number"),
        ("needs_assessments", "code,title,cost\n1,x,1.005\n", "Row 2, cost: '1.005' is not an amount"),
        ("needs_assessments", "code,title\n1,x,z\n", "Row 2 has more cells"),
        ("policies", b"code,title\n1,\xff\n", "not UTF-8: byte 13"),
        ("policies", 'code,title\n1,"x\n', "not CSV"),
    ],
)
def test_one_wrong_cell_refuses_the_file_and_is_named(table: str, content: str | bytes, refused: str) -> None:
    with pytest.raises(BadInput, match=refused):
        bring(table, content)
    if table in tables.TABLES:
        with transaction() as connection:
            assert connection.execute(text(f"select count(*) from {table}")).scalar_one() == 0


def test_the_invented_rows_use_only_values_that_the_model_has() -> None:
    for table, rows in sample.rows(world.TODAY).items():
        (subject,) = [one for one in SUBJECTS.values() if one.table == table]
        for dimension in subject.dimensions:
            if dimension.values:
                assert {row[dimension.column] for row in rows} <= set(dimension.values), (table, dimension.name)
        assert len({row["code"] for row in rows}) == len(rows)
    assert sample.rows(world.TODAY) == sample.rows(world.TODAY)


def test_the_command_lists_imports_samples_and_asks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "sample"]) == 0
    assert "meetings: 240 new, 0 changed" in capsys.readouterr().out
    assert main(["ask", "templates", "--category", "policies"]) == 0
    told = capsys.readouterr()
    assert "Policies by sector" in told.out or "How many policies by sector?" in told.out
    assert "templates: communities" in told.err
    assert main(["ask", "statistics"]) == 0
    assert "needs\t400" in capsys.readouterr().out
    assert main(["ask", "question", "how many meetings"]) == 0
    assert capsys.readouterr().out.startswith("240 meetings.")
    assert main(["ask", "import", "/nowhere.csv", "--table", "meetings"]) == 2
    assert "cannot be read" in capsys.readouterr().err

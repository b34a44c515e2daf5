"""What an operator sees when a file is imported: good ones, repeated ones, longer ones, broken ones."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from services.__main__ import main
from services.db import transaction
from services.settings import settings
from services.telemetry.move import move_once
from tests.services.telemetry.importers.conftest import Import, counted
from tests.services.telemetry.importers.files import JSON_MAP, MAP, as_csv, put, rows

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return put(tmp_path, "shop.yaml", MAP)


@pytest.fixture
def json_plan(tmp_path: Path) -> Callable[[str], Path]:
    return lambda kind: put(tmp_path, f"{kind}.yaml", JSON_MAP.replace("FORMAT", kind))


def _worker(_pause_s: float) -> None:
    """What goes on elsewhere while somebody sleeps."""
    move_once()


def operations(column: str) -> list[object]:
    with transaction() as connection:
        return list(connection.execute(text(f"select {column} from operations order by started_at, id")).scalars())


def test_it_counts_each_row_with_what_it_tells(run_import: Import, plan: Path, tmp_path: Path, capsys: Captured) -> None:
    lines = [*rows(2), ("2026-03-01T12:00:00+02:00", "BAD", "", "", "0.25", "")]
    assert run_import(put(tmp_path, "shop.csv", as_csv(lines)), plan) == 0
    assert "3 rows read: 3 accepted, 0 rejected" in capsys.readouterr().out
    assert sorted(operations("input_tokens"), key=str) == [100, 101, None]
    assert sorted(operations("latency_us")) == [250_000, 1_500_000, 1_500_000]  # type: ignore[type-var]
    assert operations("error_type").count("failed") == 1
    assert not (tmp_path / "shop.csv.rejected.csv").exists()


def test_it_adds_nothing_when_the_file_comes_again(run_import: Import, plan: Path, tmp_path: Path) -> None:
    path = put(tmp_path, "shop.csv", as_csv(rows(5)))
    run_import(path, plan)
    run_import(path, plan)
    assert counted()["operations"] == counted()["rolled_up"] == 5


def test_it_adds_only_what_was_appended(run_import: Import, plan: Path, tmp_path: Path) -> None:
    run_import(put(tmp_path, "shop.csv", as_csv(rows(5))), plan)
    run_import(put(tmp_path, "shop.csv", as_csv(rows(8))), plan)
    assert counted()["operations"] == counted()["rolled_up"] == 8


def test_it_counts_identical_rows_of_one_file_each(run_import: Import, plan: Path, tmp_path: Path) -> None:
    twins = [*rows(1), *rows(3), *rows(1)]
    run_import(put(tmp_path, "shop.csv", as_csv(twins)), plan)
    assert counted()["operations"] == 5
    run_import(put(tmp_path, "shop.csv", as_csv([*twins, *rows(1)])), plan)
    assert counted()["operations"] == counted()["rolled_up"] == 6


def test_it_knows_identical_rows_again_across_chunks(run_import: Import, plan: Path, tmp_path: Path) -> None:
    many = [*rows(3_000), *rows(3_000), *rows(3_000), *rows(3_000)]
    path = put(tmp_path, "shop.csv", as_csv(many))
    run_import(path, plan)
    run_import(path, plan)
    assert counted()["operations"] == counted()["rolled_up"] == 12_000


def test_it_takes_its_identity_from_columns(run_import: Import, tmp_path: Path) -> None:
    plan = put(tmp_path, "keyed.yaml", MAP + "id: [who, prompt]\n")
    lines = rows(3)
    run_import(put(tmp_path, "a.csv", as_csv(lines)), plan)
    corrected = [(*line[:4], "9.0", line[5]) for line in lines]
    run_import(put(tmp_path, "b.csv", as_csv(corrected)), plan)
    assert counted()["operations"] == 3


def test_it_refuses_single_rows_and_says_which_and_why(run_import: Import, plan: Path, tmp_path: Path, capsys: Captured) -> None:
    lines = rows(6)
    lines[1] = (lines[1][0], "OPEN", *lines[1][2:])
    lines[2] = ("yesterday", *lines[2][1:])
    lines[3] = (*lines[3][:2], "-5", *lines[3][3:])
    lines[4] = (*lines[4][:2], "12.5", *lines[4][3:])
    assert run_import(put(tmp_path, "shop.csv", as_csv(lines)), plan, "--report", "refused.csv") == 0
    told = capsys.readouterr()
    assert "6 rows read: 2 accepted, 4 rejected" in told.out
    assert "row 2, error_type: column status: unfinished" in told.err
    assert "row 3, started_at: column at: 'yesterday' is not a time written as iso" in told.err
    assert "row 4, input_tokens: " in told.err
    with (tmp_path / "refused.csv").open(newline="") as report:
        refused = list(csv.DictReader(report))
    assert [(row["row"], row["field"]) for row in refused] == [
        ("2", "error_type"),
        ("3", "started_at"),
        ("4", "input_tokens"),
        ("5", "input_tokens"),
    ]
    assert json.loads(refused[1]["raw"])["at"] == "yesterday"
    assert json.loads(refused[2]["raw"])["prompt"] == "-5"
    assert counted() | {"rejected": 4} == counted()


def test_it_prints_the_first_ten_rejections_and_counts_the_rest(run_import: Import, plan: Path, tmp_path: Path, capsys: Captured) -> None:
    wide = [(line[0], "OPEN", *line[2:5], "w" * 190) for line in rows(14)]
    run_import(put(tmp_path, "shop.csv", as_csv(wide)), plan)
    told = capsys.readouterr().err
    assert told.count("unfinished") == 10
    assert "and 4 more" in told
    assert "All 14 rejected rows: shop.csv.rejected.csv" in told


def test_it_adds_only_the_repaired_row(run_import: Import, plan: Path, tmp_path: Path) -> None:
    lines = rows(5)
    broken = [*lines[:2], ("never", *lines[2][1:]), *lines[3:]]
    run_import(put(tmp_path, "shop.csv", as_csv(broken)), plan)
    assert counted()["operations"] == 4
    run_import(put(tmp_path, "shop.csv", as_csv(lines)), plan)
    assert counted()["operations"] == counted()["rolled_up"] == 5


def test_it_keeps_what_stands_before_the_end_of_a_truncated_gz(run_import: Import, plan: Path, tmp_path: Path, capsys: Captured) -> None:
    whole = gzip.compress(as_csv(rows(3_000)).encode())
    assert run_import(put(tmp_path, "shop.csv.gz", whole[: len(whole) // 2]), plan) == 1
    told = capsys.readouterr()
    assert "the gzip file is truncated: its end is missing" in told.err
    kept = counted()["operations"]
    assert 0 < kept < 3_000
    assert f"after row {kept}, " in told.err
    assert run_import(put(tmp_path, "shop.csv.gz", whole), plan) == 0
    assert counted()["operations"] == counted()["rolled_up"] == 3_000


def test_it_names_a_damaged_gz(run_import: Import, plan: Path, tmp_path: Path, capsys: Captured) -> None:
    whole = bytearray(gzip.compress(as_csv(rows(3)).encode()))
    whole[-6] ^= 0xFF  # the checksum
    run_import(put(tmp_path, "shop.csv.gz", bytes(whole)), plan)
    assert "the gzip file is damaged: CRC check failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            as_csv(rows(2), ("when", "status", "prompt", "answer", "seconds", "who")),
            "column at of the map is missing; the header has when, status",
        ),
        (as_csv(rows(2), ("at", "status", "prompt", "prompt", "seconds", "who")), "the header names prompt twice"),
        ("", "the file has no header"),
        ("\n\n", "the file has no header"),
        ('"at', "the header, is not CSV"),
        (as_csv(rows(2)).encode("utf-16"), "line 1: byte 0xff at offset 0 is not utf-8"),
        (b"x" * 17_000_000, "line 1 is longer than"),
    ],
)
def test_it_refuses_a_file_that_is_not_what_the_map_says(
    run_import: Import, plan: Path, tmp_path: Path, capsys: Captured, *, content: str | bytes, sentence: str
) -> None:
    assert run_import(put(tmp_path, "shop.csv", content), plan) == 2
    told = capsys.readouterr().err
    assert told.startswith("shop.csv: ")
    assert sentence in told
    assert counted()["operations"] == 0


def test_it_names_the_byte_that_is_not_in_the_encoding(run_import: Import, plan: Path, tmp_path: Path, capsys: Captured) -> None:
    lines = rows(5)
    lines[3] = (*lines[3][:5], "Zoë")
    content = as_csv(lines).encode("cp1252")
    assert run_import(put(tmp_path, "shop.csv", content), plan) == 1
    told = capsys.readouterr().err
    assert f"shop.csv: after row 3, line 5: byte 0xeb at offset {content.index(0xEB)} is not utf-8" in told
    assert counted()["operations"] == 3

    fitting = put(tmp_path, "western.yaml", MAP + "encoding: cp1252\n")
    assert run_import(tmp_path / "shop.csv", fitting) == 0
    assert counted()["operations"] == 5
    assert "Zoë" in operations("user_key")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_it_reads_files_with_a_byte_order_mark(run_import: Import, tmp_path: Path, encoding: str) -> None:
    plan = put(tmp_path, "marked.yaml", MAP + (f"encoding: {encoding}\n" if encoding == "utf-16" else ""))
    assert run_import(put(tmp_path, "shop.csv", as_csv(rows(4)).encode(encoding)), plan) == 0
    assert counted()["operations"] == 4


def test_it_names_the_byte_in_other_encodings_too(run_import: Import, tmp_path: Path, capsys: Captured) -> None:
    for encoding, bad in (("cp1252", b"\x81"), ("utf-16", b"\x00\xd8\x41\x00")):
        plan = put(tmp_path, "p.yaml", MAP + f"encoding: {encoding}\n")
        assert run_import(put(tmp_path, f"{encoding}.csv", as_csv(rows(2)).encode(encoding) + bad), plan) == 1
        assert f"after row 2, line 4: byte 0x{bad[0]:02x} at offset" in capsys.readouterr().err


def test_it_keeps_a_refusal_whose_reason_quotes_what_no_database_takes(run_import: Import, plan: Path, tmp_path: Path) -> None:
    content = as_csv(rows(2)) + "2026-03-01T10:00:59,OK,\0,2,3,u\n"
    assert run_import(put(tmp_path, "shop.csv", content), plan) == 0
    assert counted()["operations"] == 2
    with transaction() as connection:
        assert r"'\x00' is not a number" in connection.execute(text("select reason from telemetry_rejected")).scalar_one()


def test_it_refuses_a_row_of_the_wrong_width_and_says_the_file_is_damaged(
    run_import: Import, plan: Path, tmp_path: Path, capsys: Captured
) -> None:
    content = as_csv(rows(3)) + "2026-03-01T10:00:59,OK,1\n\n" + "2026-03-01T10:00:58,OK,1,2,3,u\n"
    assert run_import(put(tmp_path, "shop.csv", content), plan) == 1
    assert "row 4, (row): line 5 has 3 fields where the header has 6" in capsys.readouterr().err
    assert counted()["operations"] == 4


def test_it_keeps_the_rows_before_a_quote_that_is_never_closed(run_import: Import, plan: Path, tmp_path: Path, capsys: Captured) -> None:
    content = as_csv(rows(3)) + '2026-03-01T10:00:59,OK,1,2,3,"u\n' + as_csv(rows(3, 10))
    assert run_import(put(tmp_path, "shop.csv", content), plan) == 1
    assert "after row 3, line " in capsys.readouterr().err
    assert counted()["operations"] == 3


def test_it_refuses_a_malformed_json_line_and_keeps_all_others(
    run_import: Import, json_plan: Callable[[str], Path], tmp_path: Path, capsys: Captured
) -> None:
    good = [json.dumps({"at": f"2026-03-01 10:00:0{n}", "usage": {"input": n}, "blocks": [n]}) for n in range(5)]
    lines = [*good[:2], '{"at": "2026-03-01', "[1]", "", *good[2:]]
    assert run_import(put(tmp_path, "shop.jsonl", "\n".join(lines)), json_plan("jsonl")) == 1
    told = capsys.readouterr().err
    assert "row 3, (row): line 3 is not JSON: Unterminated string" in told
    assert "row 4, (row): line 4 is not a JSON object" in told
    assert counted()["operations"] == 5
    assert operations("session_key") == ["0", "1", "2", "3", "4"]
    run_import(put(tmp_path, "shop.jsonl", "\n".join(good)), json_plan("jsonl"))
    assert counted()["operations"] == 5


def test_it_refuses_a_file_whose_first_line_is_not_json(
    run_import: Import, json_plan: Callable[[str], Path], tmp_path: Path, capsys: Captured
) -> None:
    assert run_import(put(tmp_path, "shop.jsonl", as_csv(rows(3))), json_plan("jsonl")) == 2
    assert "line 1 is not JSON" in capsys.readouterr().err
    assert counted()["rejected"] == 0


@pytest.mark.parametrize(
    ("content", "sentence", "kept"),
    [
        ('[\n{"at": 1}, {"at": 2}\n', "the JSON array is truncated: its ] is missing", 2),
        ('[{"at": 1}, {"at": 2},\n {"at":', "line 2 is not JSON: Expecting value (the file ends there)", 2),
        ('[{"at": 1} {"at": 2}]', "line 1: a comma or ] is missing", 1),
        ('[{"at": 1}]\n[]', "line 2: something follows the end of the JSON array", 1),
        ('[{"at": 1}, {"at": ' + "9" * 5_000 + "}]", "line 1 is not JSON: Exceeds the limit", 1),
        ('[{"at": 1}, ' + "[" * 100_000, "line 1 is not JSON: maximum recursion depth", 1),
    ],
)
def test_it_keeps_the_entries_before_the_break_of_a_json_array(
    run_import: Import, tmp_path: Path, capsys: Captured, *, content: str, sentence: str, kept: int
) -> None:
    plan = put(tmp_path, "array.yaml", "source: s\nformat: json\ntimes: {format: epoch_s}\ncolumns: {started_at: at}\n")
    shifted = content.replace('"at": ', '"at": 177000000')
    assert run_import(put(tmp_path, "shop.json", shifted), plan) == 1
    told = capsys.readouterr().err
    assert f"after row {kept}, " in told
    assert sentence in told
    assert counted()["operations"] == kept


def test_it_refuses_json_that_is_no_array(run_import: Import, json_plan: Callable[[str], Path], tmp_path: Path, capsys: Captured) -> None:
    for content, sentence in (('{"at": 1}', "does not begin with ["), ("", "the file is empty")):
        assert run_import(put(tmp_path, "shop.json", content), json_plan("json")) == 2
        assert sentence in capsys.readouterr().err


def test_it_reads_arrays_far_larger_than_its_window(run_import: Import, json_plan: Callable[[str], Path], tmp_path: Path) -> None:
    blocks = ["x" * 150, "y" * 90_000]
    entries: list[object] = [{"at": f"2026-03-01 10:00:{n:02d}", "usage": {"input": n}, "blocks": blocks} for n in range(12)]
    path = put(tmp_path, "shop.json", json.dumps([*entries, 7], indent=1))
    assert run_import(path, json_plan("json")) == 1  # the 7 is not an object
    assert counted()["operations"] == 12
    assert operations("input_tokens") == list(range(12))
    assert run_import(put(tmp_path, "none.json", " [ ] "), json_plan("json")) == 0


def test_it_misses_a_column_that_no_json_row_has(
    run_import: Import, json_plan: Callable[[str], Path], tmp_path: Path, capsys: Captured
) -> None:
    assert run_import(put(tmp_path, "shop.jsonl", '{"at": 1, "use": {"input": 3}, "blocks": []}\n'), json_plan("jsonl")) == 2
    assert "column usage.input of the map is missing; the first 1 rows have at, use, blocks" in capsys.readouterr().err


def test_it_says_when_there_is_no_such_file(run_import: Import, plan: Path, tmp_path: Path, capsys: Captured) -> None:
    assert run_import("absent.csv", plan) == 2
    assert "There is no file absent.csv." in capsys.readouterr().err
    assert run_import(tmp_path, plan) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert run_import(put(tmp_path, "shop.csv", as_csv(rows(1))), plan, "--report", "nowhere/report.csv") == 2
    assert "The report cannot be written" in capsys.readouterr().err


def test_it_waits_while_the_inbox_is_full(
    run_import: Import, plan: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INBOX_LIMIT_ROWS", "10000")
    settings.cache_clear()
    path = put(tmp_path, "shop.csv", as_csv(rows(10_500)))
    monkeypatch.setattr("services.telemetry.importers.load.time.sleep", _worker)
    try:
        assert run_import(path, plan) == 0
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert "Waiting for the workers to catch up" in capsys.readouterr().err
    assert counted()["operations"] == 10_500


@pytest.mark.usefixtures("database")
def test_it_says_that_no_worker_runs(plan: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("services.telemetry.importers.settled.PATIENCE_S", 0.3)
    assert main(["import", str(put(tmp_path, "shop.csv", as_csv(rows(4)))), "--map", str(plan)]) == 0
    told = capsys.readouterr()
    assert "4 rows wait and nothing moves: no worker is running" in told.err
    assert "0 new, 0 duplicates, 4 waiting" in told.out


@pytest.mark.usefixtures("database")
def test_it_waits_until_the_workers_have_counted(plan: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("services.telemetry.importers.settled.time.sleep", _worker)
    path = put(tmp_path, "shop.csv", as_csv(rows(4)))
    main(["import", str(path), "--map", str(plan)])
    assert "4 accepted, 0 rejected; 4 new, 0 duplicates" in capsys.readouterr().out
    main(["import", str(path), "--map", str(plan)])
    assert "4 accepted, 0 rejected; 0 new, 4 duplicates" in capsys.readouterr().out


def test_it_keeps_what_was_read_when_interrupted(
    run_import: Import, plan: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, "shop.csv", as_csv(rows(10_500)))

    def interrupted(*_told: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("services.telemetry.importers.report.Report.add", interrupted)  # Ctrl-C after the first chunk
        assert run_import(path, plan) == 130
    assert "the same command again adds only the rest" in capsys.readouterr().err
    assert counted()["operations"] == 10_000
    assert run_import(path, plan) == 0
    assert counted()["operations"] == counted()["rolled_up"] == 10_500
    with monkeypatch.context() as patch:
        patch.setattr("services.telemetry.importers.settled.wait", interrupted)
        assert main(["import", str(path), "--map", str(plan)]) == 130
    assert "Not waiting any longer; the rows are safe." in capsys.readouterr().err

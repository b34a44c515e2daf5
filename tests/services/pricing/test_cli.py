"""Prices from the command line, start to end."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.__main__ import main
from services.db import transaction
from services.pricing import reprice
from tests.traffic import arrive, operation

pytestmark = pytest.mark.usefixtures("database")
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
OVERRIDE = ["prices", "override", "--model", "gpt-5-mini", "--input", "1", "--output", "2", "--source", "contract 2026"]
RANGE = ["--start", "2026-11-10", "--end", "2026-11-11"]


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code
    told = capsys.readouterr()
    return told.out + told.err


def test_it_adds_lists_and_ends_a_price(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "prices", "overrides") == ""
    assert "Override 1 prices" in said(
        capsys, *OVERRIDE, "--from", "2026-11-01", "--to", "2027-01-01T00:00:00+08:00", "--cache-read", "0.1"
    )
    listed = said(capsys, "prices", "overrides")
    assert "input 1, output 2, cache_read 0.1" in listed
    assert "2026-11-01 00:00Z 2026-12-31 16:00Z contract 2026" in " ".join(listed.split())
    assert "Override 1 is withdrawn" in said(capsys, "prices", "end", "1", "--withdraw")
    assert "is over since" in said(capsys, "prices", "end", "1", code=2)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (["--from", "November"], "--from: 'November' is no day"),
        (["--from", "2026-11-01T00:00:00"], "--from: the instant must say its zone"),
        (["--from", "2026-11-01", "--to", "2026-11-01"], "effective_to: it must lie after"),
        (["--from", "2026-11-01", "--request", "free"], "request: 'free' is not a price"),
    ],
)
def test_it_says_what_is_wrong_with_a_price(told: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert reason in said(capsys, *OVERRIDE, *told, code=2)


def test_it_shows_then_applies_then_takes_back(capsys: pytest.CaptureFixture[str]) -> None:
    arrive([operation("one", NOON), operation("two", NOON, model="o3")])
    assert "0 of 2 calls cost something else; together +0.000000000 USD" in said(capsys, "prices", "reprice", *RANGE)
    said(capsys, *OVERRIDE, "--from", "2026-11-01")
    shown = said(capsys, "prices", "reprice", *RANGE)
    assert "1 of 2 calls cost something else; together +0.000750000 USD" in shown
    assert reprice_states() == []
    assert "0 of 1 calls" in said(capsys, "prices", "reprice", *RANGE, "--model", "o3", "--provider", "openai")
    assert "Re-pricing 1 waits for a worker" in said(capsys, "prices", "reprice", *RANGE, "--apply")
    reprice.apply(1, lambda *_: None, lambda: False)
    assert "will be taken back" in said(capsys, "prices", "reverse", "1")
    assert reprice_states() == ["reversing"]
    assert "is reversing already" in said(capsys, "prices", "reverse", "1", code=2)


def reprice_states() -> list[str]:
    with transaction() as connection:
        return [known.state for known in reprice.listing(connection)]


def test_it_compares_a_bill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrive([operation("one", NOON)])
    path = tmp_path / "bill.csv"
    path.write_text("when,model,cost\n2026-11-10,gpt-5-mini,0.00045\n")
    assert "No column tells the day" in said(capsys, "prices", "reconcile", str(path), code=2)
    assert "agrees" in said(capsys, "prices", "reconcile", str(path), "--column", "day=when")
    path.write_text("when,model,cost\n2026-11-10,gpt-5-mini,0.00046\n")
    assert "other cost" in said(capsys, "prices", "reconcile", str(path), "--column", "day=when", "--provider", "openai", code=1)
    assert "is not FIELD=COLUMN" in said(capsys, "prices", "reconcile", str(path), "--column", "when", code=2)
    assert "No such file" in said(capsys, "prices", "reconcile", str(tmp_path / "none.csv"), code=2)

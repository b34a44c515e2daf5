"""The command as an operator types it, in a folder of its own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from services.__main__ import main
from services.db import transaction
from services.telemetry.move import move_once

SHARED_DATA = Path(os.environ.get("SHARED_DATA") or Path(__file__).resolve().parents[4].parent / "shared" / "data")
Import = Callable[..., int]


@pytest.fixture
def run_import(database: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    """`python -m services import FILE --map MAP …`, then everything moved; answers the exit code."""
    monkeypatch.chdir(tmp_path)

    def run(file: Path | str, plan: Path | str, *more: str) -> int:
        code = main(["import", str(file), "--map", str(plan), "--no-wait", *more])
        while move_once().rows:
            pass
        return code

    return run


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """A file of the public data sets; its absence is a failure, never a pass."""

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        assert path.is_file(), f"{path} is missing: point SHARED_DATA to the shared data"
        return path

    return find


def counted() -> dict[str, int]:
    """What the database holds now."""
    with transaction() as connection:
        row = (
            connection.execute(
                text(
                    """
                select (select count(*) from operations) as operations,
                       (select coalesce(sum(n), 0) from rollup_day) as rolled_up,
                       (select count(*) from sessions) as sessions,
                       (select count(*) from telemetry_rejected) as rejected,
                       (select coalesce(sum(row_count), 0) from telemetry_inbox) as waiting
                """
                )
            )
            .mappings()
            .one()
        )
    return {name: int(value) for name, value in row.items()}

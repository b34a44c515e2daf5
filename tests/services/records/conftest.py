"""Files of records brought in as the command and the page do it."""

import csv
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from services.db import transaction
from services.records import findings, imports, load, maps
from services.records.findings import Finding
from services.records.imports import Import
from services.records.maps import Map

SHARED_DATA = Path(os.environ.get("SHARED_DATA") or Path(__file__).resolve().parents[3].parent / "shared" / "data")


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """A file of the public data sets; its absence is a failure, never a pass."""

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        assert path.is_file(), f"{path} is missing: point SHARED_DATA to the shared data"
        return path

    return find


def bring(content: bytes, plan: Map | str, name: str = "file.csv") -> Import:
    """Import the bytes of a file."""
    chosen = maps.load(plan) if isinstance(plan, str) else plan
    with transaction() as connection:
        import_id = imports.begin(connection, chosen, str(plan)[:20], name, len(content), "tests")
    return load.import_file(import_id, chosen, load.opened(content), lambda _rows, _bytes: None, lambda: False)


def found(import_id: int) -> list[Finding]:
    """All findings of an import."""
    with transaction() as connection:
        return [finding for _, finding in findings.listing(connection, import_id, most=1_000_000)]


def as_csv(header: Sequence[str], *rows: Sequence[str]) -> bytes:
    """A CSV file in UTF-8."""
    written = io.StringIO(newline="")
    csv.writer(written).writerows([header, *rows])
    return written.getvalue().encode()

"""Council files: the real ones, and small ones made here."""

import gzip
import os
from functools import cache
from io import BytesIO
from pathlib import Path

import pandas as pd

from services.records.load import opened
from services.settings import ROOT
from services.sitewide import load, maps
from services.sitewide.imports import Import

DATA = Path(os.environ.get("SHARED_DATA", ROOT / ".." / "shared" / "data")).resolve()
REVENUE = DATA / "council-finance-tidy" / "revenue_outturn_all_fields_2010-18.csv.gz"
BORROWING = DATA / "council-finance-tidy" / "borrowing_investments_2008-20.csv.gz"
REGISTER = DATA / "uk-la-codes" / "uk_local_authorities_current.csv"
HEADER = "ecode,council,council_type,nation,region,financial_year,field,value_gbp_thousands"


def bring(content: bytes, plan: str = "revenue-outturn", actor: str = "ada") -> Import:
    """Import a file."""
    return load.import_file(maps.load(plan), plan, "file.csv", len(content), opened(content), lambda _rows, _bytes: None, actor)


def bring_all() -> None:
    """The register and both finance files."""
    for path, plan in ((REVENUE, "revenue-outturn"), (BORROWING, "borrowing-investments"), (REGISTER, "uk-la-codes")):
        bring(path.read_bytes(), plan)


@cache
def revenue_text() -> str:
    """The revenue file as it is written."""
    return gzip.decompress(REVENUE.read_bytes()).decode()


@cache
def frame(path: Path) -> pd.DataFrame:
    """A file as pandas reads it, every cell a text."""
    return pd.read_csv(BytesIO(path.read_bytes()), dtype=str, keep_default_na=False, compression="gzip" if path.suffix == ".gz" else None)


def small(*rows: str) -> bytes:
    """A revenue file of these rows."""
    return "\n".join([HEADER, *rows, ""]).encode()

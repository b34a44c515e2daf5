"""Every analysis of a record at once, with until when it holds and why it does not."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from services import records
from services.analyses import results
from services.analyses.catalogue import Analysis, get, of
from services.analyses.results import Result, Standing
from services.records import Kind

Why = Literal["record", "facts", "age"]
WHY: dict[Why, str] = {
    "record": "the record has changed since",
    "facts": "the analysis computes other facts by now",
    "age": "it is too old",
}


@dataclass(frozen=True, slots=True)
class View:
    """One analysis, in one of its variants. `why` says why its newest version does not hold; None where it does or there is none."""

    analysis: Analysis
    variant: str
    standing: Standing
    why: Why | None

    @property
    def title(self) -> str:
        return f"{self.analysis.title}, {self.variant}" if self.variant else self.analysis.title

    @property
    def fresh_until(self) -> datetime | None:
        """Unless the record changes before."""
        return None if self.standing.result is None else fresh_until(self.standing.result)


def one(connection: Connection, kind: str, record_id: int, variant: str) -> View:
    """An analysis of a record. Raises NotFound and BadInput as `results.current` does."""
    analysis = get(kind, variant)
    return _view(connection, analysis, record_id, variant, records.content_hash(connection, analysis.noun, record_id))


def of_record(connection: Connection, noun: Kind, record_id: int) -> list[View]:
    """All of them, in the order of the catalogue. Raises NotFound."""
    known = records.content_hash(connection, noun, record_id)
    return [_view(connection, analysis, record_id, variant, known) for analysis in of(noun) for variant in analysis.variants]


def fresh_until(result: Result) -> datetime:
    """When it will be too old."""
    return result.made_at + get(result.kind, result.variant).kept_for


def _view(connection: Connection, analysis: Analysis, record_id: int, variant: str, content_hash: str) -> View:
    standing = results.current(connection, analysis.kind, record_id, variant)
    return View(analysis, variant, standing, _why(standing, content_hash))


def _why(standing: Standing, content_hash: str) -> Why | None:
    if standing.result is None or standing.holds:
        return None
    if standing.result.content_hash != content_hash:
        return "record"
    return "facts" if results.facts_of(standing.result) is None else "age"

"""A community: a place of the Philippine Standard Geographic Code, from region down to barangay."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Literal

from sqlalchemy import Row

LEVELS = {
    "Reg": "Region",
    "Prov": "Province",
    "City": "City",
    "Mun": "Municipality",
    "SubMun": "Sub-municipality",
    "Bgy": "Barangay",
}


@dataclass(frozen=True, slots=True)
class Community:
    """One place. `geographic_level` is a key of LEVELS; region, province and municipality are the names of the places it lies in.

    `attributes` is what else its source tells, `unknown` why a field is None where the source says why. `content_hash` changes
    when any fact does.
    """

    id: int
    source: str
    psgc_id: str
    name: str
    geographic_level: str | None
    region: str | None
    province: str | None
    municipality: str | None
    city_class: str | None
    income_class: str | None
    settlement_type: str | None
    population: int | None
    barangay_status: str | None
    old_names: str | None
    narrative: str | None
    content_hash: str
    imported_at: datetime
    attributes: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    kind: ClassVar[Literal["communities"]] = "communities"


NAMES = tuple(one.name for one in fields(Community))
FACTS = (
    "psgc_id", "name", "geographic_level", "region", "province", "municipality", "city_class", "income_class", "settlement_type",
    "population", "barangay_status", "old_names", "narrative",
)  # fmt: skip


def from_row(row: Row[Any]) -> Community:
    """The community of a row that has NAMES."""
    return Community(**{name: getattr(row, name) for name in NAMES})

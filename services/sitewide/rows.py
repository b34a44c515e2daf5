"""Rows of a file into what they tell of a council, and the figure of a field and year. Nothing is guessed."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from services.errors import BadInput
from services.records import cells
from services.records.cells import NUMBER, Unknown
from services.sitewide.maps import Map
from services.sitewide.names import year_of
from services.telemetry.importers.rows import Row

LARGEST = Decimal(10) ** 18
REGISTER_YEAR = 0
CACHED = 65_536


@dataclass(frozen=True, slots=True)
class Told:
    """One usable row. `field` and `value` are those of a figure; of a register's row the slug is "" and the year 0."""

    position: int
    code: str
    name: str
    type: str | None
    nation: str | None
    region: str | None
    year: int = REGISTER_YEAR
    slug: str = ""
    published: str = ""
    value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """`rejected`: the row is not in. `unknown`: it is, without this value."""

    position: int
    what: str
    field: str
    reason: str
    raw: str


class Columns:
    """One map applied to one header; raises BadInput when a column of the map is missing."""

    def __init__(self, plan: Map, header: Sequence[str]) -> None:
        self._plan = plan
        places = {heading: place for place, heading in enumerate(header)}
        wanted = {**plan.columns, **{f"where {heading}": heading for heading in plan.where}}
        if plan.before is not None:
            wanted["before"] = plan.before
        missing = [heading for heading in wanted.values() if heading not in places]
        if missing:
            raise BadInput(f"column {', '.join(missing)} of the map is missing; the header has {', '.join(header)}")
        self._at = {name: places[heading] for name, heading in wanted.items()}
        # Codes, names and fields come again and again.
        self._slug = lru_cache(maxsize=CACHED)(plan.slug_of)
        self._read_words = lru_cache(maxsize=CACHED)(cells.words)

    def read(self, row: Row, position: int) -> tuple[Told | None, list[Finding]]:
        """The row's telling, if there is one, and what was wrong with it; nothing of either for a row that the map leaves out."""
        if row.fault is not None or not isinstance(row.value, list):
            return None, [Finding(position, "rejected", "(row)", row.fault or "is no list of cells", row.text)]
        told: list[str] = row.value
        if any(told[self._at[f"where {heading}"]].strip() != word for heading, word in self._plan.where.items()):
            return None, []
        try:
            return self._told(told, position)
        except (Unknown, BadInput) as error:
            return None, [Finding(position, "rejected", "(row)", f"{error}", row.text.replace("\x1f", ","))]

    def _told(self, told: list[str], position: int) -> tuple[Told, list[Finding]]:
        """Raises Unknown and BadInput where the row says nothing usable."""
        found: list[Finding] = []
        code, name = self._words(told, "code"), self._words(told, "name")
        if code is None or name is None:
            raise BadInput("the council's code is missing" if code is None else "the council's name is missing")
        type_, nation, region = (self._attribute(told, column, position, found) for column in ("type", "nation", "region"))
        if self._plan.kind == "councils":
            return Told(position, code, name, type_, nation, region), found
        year, published = year_of(told[self._at["year"]]), self._published(told)
        value: Decimal | None = None
        try:
            value = _number(told[self._at["value"]], self._plan.scale)
        except Unknown as error:
            found.append(Finding(position, "unknown", "value", f"{error}", told[self._at["value"]]))
        return Told(position, code, name, type_, nation, region, year, self._slug(published), published, value), found

    def _published(self, told: list[str]) -> str:
        name, before = self._words(told, "field"), self._words(told, "before")
        if name is None:
            raise BadInput("the field's name is missing")
        return f"{before.capitalize()}: {name}" if before else name

    def _words(self, told: list[str], column: str) -> str | None:
        return self._read_words(told[self._at[column]]) if column in self._at else None

    def _attribute(self, told: list[str], column: str, position: int, found: list[Finding]) -> str | None:
        """A word that its list does not know is unknown, and said so."""
        if column not in self._at:
            return None
        cell, known = told[self._at[column]], self._plan.values.get(column)  # type: ignore[call-overload]
        try:
            return self._read_words(cell) if known is None else cells.listed(cell, known)
        except Unknown as error:
            found.append(Finding(position, "unknown", column, f"{error}", cell))
            return None


def _number(cell: str, scale: int) -> Decimal | None:
    """A figure in whole units, exactly as it is written. Raises Unknown, also for a blank: the source names the figure and tells none."""
    told = " ".join(cell.split()).replace("−", "-")
    if not told:
        raise Unknown("the cell is blank", withheld=True)
    if not NUMBER.fullmatch(told):
        raise Unknown(f"'{told[:80]}' is not a number", withheld=False)
    value = Decimal(told.replace(",", "")) * scale
    if abs(value) >= LARGEST:
        raise Unknown(f"'{told[:80]}' is too large", withheld=False)
    return value

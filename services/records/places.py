"""Where a place lies, by the digits of its code: two of the region, three of the province, two of the municipality, three of the barangay.

A highly urbanised city stands where a province would; the level of what stands at a code tells which of them it is.
"""

import re

from sqlalchemy import Connection, text

CODE = re.compile(r"\d{10}", re.ASCII)
SMALLEST = "Bgy"  # nothing lies in one


class Places:
    """Names and levels of everything that other places may lie in: those in the database, and those read since."""

    def __init__(self, connection: Connection, source: str) -> None:
        rows = connection.execute(
            text("select psgc_id, name, geographic_level from communities where source = :source and geographic_level <> :smallest"),
            {"source": source, "smallest": SMALLEST},
        )
        self._known: dict[str, tuple[str, str | None]] = {row.psgc_id: (row.name, row.geographic_level) for row in rows}

    def learn(self, code: str, name: str, level: str | None) -> None:
        """A place of the file; files are in the order of codes, so what it lies in came before."""
        if level != SMALLEST:
            self._known[code] = (name, level)

    def around(self, code: str) -> dict[str, str]:
        """Level → name of the places that a place lies in, itself left out."""
        found: dict[str, str] = {}
        for digits in (7, 5, 2):
            outer = code[:digits].ljust(len(code), "0")
            name, level = self._known.get(outer, ("", None))
            if outer != code and level is not None:
                found.setdefault(level, name)
        return found

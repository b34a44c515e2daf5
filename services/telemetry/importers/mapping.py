"""Rows of a file into records of the inbox, column by column."""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import repeat

from services.errors import BadInput
from services.telemetry.importers.columns import Faults, convert, converter
from services.telemetry.importers.maps import Count, Map
from services.telemetry.importers.occurrences import Occurrences
from services.telemetry.importers.rows import Row
from services.telemetry.records import Rejection, as_text

Pick = Callable[[list[object]], list[object]]  # the values of good rows → one cell each
ROW = "(row)"


class Mapping:
    """One map applied to one file; raises BadInput when the file lacks a column that the map names."""

    def __init__(self, plan: Map, header: list[str] | None) -> None:
        self.plan = plan
        self.header = header
        self.occurrences = Occurrences()
        self.paths = {field: column.count if isinstance(column, Count) else column for field, column in plan.columns.items()}
        if header is not None:
            self._demand(header, f"the header has {', '.join(header)}")

    def records(self, rows: Sequence[Row], first_position: int) -> list[object]:
        """A record, or the Rejection of what cannot become one, for each row."""
        readable = [index for index, row in enumerate(rows) if row.fault is None]
        good = [rows[index] for index in readable]
        values = [row.value for row in good]
        if self.header is None and first_position == 1 and good:
            self._demand_somewhere(values)
        columns: dict[str, list[object]] = {}
        faults: dict[int, tuple[str, str]] = {}
        for field, column in self.plan.columns.items():
            cells = self._cells(column)(values)
            columns[field], wrong = ([_length(cell) for cell in cells], {}) if isinstance(column, Count) else self._convert(field, cells)
            for index, reason in wrong.items():
                faults.setdefault(index, (field, f"column {self.paths[field]}: {reason}"))
        columns["id"] = self._identities(good, values)
        names = (*columns, *self.plan.constants)
        made = zip(*columns.values(), *(repeat(value) for value in self.plan.constants.values()), strict=False)
        records: list[object] = [dict(zip(names, told, strict=True)) for told in made]
        for index, (field, reason) in faults.items():
            records[index] = Rejection.of(first_position + readable[index], (field, reason), self.raw(good[index]))
        if len(good) == len(rows):
            return records
        usable = iter(records)
        return [
            next(usable) if row.fault is None else Rejection.of(first_position + index, (ROW, row.fault), self.raw(row))
            for index, row in enumerate(rows)
        ]

    def raw(self, row: Row) -> str:
        """A row for people: its cells by name, as far as kept."""
        if self.header is None or not isinstance(row.value, list):
            return as_text(row.value if row.value is not None else row.text)
        return as_text(dict(zip(self.header, row.value, strict=True)) if row.fault is None else row.value)

    def _convert(self, field: str, cells: list[object]) -> tuple[list[object], Faults]:
        return convert(cells, converter(field, self.plan))

    def _cells(self, column: str | Count) -> Pick:
        path = column.count if isinstance(column, Count) else column
        if self.header is not None:
            place = self.header.index(path)
            return lambda values: [cells[place] for cells in values]  # type: ignore[index]
        parts = path.split(".")
        if len(parts) == 1:
            return lambda values: [value.get(path) for value in values]  # type: ignore[attr-defined]
        return lambda values: [_follow(value, parts) for value in values]

    def _identities(self, rows: list[Row], values: list[object]) -> list[object]:
        """The map's id columns; without them the hash of a row's content with its occurrence in this file."""
        if self.plan.id:
            columns = [self._cells(column)(values) for column in self.plan.id]
            return ["|".join("" if part is None else str(part) for part in parts) for parts in zip(*columns, strict=True)]
        digests = [blake2b(row.text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for row in rows]
        numbers = self.occurrences.number([int.from_bytes(digest[:8], "little") for digest in digests])
        return [digest.hex() if n == 1 else f"{digest.hex()}-{n}" for digest, n in zip(digests, numbers, strict=True)]

    def _demand(self, present: Sequence[str], known: str) -> None:
        """Raise BadInput naming the columns of the map that a file does not have."""
        named = [*self.paths.values(), *self.plan.id]
        heads = named if self.header is not None else [path.split(".")[0] for path in named]
        missing = sorted({path for path, head in zip(named, heads, strict=True) if head not in present})
        if missing:
            raise BadInput(f"column {', '.join(missing)} of the map is missing; {known}")

    def _demand_somewhere(self, values: list[object]) -> None:
        keys = {str(key): None for value in values if isinstance(value, dict) for key in value}
        self._demand(list(keys), f"the first {len(values)} rows have {', '.join(list(keys)[:40])}")


def _follow(value: object, parts: list[str]) -> object:
    """The part of a JSON value at a path; None where there is nothing."""
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _length(value: object) -> int | None:
    return len(value) if isinstance(value, list) else None

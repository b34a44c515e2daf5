"""The tables of subjects that come in as CSV: their columns, and the import. A file is taken whole or not at all."""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Literal

from sqlalchemy import Connection, text

from services.accounts import audit
from services.ask import vocabulary
from services.errors import BadInput

Type = Literal["text", "count", "date", "php"]
MOST_ROWS = 200_000
LONGEST_TEXT = 1_000
TABLES: dict[str, dict[str, Type]] = {
    "needs_assessments": {
        "code": "text", "title": "text", "community": "text", "province": "text", "region": "text", "sector": "text", "priority": "text",
        "status": "text", "households": "count", "cost": "php", "assessed_on": "date", "validated_on": "date",
    },
    "meetings": {
        "code": "text", "title": "text", "kind": "text", "status": "text", "region": "text", "partner": "text", "attendees": "count",
        "held_on": "date",
    },
    "partners": {"code": "text", "name": "text", "kind": "text", "status": "text", "region": "text", "since_on": "date"},
    "activities": {
        "code": "text", "title": "text", "kind": "text", "status": "text", "region": "text", "partner": "text", "participants": "count",
        "starts_on": "date", "ends_on": "date",
    },
    "policies": {
        "code": "text", "title": "text", "sector": "text", "kind": "text", "status": "text", "region": "text", "proposed_on": "date",
        "approved_on": "date",
    },
    "staff": {"code": "text", "name": "text", "position": "text", "unit": "text", "status": "text", "joined_on": "date"},
    "staff_tasks": {
        "code": "text", "title": "text", "assignee": "text", "unit": "text", "status": "text", "priority": "text", "created_on": "date",
        "due_on": "date", "done_on": "date",
    },
}  # fmt: skip
NEEDED = ("code", "title", "name")  # where a table has them
COLUMN = {"cost": "cost_minor"}
Row = Mapping[str, str | int | date | None]


@dataclass(frozen=True, slots=True)
class Brought:
    """`read` rows, of which so many were new or told something else than before."""

    read: int
    new: int
    changed: int


def bring(connection: Connection, table: str, content: bytes, *, actor: str) -> Brought:
    """Rows of a CSV file in UTF-8 with these columns, by their code: new ones are added, known ones told anew.

    Raises BadInput naming row and column of the first cell that cannot be used; nothing of the file is in then.
    """
    if table not in TABLES:
        raise BadInput(f"There is no table '{table[:100]}' to import into: choose one of {', '.join(TABLES)}.")
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        rows = list(reader)
    except UnicodeDecodeError as error:
        raise BadInput(f"The file is not UTF-8: byte {error.start} cannot be read.") from error
    except csv.Error as error:
        raise BadInput(f"The file is not CSV: {error}.") from error
    columns = TABLES[table]
    told = reader.fieldnames or []
    if unknown := [name for name in told if name not in columns] or [name for name in columns if name in NEEDED and name not in told]:
        raise BadInput(f"The column '{str(unknown[0])[:100]}' is not what {table} needs: it has {', '.join(columns)}.")
    if len(rows) > MOST_ROWS:
        raise BadInput(f"The file has {len(rows):,} rows; send at most {MOST_ROWS:,} at a time.")
    return write(connection, table, [_row(place, row, columns) for place, row in enumerate(rows, 2)], actor=actor)


def write(connection: Connection, table: str, rows: list[Row], *, actor: str) -> Brought:
    """Rows that are right already, by their code."""
    columns = [COLUMN.get(name, name) for name in TABLES[table]]
    others = [name for name in columns if name != "code"]
    statement = text(
        f"insert into {table} as t ({', '.join(columns)}) values ({', '.join(f':{name}' for name in columns)})"  # noqa: S608 - names of TABLES
        f" on conflict (code) do update set {', '.join(f'{name} = excluded.{name}' for name in others)}"
        f" where ({', '.join(f't.{name}' for name in others)}) is distinct from ({', '.join(f'excluded.{name}' for name in others)})"
    )
    before = connection.execute(text(f"select count(*) from {table}")).scalar_one()  # noqa: S608
    touched = sum(connection.execute(statement, {COLUMN.get(name, name): row.get(name) for name in TABLES[table]}).rowcount for row in rows)
    new = connection.execute(text(f"select count(*) from {table}")).scalar_one() - before  # noqa: S608
    vocabulary.changed(connection)
    audit.record(connection, actor, "ask.import", table, {"read": len(rows), "new": new, "changed": touched - new})
    return Brought(len(rows), new, touched - new)


def _row(place: int, told: Mapping[str | None, str | None], columns: Mapping[str, Type]) -> Row:
    if None in told:
        raise BadInput(f"Row {place} has more cells than the heading has columns.")
    return {name: _cell(place, name, (told.get(name) or "").strip(), kind) for name, kind in columns.items()}


def _cell(place: int, name: str, told: str, kind: Type) -> str | int | date | None:
    """Empty is unknown."""
    if not told:
        if name in NEEDED:
            raise BadInput(f"Row {place} has no {name}.")
        return None
    try:
        return READ[kind](told)
    except (ValueError, InvalidOperation) as error:
        raise BadInput(f"Row {place}, {name}: '{told[:100]}' is not {WANTED[kind]}.") from error


def _text(told: str) -> str:
    if len(told) > LONGEST_TEXT or "\x00" in told:
        raise ValueError
    return told


def _whole(told: str) -> int:
    digits = told.replace(",", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 16):
        raise ValueError
    return int(digits)


def _centavos(told: str) -> int:
    amount = Decimal(told.replace(",", "")) * 100
    if not amount.is_finite() or amount < 0 or amount != amount.to_integral_value() or amount >= 10**17:
        raise ValueError
    return int(amount)


READ: dict[Type, Callable[[str], str | int | date]] = {"text": _text, "count": _whole, "php": _centavos, "date": date.fromisoformat}
WANTED: dict[Type, str] = {
    "text": f"a text of at most {LONGEST_TEXT:,} characters",
    "count": "a whole number from 0 on",
    "php": "an amount in pesos such as 1200.50",
    "date": "a day such as 2026-01-31",
}

"""Rows of a file into drafts of records: facts, what is unknown and why, and everything else the row says."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from services.errors import BadInput
from services.records import cells
from services.records.cells import SYMBOLS, Unknown
from services.records.findings import Finding
from services.records.maps import COUNTS, DAYS, MONEY, PERCENT, PROSE, Map
from services.telemetry.importers.rows import Row

ROW, NO_HEADING = "(row)", "(no heading)"
POINTS = Decimal("1.5")  # sources round percentages to whole ones
UNIT = re.compile(r"([£$€₱¥])\s*(k|thousand|m|mn|million|bn|billion)?\b", re.IGNORECASE)
Read = Callable[[str], Any]
Parts = list[tuple[str | None, int]]  # (heading of a paragraph, place of its cell)


@dataclass(slots=True)
class Draft:
    """One row as a record; `facts` are named as the tables name them."""

    position: int
    code: str | None
    facts: dict[str, Any]
    attributes: dict[str, str]
    raw: dict[str, str]
    unknown: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.facts["name"])

    @property
    def text(self) -> str:
        """The row for people."""
        return _as_text(self.raw)

    def doubt(self, name: str, reason: str) -> None:
        """Leave it as told, and say that somebody should look."""
        self.findings.append(Finding(self.position, "doubtful", name, reason, self.text))

    def forget(self, name: str, reason: str) -> None:
        """A fact that its own row contradicts is unknown."""
        self.findings.append(Finding(self.position, "unknown", name, reason, str(self.facts[name])))
        self.facts[name], self.unknown[name] = None, reason


class Columns:
    """One map applied to one header; raises BadInput when a column of the map is missing or in another unit."""

    def __init__(self, plan: Map, header: Sequence[str]) -> None:
        self.plan = plan
        self.header = header
        self._places = _places(header)
        self._id = None if plan.id is None else self._place(plan.id)
        self._fields: dict[str, tuple[Parts, Read]] = {}
        self.headings: dict[str, str] = {}
        if self._id is not None:
            self.headings["psgc_id" if plan.kind == "communities" else "source_id"] = " ".join(header[self._id].split())
        for name, column in plan.columns.items():
            parts: Parts = (
                [(title, self._place(heading)) for title, heading in column.items()]
                if isinstance(column, Mapping)
                else [(None, self._place(*((column,) if isinstance(column, str) else column)))]
            )
            fact = fact_of(name)
            self._fields[fact] = parts, self._reader(name, [header[place] for _, place in parts])
            self.headings[fact] = "; ".join(" ".join(header[place].split()) for _, place in parts)
        self._attributes = {name: self._place(heading) for name, heading in plan.attributes.items()}
        self.headings |= {f"attributes.{name}": " ".join(header[place].split()) or NO_HEADING for name, place in self._attributes.items()}

    def draft(self, row: Row, position: int) -> Draft | Finding:
        """The record of a row, or why it is none."""
        if row.fault is not None or not isinstance(row.value, list):
            return Finding(position, "rejected", ROW, row.fault or "is no list of cells", row.text)
        told: list[str] = row.value
        raw = {name: cell.replace("\0", "\\x00") for name, cell in zip(self.header, told, strict=True)}
        try:
            code = None if self._id is None else cells.words(told[self._id])
        except Unknown as error:
            return Finding(position, "rejected", "id", str(error), _as_text(raw))
        draft = Draft(position, code, {}, {}, raw)
        for name, (parts, read) in self._fields.items():
            draft.facts[name] = self._fact(draft, name, [(title, told[place]) for title, place in parts], read)
        for name, place in self._attributes.items():
            if value := " ".join(told[place].replace("\0", "\\x00").split()):
                draft.attributes[name] = value
        reason = self._unusable(draft)
        if reason is not None:
            return Finding(position, "rejected", reason[0], reason[1], _as_text(raw))
        _examine(draft)
        return draft

    def _fact(self, draft: Draft, name: str, told: list[tuple[str | None, str]], read: Read) -> object:
        """The value of a field; where its cell says nothing usable, None and the reason."""
        values = []
        for title, cell in told:
            try:
                value = read(cell)
            except Unknown as error:
                key = name if title is None else f"{name} ({title})"
                draft.unknown[key] = str(error)
                draft.findings.append(Finding(draft.position, "unknown", key, str(error), cell))
            else:
                if value is not None:
                    values.append(value if title is None else f"{title}: {value}")
        if not values:
            return None
        return values[0] if told[0][0] is None else "\n\n".join(values)

    def _unusable(self, draft: Draft) -> tuple[str, str] | None:
        """(field, reason) where a row is no record."""
        if draft.facts["name"] is None:
            return "name", draft.unknown.get("name", "the name is missing")
        if self._id is not None and draft.code is None:
            return "id", "the id is missing"
        if self.plan.psgc_codes and not re.fullmatch(r"\d{10}", draft.code or "", re.ASCII):
            return "id", f"'{draft.code}' is not a code of ten digits: a spreadsheet may have dropped the zeros before it"
        others = [value for name, value in draft.facts.items() if name != "name"]
        if self.plan.kind == "projects" and others and not any(value is not None for value in others) and not draft.unknown:
            return ROW, "nothing but a name is told"
        return None

    def _place(self, *headings: str) -> int:
        """The column of the first of these headings that is there."""
        for heading in headings:
            place = self._places.get(_normal(heading))
            if place is not None:
                return place
        known = ", ".join(" ".join(name.split())[:80] or "(blank)" for name in self.header)
        raise BadInput(f"column {' or '.join(headings)} of the map is missing; the header has {known}")

    def _reader(self, name: str, headings: list[str]) -> Read:
        plan = self.plan
        if name in MONEY:
            return self._money(headings[0])
        if name in PERCENT:
            turn = -1 if name in plan.opposite else 1
            return lambda cell: None if (value := cells.percent(cell, signed=plan.percent_sign)) is None else turn * value
        if name in DAYS:
            return lambda cell: cells.day(cell, plan.dates)
        if name in plan.values:
            return lambda cell: cells.listed(cell, plan.values[name])
        if name in COUNTS:
            return cells.count
        return cells.prose if name in PROSE else cells.words

    def _money(self, heading: str) -> Read:
        """Raises BadInput where the heading names another unit than the map: a factor of a thousand shows nowhere else."""
        currency, scale = str(self.plan.currency), self.plan.scale
        if unit := UNIT.search(heading):
            named = cells.SCALES.get((unit[2] or "").lower())
            if SYMBOLS[unit[1]] != currency or (named is not None and named != scale):
                raise BadInput(f"column {' '.join(heading.split())} is in {unit[0].strip()}, the map says {currency} in units of {scale:,}")
        return lambda cell: cells.money(cell, currency, scale)


def fact_of(name: str) -> str:
    """A field of a map as the tables call it."""
    return f"{name}_minor" if name in MONEY else name


def _examine(draft: Draft) -> None:
    """What cannot all be right is said, never put right by guessing."""
    facts = draft.facts
    variance, budget, forecast = facts.get("variance_percent"), facts.get("budget_minor"), facts.get("forecast_minor")
    if variance is not None and budget is not None and forecast is not None:
        if budget == 0:
            if variance != 0:
                draft.forget("variance_percent", f"{variance}% is told of a budget of zero")
        elif abs((implied := Decimal(forecast - budget) / budget * 100) - variance) > POINTS:
            draft.forget("variance_percent", f"{variance}% is told, but the forecast differs from the budget by {implied:.1f}%")
    planned, current = facts.get("start_planned"), facts.get("start_current")
    for start, end in ((planned, "end_planned"), (current or planned, "end_current")):
        if start is not None and facts.get(end) is not None and start > facts[end]:
            draft.doubt(end, f"ends on {facts[end]}, before it starts on {start}")


def _places(header: Sequence[str]) -> dict[str, int]:
    """Normal heading → place; by its first line too, where only one has it."""
    whole = {_normal(name): place for place, name in enumerate(header)}
    firsts = [_normal(name.partition("\n")[0]) for name in header]
    return {first: place for place, first in enumerate(firsts) if firsts.count(first) == 1} | whole


def _normal(heading: str) -> str:
    return " ".join(heading.split()).casefold()


def _as_text(raw: Mapping[str, str]) -> str:
    return json.dumps(raw, ensure_ascii=False)

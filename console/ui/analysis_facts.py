"""Facts of an analysis as people read them: each under its name, in its unit; and what changed from one version to the next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import pandas as pd
import streamlit as st
from pydantic import BaseModel

from services.ai.grounding.ground import Dimension, Unit, metadata_of
from services.analyses import phrases, results
from services.analyses.difference import BESIDE, MOST, difference
from services.analyses.results import Result

NAMED_BY = ("label", "kind", "need", "name", "feature", "year")  # what tells one of several from the others
HEIGHT = 560


@dataclass(frozen=True, slots=True)
class Fact:
    """`path` is where it is told, as differences name it; `quiet` says that it tells a reader nothing: its name
    tells the value already, or one of several things simply has no such value."""

    path: str
    name: str
    value: str
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the facts, and in which currency its money is."""

    path: str
    names: tuple[str, ...]
    currency: str | None

    @property
    def several(self) -> bool:
        """Whether it belongs to one of several things."""
        return "[" in self.path

    def field(self, name: str) -> "Place":
        """A fact at this place."""
        return Place(f"{self.path}.{name}" if self.path else name, (*self.names, name.replace("_", " ")), self.currency)

    def item(self, number: int, name: str | None) -> "Place":
        """One of several at this place."""
        return Place(f"{self.path}[{number}]", (*self.names, name) if name else self.names, self.currency)


def table(result: Result) -> None:
    """All of them; those of a shape that is no longer known as they are kept."""
    facts = results.facts_of(result)
    if facts is None:
        st.json(result.facts)
        return
    told = groupby((fact for fact in of(facts) if not fact.quiet), key=lambda fact: fact.name)
    rows = [{"Fact": name, "Value": "; ".join(fact.value for fact in same)} for name, same in told]
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, height=min(HEIGHT, 36 * (len(rows) + 1)), alt=f"Facts of {result.facts.get('record_name')}",
        column_config={"Fact": st.column_config.TextColumn(width=260), "Value": st.column_config.TextColumn(width="medium")},
    )  # fmt: skip


def changes(older: Result, newer: Result) -> None:
    """What differs between two versions."""
    found = difference(older.facts, newer.facts)
    if not found:
        st.caption("The facts are the same as those of the version before.")
        return
    before, after = _by_path(older), _by_path(newer)
    rows = [
        {
            "Fact": (after.get(change.path) or before.get(change.path) or Fact("", change.path, "")).name,
            "Before": before[change.path].value if change.path in before else _plain(change.before),
            "Now": after[change.path].value if change.path in after else _plain(change.after),
        }
        for change in found
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Facts that differ from the version before")
    if len(found) == MOST:
        st.caption(f"These are the first {MOST}; there may be more.")


def of(facts: BaseModel) -> list[Fact]:
    """Every fact, in order of its place."""
    return list(_model(facts, Place("", (), None)))


def _by_path(result: Result) -> dict[str, Fact]:
    facts = results.facts_of(result)
    return {} if facts is None else {fact.path: fact for fact in of(facts)}


def _model(model: BaseModel, place: Place) -> Iterator[Fact]:
    here = Place(place.path, place.names, getattr(model, "currency", None) or place.currency)
    for name, field in type(model).model_fields.items():
        if name not in BESIDE:
            meaning = [*field.metadata, *metadata_of(field.annotation)]
            yield from _value(getattr(model, name), next((word for word in meaning if isinstance(word, Unit)), None), here.field(name))


def _value(value: object, unit: Unit | None, place: Place) -> Iterator[Fact]:
    if isinstance(value, BaseModel):
        yield from _model(value, place)
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            name = next((f"{told}" for attribute in NAMED_BY if (told := getattr(item, attribute, None)) is not None), None)
            yield from _value(item, unit, place.item(number, name if isinstance(item, BaseModel) else None))
    else:
        name = " · ".join(place.names)
        told = _plain(value) if unit is None else _measured(value, unit, place.currency)
        quiet = place.several and (value is None or f"{value}" in place.names[-2:-1])
        yield Fact(place.path, name[:1].upper() + name[1:], told, quiet)


def _measured(value: object, unit: Unit, currency: str | None) -> str:
    if not isinstance(value, int | float):
        return _plain(value)
    words: dict[Dimension, Callable[[], str]] = {
        "money": lambda: phrases.money(value, currency),
        "share": lambda: phrases.change(value) if unit.change else phrases.percent(value),
        "days": lambda: phrases.later(int(value)) if unit.change else phrases.days(int(value)),
        "year": lambda: f"{value}",
        "score": lambda: f"{value:g}",
        "count": lambda: f"{value:,}",
    }
    return words[unit.dimension]()


def _plain(value: object) -> str:
    if value is None:
        return phrases.UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    return phrases.day(value) if isinstance(value, date) else f"{value}"

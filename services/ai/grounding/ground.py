"""What wording may say: the numbers, dates, names and quotations of a facts model, each with its unit.

A facts model is a pydantic model whose fields say what they mean: `Money`, `Share`, `Days`, `Name`, `Quote` and so on. A number without
such a word is refused, so that nothing can be told without its unit. Strings without one are words of ours, never numbers.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal, get_args, get_origin

from pydantic import BaseModel

Dimension = Literal["count", "money", "share", "days", "year", "score"]
Told = Literal["name", "quote", "currency"]


@dataclass(frozen=True, slots=True)
class Unit:
    """`nouns` are the things counted; a `change` has a direction that its sign tells."""

    dimension: Dimension
    nouns: tuple[str, ...] = ()
    change: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """A string that is not ours: a name may be repeated anywhere, a quotation only as a quotation."""

    told: Told


Count = Annotated[int, Unit("count")]
Money = Annotated[float, Unit("money")]  # in whole units of the currency
MoneyChange = Annotated[float, Unit("money", change=True)]
Share = Annotated[float, Unit("share")]  # 0.25 is a quarter, said as 25 %
ShareChange = Annotated[float, Unit("share", change=True)]
Days = Annotated[int, Unit("days")]
DaysChange = Annotated[int, Unit("days", change=True)]
Year = Annotated[int, Unit("year")]
Score = Annotated[float, Unit("score")]
Name = Annotated[str, Words("name")]
Quote = Annotated[str, Words("quote")]
Currency = Annotated[str, Words("currency")]


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    unit: Unit


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything that may be said."""

    numbers: tuple[Number, ...]
    dates: frozenset[date]
    names: frozenset[str]
    quotes: frozenset[str]
    currencies: frozenset[str]
    words: frozenset[str]

    @property
    def years(self) -> frozenset[int]:
        """Years that facts name, and those that dates lie in."""
        return frozenset(int(n.value) for n in self.numbers if n.unit.dimension == "year") | {day.year for day in self.dates}

    @property
    def nouns(self) -> frozenset[str]:
        return frozenset(noun for number in self.numbers for noun in number.unit.nouns)


class _Gathering:
    """Collects while walking a model's fields and their annotations side by side."""

    def __init__(self) -> None:
        self.numbers: list[Number] = []
        self.dates: set[date] = set()
        self.told: dict[Told, set[str]] = {"name": set(), "quote": set(), "currency": set()}
        self.words: set[str] = set()

    def model(self, facts: BaseModel) -> None:
        for name, field in type(facts).model_fields.items():
            self.words.update(words_of(name.replace("_", " ")))
            self.value(getattr(facts, name), field.annotation, tuple(field.metadata), name)

    def value(self, value: object, annotation: object, meaning: tuple[object, ...], name: str) -> None:
        if value is None or isinstance(value, bool):
            return
        if isinstance(value, BaseModel):
            self.model(value)
        elif isinstance(value, tuple):
            self.numbers.append(Number(len(value), Unit("count", _nouns_of(name))))
            for item in value:
                self.value(item, annotation, meaning, name)
        elif isinstance(value, datetime):
            self.dates.add(value.date())
        elif isinstance(value, date):
            self.dates.add(value)
        else:
            self.leaf(value, [*meaning, *metadata_of(annotation)], name)

    def leaf(self, value: object, meaning: list[object], name: str) -> None:
        unit = next((word for word in meaning if isinstance(word, Unit)), None)
        if isinstance(value, int | float):
            if unit is None:
                if name == "schema_version":
                    return
                raise TypeError(f"The number '{name}' does not say its unit.")
            self.numbers.append(Number(float(value), unit))
        elif isinstance(value, str):
            words = next((word for word in meaning if isinstance(word, Words)), None)
            if words is None:
                self.words.update(words_of(value))
            else:
                self.told[words.told].add(value)
        else:
            raise TypeError(f"'{name}' is neither number, date nor words: {type(value).__name__}.")


def gather(facts: BaseModel) -> Ground:
    """What wording of these facts may say; raises TypeError for a number that does not say its unit."""
    found = _Gathering()
    found.model(facts)
    return Ground(
        tuple(found.numbers),
        frozenset(found.dates),
        frozenset(found.told["name"]),
        frozenset(found.told["quote"]),
        frozenset(found.told["currency"]),
        frozenset(found.words),
    )


def words_of(text: str) -> Iterator[str]:
    """Lower-case words of a text."""
    return (match.group().casefold() for match in re.finditer(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", text))


def metadata_of(annotation: object) -> Iterator[object]:
    """What is annotated anywhere in a type: `tuple[Money | None, ...]` means money."""
    if get_origin(annotation) is Annotated:
        yield from getattr(annotation, "__metadata__", ())
    for inner in get_args(annotation):
        yield from metadata_of(inner)


def _nouns_of(name: str) -> tuple[str, ...]:
    """A list named `missing_fields` counts fields: said as "field" and "fields"."""
    last = name.rsplit("_", 1)[-1]
    return (last, last[:-3] + "y" if last.endswith("ies") else last.removesuffix("s"))

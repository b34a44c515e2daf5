"""Every phrase that means something, and what it may mean: from the model, from the data, and from the synonyms of an admin."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

from services.ask import spelling
from services.ask.dates import UNMISTAKABLE
from services.ask.model import Dimension, Subject
from services.ask.normalise import tokens

Kind = Literal["noun", "measure", "dimension", "value", "when", "grain", "operator", "number", "follow", "filler"]
Phrase = tuple[str, ...]

MOST_NUMBER = 50


@lru_cache(maxsize=1)
def common() -> dict[str, Any]:
    """Words that every question may have: filler, follow, operators, grains, numbers."""
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Atom:
    """One meaning. `name` is the measure, dimension, date, grain or operator; `value` the value, `number` for a number.

    `where` are the filters that a noun implies.
    """

    kind: Kind
    subject: str = ""
    name: str = ""
    value: str = ""
    where: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Lexicon:
    """`phrases` by their words, and the `values` that they were made of."""

    subjects: Mapping[str, Subject]
    phrases: Mapping[Phrase, tuple[Atom, ...]]
    values: "Values"

    @property
    def within(self) -> Mapping[str, tuple[str, ...]]:
        """Municipality → the provinces in which there is one of that name."""
        return self.values.within

    @cached_property
    def longest(self) -> int:
        """Words of the longest phrase."""
        return max(map(len, self.phrases))

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word of a phrase."""
        return frozenset(word for phrase in self.phrases for word in phrase)

    @cached_property
    def speller(self) -> spelling.Speller:
        """Repairs what is nearly one of the words, or a word of a range of days."""
        return spelling.Speller(self.words.union(UNMISTAKABLE))

    def with_synonyms(self, synonyms: Iterable[tuple[str, str]]) -> "Lexicon":
        """A phrase that means what another means already. One whose meaning is gone from the data means nothing."""
        more = dict(self.phrases)
        for phrase, means in synonyms:
            if atoms := more.get(tokens(means)):
                more[tokens(phrase)] = atoms
        return Lexicon(self.subjects, more, self.values)


@dataclass(frozen=True, slots=True)
class Values:
    """What the data has: subject and dimension → its values; and the provinces that hold a municipality of a name."""

    seen: Mapping[tuple[str, str], tuple[str, ...]]
    within: Mapping[str, tuple[str, ...]]


Add = Callable[[str, Atom], None]


def build(subjects: Mapping[str, Subject], values: Values, hidden: frozenset[str] = frozenset()) -> Lexicon:
    """All phrases. Of `hidden` subjects the values are left out: who may not ask about them shall not learn which there are."""
    made: dict[Phrase, dict[Atom, None]] = {}

    def add(said: str, atom: Atom) -> None:
        if words := tokens(said):
            made.setdefault(words, {})[atom] = None

    _add_common(add)
    for subject in subjects.values():
        _add_subject(subject, add)
        if subject.name not in hidden:
            for dimension in subject.dimensions:
                _add_values(subject, dimension, values, add)
    return Lexicon(subjects, {phrase: tuple(atoms) for phrase, atoms in made.items()}, values)


def _add_common(add: Add) -> None:
    told = common()
    kinds: tuple[Kind, ...] = ("filler", "follow")
    for kind in kinds:
        for said in told[kind]:
            add(said, Atom(kind))
    groups: tuple[tuple[Kind, str], ...] = (("operator", "operators"), ("grain", "grains"))
    for kind, group in groups:
        for name, phrases in told[group].items():
            for said in phrases:
                add(said, Atom(kind, name=name))


def _add_subject(subject: Subject, add: Add) -> None:
    for noun in subject.nouns:
        for said in noun.said:
            add(said, Atom("noun", subject.name, where=noun.where))
    for measure in subject.measures:
        for said in (*measure.said, *((measure.label,) if measure.name != "count" else ())):
            add(said, Atom("measure", subject.name, measure.name))
    for dimension in subject.dimensions:
        for said in dict.fromkeys((*dimension.said, *((dimension.label,) if dimension.groups else ()))):
            add(said, Atom("dimension", subject.name, dimension.name))
            add(plural(said), Atom("dimension", subject.name, dimension.name))
    for when in subject.dates:
        for said in when.said:
            add(said, Atom("when", subject.name, when.name))


def _add_values(subject: Subject, dimension: Dimension, values: Values, add: Add) -> None:
    told = dimension.values
    if told is None:
        told = {value: aliases(value) for value in values.seen.get((subject.name, dimension.name), ())}
    for value, said in told.items():
        for words in (value, dimension.words.get(value, ""), *said):
            add(words, Atom("value", subject.name, dimension.name, value))


def aliases(value: str) -> tuple[str, ...]:
    """Other names of a value: without and within its brackets, Roman numbers as digits, cities and departments without the word."""
    said = [value.partition("(")[0]]
    if "(" in value:
        said.append(value.partition("(")[2].rstrip(") "))
    for name in list(said):
        words = name.split()
        if words and words[0].casefold() == "region" and len(words) > 1:
            number, _, letter = words[1].partition("-")
            if number.upper() in ROMAN:
                said.append(f"region {ROMAN[number.upper()]}{'-' + letter if letter else ''}")
                said.append(f"region {ROMAN[number.upper()]}{letter}")
    for name in list(said):
        for short in (name.removeprefix("City of "), name.removeprefix("Department of "), name.removesuffix(" Region")):
            if short != name:
                said.append(short)
                if name.startswith("City of "):
                    said.append(f"{short.strip()} City")
    if value == "National Capital Region (NCR)":
        said.append("Metro Manila")
    return tuple(name for name in dict.fromkeys(said) if len(tokens(name)) > 1 or len("".join(tokens(name))) > 1)


ROMAN = {
    "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9, "X": 10, "XI": 11, "XII": 12, "XIII": 13,
}  # fmt: skip


def plural(said: str) -> str:
    """The phrase for many."""
    if said.endswith("y") and said[-2:-1] not in "aeiou":
        return f"{said[:-1]}ies"
    return f"{said}es" if said.endswith(("s", "x", "ch", "sh")) else f"{said}s"


def number(word: str) -> int | None:
    """A number that can say how many are wanted."""
    n = int(word) if word.isdigit() and len(word) < 3 else common()["numbers"].get(word)
    return n if n is not None and 0 < n <= MOST_NUMBER else None

"""Which subject a question is about, and what each of its phrases means there. Pure decisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.ask.lexicon import Atom, Lexicon
from services.ask.model import Subject
from services.ask.spans import MARK, Span


@dataclass(frozen=True, slots=True)
class Meant:
    """One span as it is meant for one subject; `options` where it stays open which value is meant."""

    span: Span
    atom: Atom
    options: tuple[Atom, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """A subject that can use every phrase."""

    subject: Subject
    meant: tuple[Meant, ...]

    def of(self, kind: str) -> tuple[Meant, ...]:
        return tuple(one for one in self.meant if one.atom.kind == kind)

    def operators(self) -> dict[str, int]:
        """Operator → where it stands first."""
        found: dict[str, int] = {}
        for place, one in enumerate(self.meant):
            if one.atom.kind == "operator":
                found.setdefault(one.atom.name, place)
        return found

    def grouped(self) -> bool:
        """Whether something is grouped by, rather than only ranked by a measure: "top 5 provinces by population"."""
        kinds = [one.atom for one in self.meant if one.atom.kind != "filler"]
        return any(atom.name == "by" and after.kind != "measure" for atom, after in pairwise(kinds) if atom.kind == "operator")

    def ungrouped(self) -> Meant | None:
        """A dimension that nothing says is to be grouped by: in "regions and provinces" both are meant to be counted."""
        if {"list", "top", "bottom"} & set(self.operators()):
            return None
        follows = bool(self.meant) and self.meant[0].atom.kind == "follow"
        before: Atom | None = None
        for one in self.meant:
            if one.atom.kind in ("filler", "follow"):
                continue
            leads = before is None or before.kind in ("dimension", "grain") or (before.kind == "operator" and before.name == "by")
            if one.atom.kind == "dimension" and not (leads or follows):
                return one
            before = one.atom
        return None

    def settled(self, kind: str) -> bool:
        return any(one.atom.kind == kind for one in self.meant)


def candidates(spans: Sequence[Span], lexicon: Lexicon, context: str | None) -> list[Choice]:
    """The subjects it can be about, the best kind of evidence alone: a noun, else a measure, else the subject talked about before."""
    choices = [choice for subject in lexicon.subjects.values() if (choice := _try(spans, subject))]
    for kind in ("noun", "measure"):
        if strong := [choice for choice in choices if choice.settled(kind)]:
            talked = [choice for choice in strong if choice.subject.name == context]
            return talked or strong
    return [choice for choice in choices if choice.subject.name == context]


def usable_by(spans: Sequence[Span], lexicon: Lexicon) -> list[Subject]:
    """The subjects with a noun that can use every phrase, though none of them names one."""
    return [subject for subject in lexicon.subjects.values() if subject.nouns and _try(spans, subject)]


def _try(spans: Sequence[Span], subject: Subject) -> Choice | None:
    head = _head(spans, subject)
    meant: list[Meant] = []
    for place, span in enumerate(spans):
        atoms = span.of(subject.name)
        free = tuple(atom for atom in span.atoms if not atom.subject)
        if span.words == (MARK,):
            continue
        if not atoms and not free:
            return None
        if not atoms:
            meant.append(Meant(span, _operator(free, spans, place)))
            continue
        one = _meaning(atoms, spans, place, head)
        if one is not None:
            meant.append(one)
    return Choice(subject, tuple(meant))


def _head(spans: Sequence[Span], subject: Subject) -> int | None:
    """The span that names the subject: one that can be nothing else, or the first that is not grouped by."""
    kinds = [{atom.kind for atom in span.of(subject.name)} for span in spans]
    for place, found in enumerate(kinds):
        if "noun" in found and "dimension" not in found and not _named_by_neighbour(spans, place, subject.name):
            return place
    able = []
    for place, found in enumerate(kinds):
        names = {atom.name for atom in spans[place].of(subject.name) if atom.kind == "dimension"}
        if "noun" in found and not _grouped(spans, place) and not _names_neighbour(spans, place, names, subject.name):
            able.append(place)
    # "Which province has the fewest municipalities": municipalities are counted, by province.
    ranked = len(able) > 1 and any(span.has("operator", "top") or span.has("operator", "bottom") for span in spans[able[0] : able[1]])
    return able[1] if ranked else next(iter(able), None)


def _grouped(spans: Sequence[Span], place: int) -> bool:
    return place > 0 and spans[place - 1].has("operator", "by")


def _operator(free: tuple[Atom, ...], spans: Sequence[Span], place: int) -> Atom:
    """A word that may be a follow-up's or a filler is a follow-up's only at the beginning."""
    ranked = sorted(free, key=lambda atom: ("operator", "grain", "number", "follow", "filler").index(atom.kind))
    first = ranked[0]
    return Atom("filler") if first.kind == "follow" and place > 1 and not spans[0].has("follow") else first


def _meaning(atoms: tuple[Atom, ...], spans: Sequence[Span], place: int, head: int | None) -> Meant | None:
    """What a span is; None where it only says what kind of value the next one is."""
    span = spans[place]
    subject_dimensions = [atom for atom in atoms if atom.kind == "dimension"]
    values = [atom for atom in atoms if atom.kind == "value"]
    dated = place + 1 < len(spans) and spans[place + 1].words == (MARK,)
    when = next((atom for atom in atoms if atom.kind == "when"), None)
    if when and (dated or not values):
        return Meant(span, when)
    named = [atom for atom in values if atom.name in _named_beside(spans, place, atom.subject)]
    if named:
        return Meant(span, named[0], tuple(named) if len(named) > 1 else ())
    if place == head:
        return Meant(span, next(atom for atom in atoms if atom.kind == "noun"))
    if subject_dimensions and _names_neighbour(spans, place, {atom.name for atom in subject_dimensions}, atoms[0].subject):
        return None
    if values and not subject_dimensions:
        return Meant(span, values[0], tuple(values) if len(values) > 1 else ())
    measure = next((atom for atom in atoms if atom.kind == "measure"), None)
    return Meant(span, measure or next(iter(subject_dimensions), atoms[0]))


def _names_neighbour(spans: Sequence[Span], place: int, names: set[str], subject: str) -> bool:
    """Whether it only says what kind of value stands beside it: "province of Abra", "Abra province"."""
    if _grouped(spans, place):
        return False
    for near in (place + 1, place + 2, place - 1):
        beside = 0 <= near < len(spans) and (near != place + 2 or spans[place + 1].text == "of")
        if beside and any(atom.kind == "value" and atom.name in names for atom in spans[near].of(subject)):
            return True
    return False


def _named_by_neighbour(spans: Sequence[Span], place: int, subject: str) -> bool:
    """Whether a dimension beside it says that it is a value: "level barangays"."""
    names = {atom.name for atom in spans[place].of(subject) if atom.kind == "value"}
    return bool(names & _named_beside(spans, place, subject))


def _named_beside(spans: Sequence[Span], place: int, subject: str) -> set[str]:
    """The dimensions named right beside a value."""
    found: set[str] = set()
    for near in (place - 1, place - 2, place + 1):
        if 0 <= near < len(spans) and (near != place - 2 or spans[place - 1].text == "of"):
            found |= {atom.name for atom in spans[near].of(subject) if atom.kind == "dimension"}
    return found

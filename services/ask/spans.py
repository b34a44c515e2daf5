"""A question cut into the phrases that mean something. One word that means nothing to us, and there is no answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.ask.dates import Calendar, Period, cut
from services.ask.lexicon import Atom, Kind, Lexicon, number
from services.ask.normalise import foreign, plain

MOST_REPAIRED = 3  # mistakes in one question; with more it is another language or another field
MARK = "\x01"  # where a range of days stood
_PIECES = re.compile(rf"[a-z0-9]+|{MARK}")


@dataclass(frozen=True, slots=True)
class Span:
    """Words that belong together and what they may mean; `dates` for a range that was cut out."""

    words: tuple[str, ...]
    atoms: tuple[Atom, ...]

    def of(self, subject: str) -> tuple[Atom, ...]:
        """What it may mean when the question is about a subject."""
        return tuple(atom for atom in self.atoms if atom.subject == subject)

    def has(self, kind: Kind, name: str = "") -> bool:
        return any(atom.kind == kind and name in ("", atom.name) for atom in self.atoms)

    @property
    def content(self) -> bool:
        """Whether a subject must be able to use it."""
        return bool(self.atoms) and all(atom.subject for atom in self.atoms)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class Scanned:
    """`unknown` are the words that mean nothing; `repaired` what was read as what."""

    spans: tuple[Span, ...]
    periods: tuple[Period, ...]
    unknown: tuple[str, ...]
    repaired: tuple[tuple[str, str], ...]


def scan(message: str, lexicon: Lexicon, calendar: Calendar) -> Scanned:
    """Ranges first, then typing mistakes, then the longest phrases from the left."""
    text = plain(message)
    strange = foreign(text)
    text, periods = cut(text, calendar)
    pieces: list[str] = _PIECES.findall(text)
    spans, unknown = _match(pieces, lexicon)
    repaired: list[tuple[str, str]] = []
    if 0 < len(unknown) <= MOST_REPAIRED:
        better = {word: lexicon.speller.repair(word) for word in unknown}
        repaired = [(word, near) for word, near in better.items() if near]
        again, again_periods = cut(" ".join(better.get(piece) or piece for piece in pieces), calendar)
        spans, unknown = _match(_PIECES.findall(again), lexicon)
        periods += again_periods
    return Scanned(tuple(spans), tuple(periods), tuple(dict.fromkeys([*unknown, *strange])), tuple(repaired))


def _match(pieces: Sequence[str], lexicon: Lexicon) -> tuple[list[Span], list[str]]:
    spans: list[Span] = []
    unknown: list[str] = []
    place = 0
    while place < len(pieces):
        for length in range(min(lexicon.longest, len(pieces) - place), 0, -1):
            words = tuple(pieces[place : place + length])
            if atoms := lexicon.phrases.get(words):
                break
        else:
            words, atoms = (pieces[place],), ()
            if words[0] == MARK:
                atoms = ()
            elif (n := number(words[0])) is not None:
                atoms = (Atom("number", value=str(n)),)
            else:
                unknown.append(words[0])
        spans.append(Span(words, atoms))
        place += len(words)
    return spans, unknown

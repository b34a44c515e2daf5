"""Names in wording: capitalised words that are neither ordinary words at the start of something nor told by the facts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from services.ai.grounding.calendar import MONTHS
from services.ai.grounding.ground import Ground, words_of

LINKS = {"of", "the", "and", "for", "in", "on", "to", "de", "del", "la", "at", "&"}
WORD = r"[A-ZÀ-ÖØ-Þ][^\W_]*(?:['’.&-][^\W_]+)*"
RUN = re.compile(rf"{WORD}(?:\s+(?:(?:{'|'.join(LINKS)})\s+){{0,2}}{WORD})*")
# What may stand before a word that is capitalised only because something begins there.
BEGINS = re.compile(r"(?:^|[.!?:;]['\"”’)*_]*\s+|\n\s*|[|>•]\s*|(?:^|\n)\s*(?:[-*+#]+|\d+[.)])\s*|[\"“‘(*_]\s*)$")
HEADING = re.compile(r"^\s*(?:#{1,6}\s.*|\|.*|\*\*[^*]+\*\*:?)\s*$")
ALWAYS = {"i", "ai", *MONTHS, "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}


@dataclass(frozen=True, slots=True)
class Capitals:
    start: int
    end: int
    text: str


@cache
def ordinary() -> frozenset[str]:
    """Common English words, from a file: a word among them may begin a sentence without being a name."""
    return frozenset((Path(__file__).parent / "ordinary.txt").read_text().split())


def strange(text: str, ground: Ground) -> Iterator[Capitals]:
    """Capitalised words of the text that no fact tells."""
    known = _Known(ground)
    for match in RUN.finditer(text):
        heading = HEADING.match(_line(text, match.start())) is not None
        begins = BEGINS.search(text[max(0, match.start() - 12) : match.start()] if match.start() else "") is not None
        for start, run in _unknown_parts(match.group(), known, begins=begins, heading=heading):
            yield Capitals(match.start() + start, match.start() + start + len(run), run)


class _Known:
    """The facts' names as runs of words, and the words that are ours."""

    def __init__(self, ground: Ground) -> None:
        told = [tuple(_plain(name)) for name in ground.names]
        self.runs = {run[i:j] for run in told if len(run) <= 40 for i in range(len(run)) for j in range(i + 1, len(run) + 1)}
        self.runs |= {(_initials(run),) for run in told if 2 <= len(run) <= 40}
        self.words = ground.words | ALWAYS | {run[0] for run in self.runs if len(run) == 1}

    def name(self, words: list[str]) -> bool:
        return tuple(words) in self.runs


def _unknown_parts(run: str, known: _Known, *, begins: bool, heading: bool) -> Iterator[tuple[int, str]]:
    """What is left of a run of capitalised words when everything known is taken away."""
    words = [(m.start(), m.group()) for m in re.finditer(r"\S+", run)]
    while words and begins and not known.name(_plain(" ".join(w for _, w in words))) and _is_ordinary(words[0][1]):
        words = words[1:]  # "However Caloocan City …": the first word is capitalised by its place
        while words and words[0][1].casefold() in LINKS:
            words = words[1:]
    plain = [word for _, told in words for word in _plain(told)]
    if not plain or known.name(plain):
        return
    if heading:
        yield from ((start, word) for start, word in words if not set(_plain(word)) <= known.words | LINKS | ordinary())
        return
    for start, part in _split(words):
        told = _plain(part)
        if not known.name(told) and not set(told) <= known.words:
            yield start, part


def _split(words: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """A list of names is not one name: cut at "and", and keep "of" and its like inside."""
    part: list[tuple[int, str]] = []
    for start, word in words:
        if word.casefold() in {"and", "&"}:
            if part:
                yield part[0][0], " ".join(w for _, w in part)
            part = []
        else:
            part.append((start, word))
    if part:
        yield part[0][0], " ".join(w for _, w in part)


def _is_ordinary(word: str) -> bool:
    lower = word.casefold().removesuffix("'s").removesuffix("’s")
    return all(any(form in ordinary() for form in _forms(part)) for part in lower.split("-"))


def _forms(word: str) -> Iterator[str]:
    """The word, and what it may be an ending of: "spending", "rated"."""
    yield word
    for ending in ("s", "es", "d", "ed", "ing", "ly"):
        stem = word.removesuffix(ending)
        if len(stem) > 3 and stem != word:
            yield from (stem, f"{stem}e")


def _plain(text: str) -> list[str]:
    return [word.removesuffix("'s").removesuffix("’s") for word in words_of(text) if word not in {"the", "s"}]


def _initials(run: tuple[str, ...]) -> str:
    return "".join(word[0] for word in run if word not in LINKS)


def _line(text: str, at: int) -> str:
    end = text.find("\n", at)
    return text[text.rfind("\n", 0, at) + 1 : len(text) if end < 0 else end]

"""Questions that are asked again and again, with statistics filled in from the cache."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from services.ask.normalise import tokens
from services.ask.spelling import Speller

FILLER = frozenset(tokens("the a an is are was do does did i my of in on to for me it this that here please so at be there"))
LATER = "(not computed yet)"
_PLACE = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Faq:
    """`needs` are the statistics that the answer has places for."""

    name: str
    forms: tuple[str, ...]
    answer: str

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(_PLACE.findall(self.answer))

    def filled(self, statistics: Mapping[str, str]) -> str:
        """The answer; a statistic that no job has computed yet is said to be missing."""
        return _PLACE.sub(lambda match: statistics.get(match[1], LATER), self.answer)


@lru_cache(maxsize=1)
def entries() -> tuple[Faq, ...]:
    """All of them."""
    told = tomllib.loads((Path(__file__).parent / "faq.toml").read_text(encoding="utf-8"))
    return tuple(Faq(one["name"], tuple(one["forms"]), one["answer"]) for one in told["faq"])


def match(message: str) -> Faq | None:
    """The entry one of whose forms has exactly these words, fillers and typing mistakes aside; their order does not count."""
    forms, speller, known = _index()
    words = tokens(message)
    if len(words) > 20:
        return None
    found = forms.get(_key(words))
    if found is None and not all(word in known for word in words):
        found = forms.get(_key(tuple(word if word in known else speller.repair(word) or word for word in words)))
    return found


def _key(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(word for word in words if word not in FILLER))


@lru_cache(maxsize=1)
def _index() -> tuple[Mapping[tuple[str, ...], Faq], Speller, frozenset[str]]:
    forms = {_key(tokens(form)): entry for entry in entries() for form in entry.forms}
    known = frozenset(word for entry in entries() for form in entry.forms for word in tokens(form)) | FILLER
    return forms, Speller(known), known

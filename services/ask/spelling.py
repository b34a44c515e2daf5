"""Typing mistakes: an unknown word becomes the one word of the vocabulary that it nearly is, or stays unknown.

Similar words are found by what is left of them when letters are left out, so a word is compared with a handful, not with thousands.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import combinations
from pathlib import Path

SHORTEST = 4
LONGEST = 24
FAR_FROM = 8  # from this length on two mistakes are allowed


@lru_cache(maxsize=1)
def ordinary() -> frozenset[str]:
    """English words that are near ours and mean something else: they are nobody's typing mistake."""
    return frozenset((Path(__file__).parent / "ordinary.txt").read_text(encoding="utf-8").split())


class Speller:
    """Over one vocabulary."""

    def __init__(self, words: Iterable[str]) -> None:
        self._near: dict[str, list[str]] = {}
        for word in words:
            if SHORTEST <= len(word) <= LONGEST and word.isalpha():
                for left in _without(word, _most(word)):
                    self._near.setdefault(left, []).append(word)

    def repair(self, word: str) -> str | None:
        """The one nearest word, with the same first letter; None where there is none or more than one, or where it is a word itself."""
        if not SHORTEST <= len(word) <= LONGEST or not word.isalpha() or word in ordinary():
            return None
        found: dict[str, int] = {}
        for left in _without(word, _most(word)):
            for near in self._near.get(left, ()):
                if near[0] == word[0] and near not in found and (far := distance(word, near)) <= min(_most(word), _most(near)):
                    found[near] = far
        nearest = [near for near, far in found.items() if far == min(found.values())]
        return nearest[0] if len(nearest) == 1 and _is_mistake(word, nearest[0]) else None


def distance(left: str, right: str) -> int:
    """Letters added, left out, changed, or two neighbours swapped (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _most(word: str) -> int:
    return 2 if len(word) >= FAR_FROM else 1


def _without(word: str, most: int) -> set[str]:
    """The word without up to so many of its letters."""
    return {
        "".join(letter for place, letter in enumerate(word) if place not in out)
        for n in range(most + 1)
        for out in combinations(range(len(word)), n)
    }


def _is_mistake(word: str, near: str) -> bool:
    """Not a form of the word, as "meets" is of "meeting"; and of four letters only two that changed places: they have many neighbours."""
    shorter, longer = sorted((word, near), key=len)
    if longer.startswith(shorter) and longer[len(shorter) :] not in ("s", "es") and len(longer) - len(shorter) > 1:
        return False
    return len(shorter) > SHORTEST or sorted(word) == sorted(near)

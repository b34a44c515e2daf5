"""Which occurrence of its content a row is, in 8 bytes a row.

The n-th identical row of a file has the same number whenever the file is read, so reading it again, or longer, repeats no identity.
"""

from collections.abc import Sequence

import numpy as np


class Occurrences:
    """Counts contents by a 64-bit hash; identities are made of the full one, so a chance collision only skips a number."""

    def __init__(self) -> None:
        self._seen: list[np.ndarray] = []  # sorted runs, each at least twice as long as the next
        self._repeats: dict[int, int] = {}

    def number(self, hashes: Sequence[int]) -> list[int]:
        """1 for the first occurrence of a hash in the file, 2 for the second, and so on, in order."""
        told = np.array(hashes, dtype=np.uint64)
        fresh = np.unique(told)
        for run in self._seen:
            fresh = fresh[~_in_run(fresh, run)]
        numbers = [1] * len(hashes)
        if len(fresh) < len(told):
            firsts = set(fresh.tolist())
            for index, key in enumerate(hashes):
                if key in firsts:
                    firsts.discard(key)
                else:
                    numbers[index] = self._repeats[key] = self._repeats.get(key, 1) + 1
        self._remember(fresh)
        return numbers

    def _remember(self, fresh: np.ndarray) -> None:
        self._seen.append(fresh)
        while len(self._seen) > 1 and len(self._seen[-2]) < 2 * len(self._seen[-1]):
            last = self._seen.pop()
            self._seen[-1] = np.sort(np.concatenate([self._seen[-1], last]), kind="stable")


def _in_run(keys: np.ndarray, run: np.ndarray) -> np.ndarray:
    if not len(run):
        return np.zeros(len(keys), dtype=bool)
    positions = np.minimum(np.searchsorted(run, keys), len(run) - 1)
    return np.asarray(run[positions] == keys)

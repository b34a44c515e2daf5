"""Sums under their keys, between the rollups and the answer: plain columns, because a frame costs more than the sums in it."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Key = tuple[Hashable, ...]
Column = Sequence[Any] | npt.NDArray[Any]


class Table:
    """`columns` hold a value a row as Postgres gave it, None where nothing is known; `keys` name the rows, each once."""

    def __init__(self, keys: list[Key], columns: dict[str, Column]) -> None:
        self.keys = keys
        self.columns = columns
        self._numbers: dict[str, Floats] = {}

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def take(self, more: "Table") -> None:
        """The columns of another table of the same keys, in whatever order it has them."""
        if not self.columns:
            self.keys = more.keys
        at = {key: row for row, key in enumerate(more.keys)}
        places = [at[key] for key in self.keys]
        for name, column in more.columns.items():
            self.columns[name] = column[places] if isinstance(column, np.ndarray) else [column[place] for place in places]

    def number(self, name: str) -> Floats:
        """The column as floats, NaN for unknown: for ratios and means, never for money."""
        if name not in self._numbers:
            column = self.columns[name]
            known = column if isinstance(column, np.ndarray) else [np.nan if value is None else value for value in column]
            self._numbers[name] = np.asarray(known, dtype=np.float64)
        return self._numbers[name]

    def total(self, name: str) -> float:
        """The column's sum, unknown counted as nothing."""
        return float(np.nansum(self.number(name)))


def join(parts: Sequence[Table], keys: Iterable[Key] | None = None) -> Table:
    """All columns side by side under `keys`, or under every key of any part in their order; None where a part has no such row."""
    rows = list(keys) if keys is not None else sorted(dict.fromkeys(key for part in parts for key in part.keys))
    columns: dict[str, Column] = {}
    for part in parts:
        at: Mapping[Key, int] = {key: row for row, key in enumerate(part.keys)}
        places = [at.get(key) for key in rows]
        whole = places == list(range(len(part)))
        for name, column in part.columns.items():
            columns.setdefault(name, column if whole else [None if place is None else column[place] for place in places])
    return Table(rows, columns)

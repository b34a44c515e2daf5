"""Groups of series: sums are read once for each series of a range, and any split without an interval is folded from them."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from services.metrics.table import Column, Key, Table

DIMENSIONS = ("environment", "source", "module", "operation", "provider", "model")  # what names a series, as its rows are keyed
Groups = Mapping[Key, Sequence[int]]  # the rows of each group


def grouped(keys: Iterable[Key], by: Sequence[str], where: Mapping[str, Sequence[str]]) -> Groups:
    """Rows under the values of `by`, of those that `where` keeps; without dimensions all are one group, be it an empty one."""
    places = [DIMENSIONS.index(name) for name in by]
    wanted = [(DIMENSIONS.index(name), frozenset(values)) for name, values in where.items()]
    groups: dict[Key, list[int]] = {} if by else {(): []}
    for row, key in enumerate(keys):
        if all(key[place] in values for place, values in wanted):
            groups.setdefault(tuple(key[place] for place in places), []).append(row)
    return groups


def folded(sums: Table, groups: Groups) -> Table:
    """Each column summed under each group: whole numbers, None where no row of it knows, and histograms, rows × buckets."""
    return Table(
        list(groups),
        {
            name: _counts(column, groups) if isinstance(column, np.ndarray) else [_sum(column, rows) for rows in groups.values()]
            for name, column in sums.columns.items()
        },
    )


def _sum(column: Column, rows: Sequence[int]) -> int | None:
    known = [column[row] for row in rows if column[row] is not None]
    return sum(known) if known else None


def _counts(counts: np.ndarray, groups: Groups) -> np.ndarray:
    return np.array([counts[list(rows)].sum(axis=0) for rows in groups.values()]).reshape(len(groups), counts.shape[1])

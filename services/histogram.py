"""Latency histograms: 668 logarithmic buckets from 1 ms to 600 s, at most 1 % relative error at any quantile.

Bucket b holds values in (γ^(b-1), γ^b] milliseconds; its estimate 2γ^b/(1+γ) lies within 1 % of all of them. Merging is addition.
Values below 1 ms fall into bucket 0, values above 600 s into the last one.
"""

import numpy as np
import numpy.typing as npt

BUCKETS = 668
GAMMA = 1.0202
US_PER_MS = 1_000
ESTIMATES_MS = (2 * GAMMA ** np.arange(BUCKETS) / (1 + GAMMA)).astype(np.float64)


def bucket_of(microseconds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Bucket number of each duration."""
    milliseconds = np.maximum(microseconds, 1) / US_PER_MS
    number: npt.NDArray[np.float64] = np.clip(np.ceil(np.log(milliseconds) / np.log(GAMMA)), 0, BUCKETS - 1)
    return number.astype(np.int64)


def as_sparse_texts(groups: npt.NDArray[np.int64], buckets: npt.NDArray[np.int64], size: int) -> list[str | None]:
    """One pgvector `sparsevec` text per group 0..size-1, None for a group without values."""
    texts: list[str | None] = [None] * size
    pairs, counts = np.unique(groups * BUCKETS + buckets, return_counts=True)
    owners, firsts = np.unique(pairs // BUCKETS, return_index=True)
    entries = [f"{pair % BUCKETS + 1}:{count}" for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True)]
    lasts = np.append(firsts, len(entries))[1:]
    for owner, first, last in zip(owners.tolist(), firsts.tolist(), lasts.tolist(), strict=True):
        texts[owner] = "{" + ",".join(entries[first:last]) + "}/" + str(BUCKETS)
    return texts

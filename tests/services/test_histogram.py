"""Histograms: quantiles within one per cent, merging by addition."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services import histogram
from services.metrics.catalogue import quantiles_of

durations_us = st.lists(st.integers(1_000, 590_000_000), min_size=1, max_size=300)


def counts(values: list[int]) -> np.ndarray:
    return np.bincount(histogram.bucket_of(np.array(values, dtype=np.int64)), minlength=histogram.BUCKETS).astype(float)


@given(durations_us, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_it_estimates_a_quantile_within_one_per_cent(values: list[int], share: float) -> None:
    exact_ms = np.quantile(values, share, method="inverted_cdf") / 1_000
    estimate = quantiles_of(counts(values)[None, :], histogram.ESTIMATES_MS, share)[0]
    assert abs(estimate / exact_ms - 1) <= 0.0101


def test_it_knows_no_quantile_of_nothing() -> None:
    assert np.isnan(quantiles_of(np.zeros((1, histogram.BUCKETS)), histogram.ESTIMATES_MS, 0.5)).all()


def test_it_keeps_what_lies_outside_its_range_at_the_ends() -> None:
    assert histogram.bucket_of(np.array([0, 1, 999, 1_000, 10**12])).tolist() == [0, 0, 0, 0, histogram.BUCKETS - 1]


def test_it_writes_one_sparse_text_per_group() -> None:
    texts = histogram.as_sparse_texts(np.array([2, 0, 2]), np.array([5, 1, 5]), 3)
    assert texts == ["{2:1}/668", None, "{6:2}/668"]
    assert histogram.as_sparse_texts(np.array([], dtype=np.int64), np.array([], dtype=np.int64), 2) == [None, None]

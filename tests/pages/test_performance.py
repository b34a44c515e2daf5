"""The Performance page: where the latency lies, what changed, what is slowest; and the distribution beneath the heat map."""

from datetime import timedelta

import numpy as np
import pytest

from services.clock import utc_now
from services.metrics.distribution import BANDS_MS, distribution
from tests.pages.jobs import session
from tests.pages.test_cost import figure
from tests.pages.test_pages import opened, words
from tests.traffic import arrive, many, operation

pytestmark = pytest.mark.usefixtures("database")


def test_the_distribution_counts_every_operation_once() -> None:
    now = utc_now()
    records = many(900, now - timedelta(days=9), timedelta(days=9))
    arrive(records)
    first = (now - timedelta(days=9)).date()
    found = distribution(start=first, end=now.date() + timedelta(days=1), interval="day", where={"module": ["chat"]})
    kept = [one for one in records if one["module"] == "chat" and one["latency_ms"] is not None]
    days = [(np.datetime64(str(one["started_at"])[:10]) - np.datetime64(first)).astype(int) for one in kept]
    assert found.counts.sum(axis=0).tolist() == np.bincount(days, minlength=10).tolist()
    exact = np.searchsorted(BANDS_MS, [float(str(one["latency_ms"])) for one in kept])
    ours = np.repeat([np.searchsorted(BANDS_MS, end) for end in found.ends_ms], found.counts.sum(axis=1).astype(int))
    assert np.abs(np.sort(exact) - np.sort(ours)).sum() <= 0.03 * len(kept)  # a value at the edge of a band may fall beside it


def test_nobody_told_a_latency() -> None:
    found = distribution(start=utc_now() - timedelta(hours=5), end=utc_now(), interval="hour")
    assert found.counts.shape[0] == 0
    arrive([operation("a", utc_now() - timedelta(minutes=5), latency_ms=None)])
    app = opened("performance", session("viewer"), range="24h")
    assert not app.exception
    assert "has no operation that told its latency" in words(app)


def test_it_shows_where_latency_lies_and_what_made_it_change() -> None:
    now = utc_now()
    early = [operation(f"e{n}", now - timedelta(days=9), latency_ms=1_000) for n in range(20)]
    late = [operation(f"l{n}", now - timedelta(days=2), latency_ms=3_000) for n in range(20)]
    arrive(early + late + [operation("slow", now - timedelta(days=2), module="lab", operation="dig", latency_ms=9_000)])
    app = opened("performance", session("viewer"), range="7d")
    assert not app.exception
    assert figure(app, "Heat map")["data"][0]["type"] == "heatmap"  # type: ignore[index]
    assert "Mean latency went from 1.00 s to **3.29 s** (+2.29 s, +229%), mostly by gpt-5-mini in chat" in words(app)
    assert figure(app, "Waterfall: mean latency")["data"][0]["measure"][0] == "absolute"  # type: ignore[index]
    slowest = app.dataframe[-1].value
    assert slowest["operation"].tolist()[0] == "dig"
    percentiles = next(frame.value for frame in app.dataframe if "Before" in frame.value)
    assert percentiles["Before"].tolist()[0] == "1.00 s"


@pytest.mark.parametrize("split", ["module", "provider", "operation", "nonsense"])
def test_its_table_is_by_what_is_chosen(split: str) -> None:
    arrive(many(60, utc_now() - timedelta(days=3), timedelta(days=3)))
    app = opened("performance", session("viewer"), range="7d", split=split)
    assert not app.exception
    wanted = "model" if split == "nonsense" else split
    assert wanted in app.dataframe[-2].value.columns

"""Figures show what the frames say."""

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io
import pytest

from console.ui import charts

DAYS = pd.date_range("2026-11-01", periods=3, tz="Asia/Manila")


def by_model(models: int) -> pd.DataFrame:
    rows = [{"bucket": day, "model": f"m{n:02}", "cost": Decimal(n)} for day in DAYS for n in range(models)]
    return pd.DataFrame(rows)


def test_it_stacks_one_colour_a_value_the_largest_first() -> None:
    figure = charts.stacked(by_model(3), "cost", "model")
    assert [trace.name for trace in figure.data] == ["m02", "m01", "m00"]
    assert list(figure.data[0].y) == [2.0, 2.0, 2.0]
    assert figure.layout.barmode == "stack"


def test_what_is_shown_is_written_like_the_figure_and_made_once() -> None:
    figure = charts.stacked(by_model(3), "cost", "model")
    shown = charts.drawn(figure, clickable=False)
    assert json.loads(plotly.io.to_json(shown)) == json.loads(plotly.io.to_json(go.Figure(figure)))
    assert shown.to_dict() is shown.to_dict()
    marks = charts.drawn(figure, clickable=True)
    assert marks.to_dict()["layout"]["clickmode"] == "event+select"
    assert figure.layout.clickmode is None


@pytest.mark.parametrize(
    ("at", "words"), [("2026-11-01", "Nov 1<br>2026"), ("2026-11-01 15:00", "15:00<br>Nov 1, 2026")], ids=["day", "hour"]
)
def test_a_bucket_that_is_the_only_one_has_one_mark_which_says_when(at: str, words: str) -> None:
    frame = by_model(1).head(1).assign(bucket=pd.Timestamp(at, tz="Asia/Manila"))
    for figure in (charts.stacked(frame, "cost", "model"), charts.bars(frame, "cost"), charts.lines(frame, ["cost"])):
        axis = charts.drawn(figure, clickable=False).to_dict()["layout"]["xaxis"]
        assert axis["ticktext"] == [words]
        assert [pd.Timestamp(moment).tz_localize(None) for moment in axis["tickvals"]] == [pd.Timestamp(at)]
    assert "tickvals" not in charts.drawn(charts.bars(by_model(1), "cost"), clickable=False).to_dict()["layout"].get("xaxis", {})


def test_it_puts_the_smallest_together_and_loses_nothing() -> None:
    figure = charts.stacked(by_model(20), "cost", "model")
    assert len(figure.data) == charts.MOST_SERIES
    assert figure.data[-1].name == charts.OTHER
    assert sum(sum(trace.y) for trace in figure.data) == 3 * sum(range(20))


def test_it_draws_milliseconds_as_seconds_and_leaves_gaps_where_nothing_is_known() -> None:
    frame = pd.DataFrame({"bucket": DAYS, "latency_p50": [1_500.0, np.nan, 500.0], "latency_p95": [3_000.0, np.nan, 900.0]})
    figure = charts.lines(frame, ["latency_p50", "latency_p95"], names={"latency_p50": "p50", "latency_p95": "p95"})
    assert [trace.name for trace in figure.data] == ["p50", "p95"]
    assert figure.data[0].y[0] == 1.5
    assert np.isnan(figure.data[0].y[1])
    assert not figure.data[0].connectgaps


def test_it_ranks_and_keeps_whole_names_under_the_pointer() -> None:
    long = "x" * 60
    frame = pd.DataFrame({"model": ["a", long, "c"], "cost": [Decimal(1), Decimal(5), None]})
    figure = charts.ranked(frame, "cost", "model")
    assert list(figure.data[0].customdata) == ["a", long]
    assert list(figure.data[0].text) == ["$1.00", "$5.00"]
    assert len(figure.layout.yaxis.ticktext[1]) < 30


def test_it_shows_single_bars() -> None:
    figure = charts.bars(pd.DataFrame({"bucket": DAYS, "operations": [1, 0, 3]}), "operations")
    assert list(figure.data[0].y) == [1.0, 0.0, 3.0]

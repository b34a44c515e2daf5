"""Explore's figures: one measure over time or by rank, one series a combination of dimensions, the period before beside it."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from console.ui import charts, formats
from services.metrics import MEASURES

SERIES = "series"
ADDS_UP = ("count", "usd", "tokens", "per_min")  # means, shares and percentiles of parts have no sum


def figure(frame: pd.DataFrame, measure: str, by: Sequence[str], kind: str) -> go.Figure | None:
    """A figure of an answer, or None where there is nothing to draw: `kind` is Auto, Lines, Bars, Ranking or None."""
    if kind == "None" or frame.empty or (len(frame) == 1 and not by):
        return None
    named = frame.assign(**{SERIES: _named(frame, by)})
    if "bucket" not in frame.columns or kind == "Ranking":
        return _ranking(named, measure, by)
    adds_up = MEASURES[measure].unit in ADDS_UP and measure not in ("users", "sessions", "session_users", "session_messages")
    if kind == "Bars" or (kind == "Auto" and adds_up):
        drawn = charts.stacked(named, measure, SERIES) if by else charts.bars(frame, measure)
        if not adds_up:
            drawn.update_layout(barmode="group")
        return _before(drawn, frame, measure, by)
    return _before(_lines(named, measure, by), frame, measure, by)


def _named(frame: pd.DataFrame, by: Sequence[str]) -> pd.Series:
    """What each row's series is called."""
    return frame[list(by)].agg(" · ".join, axis=1) if by else pd.Series("", index=frame.index)


def _ranking(named: pd.DataFrame, measure: str, by: Sequence[str]) -> go.Figure | None:
    if "bucket" in named.columns:
        if by:
            return None  # the table has it; a sum over time is another question, to be asked without an interval
        return charts.ranked(named.assign(**{SERIES: named["bucket"].dt.strftime("%Y-%m-%d %H:%M")}), measure, SERIES)
    return charts.ranked(named, measure, SERIES, most=20)


def _lines(named: pd.DataFrame, measure: str, by: Sequence[str]) -> go.Figure:
    """One line a series; beyond eight, the largest of them."""
    if not by:
        return charts.lines(named, [measure])
    sizes = pd.to_numeric(named[measure], errors="coerce").astype("float64").groupby(named[SERIES]).sum()
    drawn = charts.lines(named.head(0), [measure])
    drawn.data = ()
    for name in sizes.nlargest(charts.MOST_SERIES).index:
        drawn.add_traces(charts.lines(named[named[SERIES] == name], [measure], names={measure: formats.short(name)}).data)
    return drawn.update_layout(showlegend=True)


def _before(drawn: go.Figure, frame: pd.DataFrame, measure: str, by: Sequence[str]) -> go.Figure:
    """The period before as a dashed line, where there is one series to set it beside."""
    previous = f"{measure}_previous"
    if previous not in frame.columns or by:
        return drawn
    then = charts.lines(frame.assign(**{measure: frame[previous]}), [measure], names={measure: "period before"})
    drawn.add_traces(then.update_traces(line={"dash": "dash", "color": charts.COLOURS[-1]}).data)
    return drawn.update_layout(showlegend=True)

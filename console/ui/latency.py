"""Latency over time as Plotly figures: percentiles as bands, and the whole distribution as a heat map."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from console.ui import formats
from console.ui.charts import COLOURS, HEIGHT
from services.metrics.distribution import Distribution

BANDS = (("latency_p50", "p50"), ("latency_p90", "p90"), ("latency_p95", "p95"), ("latency_p99", "p99"))
SHADES = ("rgba(0,114,178,0.30)", "rgba(0,114,178,0.20)", "rgba(0,114,178,0.10)")
FEW = 31  # buckets between which there is room for a line
SCALE = [[0.0, "rgba(0,114,178,0.10)"], [0.25, "#56B4E9"], [0.5, "#0072B2"], [0.75, "#E69F00"], [1.0, "#D55E00"]]


def bands(frame: pd.DataFrame) -> go.Figure:
    """p50 as a line and the room up to p90, p95 and p99 in paler and paler shades; where nothing is known there is a gap."""
    figure = go.Figure()
    for place, (measure, name) in enumerate(BANDS):
        figure.add_scatter(
            x=frame["bucket"], y=_seconds(frame[measure]), name=name, mode="lines+markers" if len(frame) < 3 else "lines",
            line={"color": COLOURS[0], "width": 2.5 if not place else 1}, connectgaps=False,
            fill="tonexty" if place else None, fillcolor=SHADES[place - 1] if place else None,
            hovertemplate=f"%{{y:,.2f}} s<extra>{name}</extra>",
        )  # fmt: skip
    figure.update_yaxes(ticksuffix=" s", rangemode="tozero", automargin=True)
    figure.update_layout(hovermode="x unified", showlegend=True, legend={"orientation": "h", "y": -0.28, "x": 0, "yanchor": "top"})
    return _framed(figure)


def heat(found: Distribution) -> go.Figure:
    """The share of each bucket's operations in each band of latency; what did not happen is empty."""
    totals = found.counts.sum(axis=0, keepdims=True)
    shares = np.where(found.counts > 0, found.counts / np.where(totals > 0, totals, 1), np.nan)
    labels = band_names(found.ends_ms)
    figure = go.Figure(
        go.Heatmap(
            x=found.buckets, y=list(range(len(labels))), z=shares, customdata=found.counts,
            text=[[name] * len(found.buckets) for name in labels],
            colorscale=SCALE, zmin=0, hoverongaps=False,
            xgap=int(len(found.buckets) <= FEW), ygap=1, colorbar={"tickformat": ".0%", "thickness": 10, "outlinewidth": 0},
            hovertemplate="%{x}<br>%{text}: %{z:.1%} (%{customdata:,} operations)<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(tickvals=list(range(len(labels))), ticktext=labels, automargin=True, showgrid=False)
    figure.update_xaxes(showgrid=False)
    return _framed(figure)


def band_names(ends_ms: tuple[float, ...]) -> list[str]:
    """Each band by its upper end, the last by where it begins."""
    names = [f"to {formats.duration(end / 1_000)}" for end in ends_ms if end != float("inf")]
    return names if len(names) == len(ends_ms) else [*names, f"over {names[-1].removeprefix('to ')}" if names else "any"]


def _seconds(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values, errors="coerce").astype("float64") / 1_000


def _framed(figure: go.Figure) -> go.Figure:
    return figure.update_layout(height=HEIGHT, margin={"l": 8, "r": 8, "t": 8, "b": 8})
